"""A task queue with its dead-letter queue, in moto with additions."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters.judging import Selection
from qu_workflows.dead_letters.services import MAX_PER_SECOND, DeadLetterRedrive, DeadLetterResult, redrive

GOOD = {"task": "custom_processing", "payload": {"data": "example"}}
UNKNOWN = json.dumps({"id": "unknown-1", "task": "os.system", "payload": {}})
UNFIT = json.dumps({"id": "unfit-1", "task": "process_guard_report", "payload": {"report_id": "one"}})
NO_JSON = "no json at all"
EVERYTHING = Selection()


def order(selection: Selection = EVERYTHING, **changes: Any) -> DeadLetterRedrive:
    given: dict[str, Any] = {"selection": selection, "actor": "operator@host", "per_second": MAX_PER_SECOND}
    return DeadLetterRedrive(**given | changes)


def move(wanted: DeadLetterRedrive, stop: Event | None = None) -> DeadLetterResult:
    return redrive(wanted, stop or Event(), lambda _moved: None)


def good(task_id: str | None = None, **changes: Any) -> str:
    """Return the body of a message that can be dispatched."""
    return json.dumps(GOOD | ({"id": task_id} if task_id else {}) | changes)


def refuse(*numbers: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a handler that refuses these messages of a batch, counted from 0."""

    def said(request: dict[str, Any]) -> dict[str, Any]:
        ids = [entry["Id"] for entry in request["Entries"]]
        return {
            "Successful": [
                {"Id": each, "MessageId": f"copy-of-{each}"} for n, each in enumerate(ids) if n not in numbers
            ],
            "Failed": [{"Id": ids[n], "Code": "InternalError", "Message": "try later"} for n in numbers],
        }

    return said


def unknown_action(action: str) -> ClientError:
    return ClientError({"Error": {"Code": "InvalidAction", "Message": "The action is not valid."}}, action)


@dataclass
class DeadLetterQueue:
    url: str
    queue_url: str

    def put(self, *bodies: str, **given: Any) -> list[str]:
        """Put messages into the dead-letter queue and return their MessageIds."""
        return [self._client.send_message(QueueUrl=self.url, MessageBody=body, **given)["MessageId"] for body in bodies]

    def ids(self) -> set[str]:
        """Return the visible messages of the dead-letter queue."""
        return {message["MessageId"] for message in self._look(self.url)}

    def moved(self) -> list[dict[str, Any]]:
        """Return the messages of the task queue."""
        return self._look(self.queue_url)

    def moved_ids(self) -> list[str]:
        """Return the ids that the bodies in the task queue carry."""
        return [json.loads(message["Body"])["id"] for message in self.moved()]

    def is_untouched_with(self, ids: Iterable[str]) -> bool:
        return self.ids() == set(ids) and not self.moved()

    @property
    def _client(self) -> Any:
        return boto3.client("sqs", "us-east-2")

    def _look(self, url: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        while got := self._client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            found |= {message["MessageId"]: message for message in got}
        for message in found.values():
            self._client.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return list(found.values())


def make_queues(settings: Settings, suffix: str = "") -> DeadLetterQueue:
    """Make both queues, and a client to which SQS's own moves are unknown."""
    client = boto3.client("sqs", "us-east-2")
    fifo = {"FifoQueue": "true"} if suffix else {}
    url = client.create_queue(QueueName=f"tasks-dlq{suffix}", Attributes=fifo)["QueueUrl"]  # type: ignore[arg-type]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    queue_url = client.create_queue(QueueName=f"tasks{suffix}", Attributes=fifo | {"RedrivePolicy": policy})["QueueUrl"]  # type: ignore[arg-type]
    settings.USE_ASYNC_TASKS = True
    settings.AWS_SQS_QUEUE_URL, settings.AWS_SQS_DLQ_URL = queue_url, url
    answer("ListMessageMoveTasks", unknown_action("ListMessageMoveTasks"))
    return DeadLetterQueue(url, queue_url)


def answer(action: str, said: Exception | dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Have SQS answer an action so from now on. A function is given the request."""

    def before_call(params: dict[str, Any], **_others: Any) -> tuple[Any, dict[str, Any]]:
        if isinstance(said, Exception):
            raise said
        return _Response(), said(json.loads(params["body"])) if callable(said) else said

    event, name = f"before-call.sqs.{action}", f"answer-{action}"
    aws.sqs().meta.events.unregister(event, unique_id=name)
    aws.sqs().meta.events.register(event, before_call, unique_id=name)  # type: ignore[arg-type]  # what it returns is the answer


class _Response:
    status_code = 200


class SqsMoves:
    """SQS's own moves, which moto lacks; a move takes three polls."""

    def __init__(self, dlq: DeadLetterQueue, total: int) -> None:
        self.dlq, self.total, self.moved = dlq, total, 0
        self.started: list[dict[str, Any]] = []
        self.status, self.failure = "", ""
        self.begun_at, self.shown_late = 0, 0
        self.cancelled: list[str] = []
        answer("ListMessageMoveTasks", self._list)
        answer("StartMessageMoveTask", self._start)
        answer("CancelMessageMoveTask", self._cancel)

    def _list(self, _request: dict[str, Any]) -> dict[str, Any]:
        if self.started and self.shown_late:
            self.shown_late -= 1
            return self.before
        if not self.status:
            return {"Results": []}
        if self.status == "CANCELLING":
            self.status = "CANCELLED"
        elif self.status == "RUNNING" and self.started:
            self.moved = min(self.total, self.moved + -(-self.total // 3))
            if self.failure:
                self.status = "FAILED"
            elif self.moved == self.total:
                self.status = "COMPLETED"
        handle = {"TaskHandle": "handle-1"} if self.status == "RUNNING" else {}
        failure = {"FailureReason": self.failure} if self.failure else {}
        return {
            "Results": [
                {
                    "Status": self.status,
                    "ApproximateNumberOfMessagesMoved": self.moved,
                    "StartedTimestamp": self.begun_at,
                    **handle,
                    **failure,
                }
            ]
        }

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        self.before = self._list({})
        self.started.append(request)
        self.status, self.moved, self.begun_at = "RUNNING", 0, self.begun_at + 1
        return {"TaskHandle": "handle-1"}

    def _cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        self.cancelled.append(request["TaskHandle"])
        self.status = "CANCELLING"
        return {"ApproximateNumberOfMessagesMoved": self.moved}
