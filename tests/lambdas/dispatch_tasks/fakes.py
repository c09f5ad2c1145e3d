"""Shared by the dispatcher's tests: SQS records, a scripted Step Functions client, a clock."""

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from workflows.project import PROJECT

ARNS = {workflow: f"arn:aws:states:us-east-2:123456789012:stateMachine:qu-{workflow}" for workflow in PROJECT.workflows}
QUEUE_ARN = "arn:aws:sqs:us-east-2:123456789012:tasks"
_numbers = itertools.count(1)


def task_body(report_id: int = 1, **fields: Any) -> str:
    return json.dumps({"task": "process_guard_report", "payload": {"report_id": report_id}, **fields})


def sqs_record(body: str, queue_arn: str = QUEUE_ARN, **attributes: str) -> dict[str, Any]:
    return {
        "messageId": f"message-{next(_numbers)}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", **attributes},
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
    }


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "a failure"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # what the code reads
        "StartExecution",
    )


@dataclass
class FakeStepFunctions:
    """Accepts every start after the ``failures`` of its name."""

    failures: Mapping[str, Iterator[Exception]] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)

    def start_execution(self, **request: Any) -> Any:
        self.attempts.append(request["name"])
        for failure in self.failures.get(request["name"], iter(())):
            raise failure
        self.started.append(request)
        return {"executionArn": f"{request['stateMachineArn']}:{request['name']}"}

    @property
    def names(self) -> list[str]:
        return [request["name"] for request in self.started]


@dataclass
class Clock:
    """Time that passes only during sleep."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds
            self.slept.append(seconds)


def longest(delay: float) -> float:
    """Replace jitter: always the full delay."""
    return delay


def forever(failure: Exception) -> Iterator[Exception]:
    return itertools.repeat(failure)
