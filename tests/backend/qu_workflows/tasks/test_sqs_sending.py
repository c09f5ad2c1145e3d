import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from django.utils import timezone
from pytest_django import Settings

from common.tasks import process_guard_report
from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_arn
from qu_workflows.protocol.message import PayloadTooLarge
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.backends import StepFunctionsBackend
from qu_workflows.tasks.sqs_sending import SENDERS, send
from tests.backend.qu_workflows.conftest import BUCKET, Queue
from tests.backend.qu_workflows.sample.tasks import add, give_back

pytestmark = pytest.mark.django_db(transaction=True)

ROLE = "arn:aws:iam::123456789012:role/scheduler"


def record(**changes: Any) -> TaskRecord:
    given = {"task": "sample_sum", "workflow": "run_task", "payload": {"first": 1}, "enqueued_at": timezone.now()}
    return TaskRecord.objects.create(**(given | changes))


def test_a_batch_stays_under_a_mebibyte(queue: Queue) -> None:
    records = [record(task="any", payload={"value": "x" * 190_000}) for _ in range(11)]

    outcome = send(records)

    assert {sent.pk for sent in outcome.sent} == {record.pk for record in records}
    assert queue.size() == 11


@pytest.mark.usefixtures("queue")
def test_the_entries_that_sqs_refuses_stay_recorded_with_its_reason() -> None:
    with Stubber(aws.sqs()) as stubber:
        stubber.add_response(
            "send_message_batch",
            {
                "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}],
                "Failed": [{"Id": "1", "Code": "InternalError", "Message": "try again", "SenderFault": False}],
            },
        )
        first, second = StepFunctionsBackend("default", {}).enqueue_many(add, [([1], {}), ([2], {})])

    statuses = {record.pk: (record.status, record.last_send_error) for record in TaskRecord.objects.all()}
    assert statuses == {
        first.id: (TaskStatus.SENT, ""),
        second.id: (TaskStatus.READY, "InternalError: try again"),
    }


@pytest.mark.usefixtures("queue")
def test_a_batch_that_sqs_refuses_does_not_keep_the_next_from_leaving() -> None:
    records = [record(pk=f"task-{n}") for n in range(11)]

    def throttle(**_kwargs: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "SendMessageBatch")

    aws.sqs().meta.events.register("before-call.sqs.SendMessageBatch", throttle)
    outcome = send(records)

    assert [sent.pk for sent in outcome.sent] == ["task-10"]
    assert len(outcome.failed) == 10
    assert "slow down" in outcome.failed[0][1]


@pytest.mark.usefixtures("queue_down")
def test_when_the_queue_is_not_reached_the_rest_are_not_tried() -> None:
    calls: list[str] = []
    aws.sqs().meta.events.register("before-call.sqs", lambda **_: calls.append("call"))

    outcome = send([record() for _ in range(101)])

    assert len(outcome.failed) == 101
    assert 1 <= len(calls) <= SENDERS


def test_a_delay_is_given_to_sqs(queue: Queue) -> None:
    with Stubber(aws.sqs()) as stubber:
        for delay_seconds in (30, 900):
            body = {"QueueUrl": queue.url, "MessageBody": _Any(), "DelaySeconds": delay_seconds}
            body["MessageSystemAttributes"] = _Any()
            stubber.add_response("send_message", {"MessageId": "m"}, body)
        add.using(delay_seconds=30).enqueue(1)
        add.using(run_after=timezone.now() + timedelta(minutes=15)).enqueue(1)
        stubber.assert_no_pending_responses()


class _Any:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # equal to everything, so without a hash


def test_a_time_that_has_passed_is_no_delay(queue: Queue) -> None:
    add.using(run_after=timezone.now() - timedelta(days=1)).enqueue(1)

    assert len(queue.bodies()) == 1


def test_on_a_standard_queue_a_group_is_given_when_there_is_one(queue: Queue) -> None:
    add.using(message_group_id="client-7").enqueue(1)
    add.enqueue(2)

    groups = [message["Attributes"].get("MessageGroupId") for message in queue.messages()]
    assert groups == ["client-7", None]


def test_fifo_tasks_without_a_group_get_their_own(fifo_queue: Queue) -> None:
    own, grouped = add.enqueue(1), add.using(message_group_id="report-7").enqueue(2)

    attributes = [message["Attributes"] for message in fifo_queue.messages()]
    assert [(a["MessageGroupId"], a["MessageDeduplicationId"]) for a in attributes] == [
        (own.id, own.id),
        ("report-7", grouped.id),
    ]


def test_on_a_fifo_queue_nothing_overtakes_what_was_refused(fifo_queue: Queue) -> None:
    records = [record(pk=f"task-{n}", message_group_id="report-7") for n in range(11)]

    def throttle(**_kwargs: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "SendMessageBatch")

    aws.sqs().meta.events.register("before-call.sqs.SendMessageBatch", throttle)
    outcome = send(records)

    assert [failed.pk for failed, _ in outcome.failed] == [record.pk for record in records]
    assert fifo_queue.messages() == []


def test_on_a_fifo_queue_a_delayed_task_waits_as_a_record(fifo_queue: Queue) -> None:
    result = add.using(delay_seconds=5).enqueue(1)

    assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.READY
    assert fifo_queue.messages() == []


def test_a_payload_too_large_for_a_message_travels_through_s3(queue: Queue, bucket: str) -> None:
    text = "x" * 300_000

    result = give_back.enqueue(text)

    [body] = queue.bodies()
    assert body["payload_key"] == f"payloads/{result.id}.json"
    assert "payload" not in body
    stored = boto3.client("s3", "us-east-2").get_object(Bucket=bucket, Key=body["payload_key"])
    assert json.load(stored["Body"]) == {"value": text}
    assert result.args == [text]


def test_a_large_payload_needs_the_bucket_and_says_so(queue: Queue) -> None:
    with pytest.raises(PayloadTooLarge, match="AWS_STORAGE_BUCKET_NAME"):
        give_back.enqueue("x" * 300_000)

    assert queue.size() == TaskRecord.objects.count() == 0


def test_a_large_payload_that_s3_does_not_take_leaves_the_others_alone(queue: Queue, settings: Settings) -> None:
    settings.AWS_STORAGE_BUCKET_NAME = BUCKET  # there is no such bucket
    large, small = StepFunctionsBackend("default", {}).enqueue_many(give_back, [(["x" * 300_000], {}), (["small"], {})])

    assert TaskRecord.objects.get(pk=large.id).status == TaskStatus.READY
    assert "NoSuchBucket" in TaskRecord.objects.get(pk=large.id).last_send_error
    assert [body["id"] for body in queue.bodies()] == [small.id]


@pytest.mark.usefixtures("queue_down")
def test_an_unreachable_s3_delays_one_payload_only(settings: Settings) -> None:
    settings.AWS_STORAGE_BUCKET_NAME = BUCKET
    calls: list[str] = []
    aws.s3().meta.events.register("before-call.s3", lambda **_: calls.append("call"))
    records = [record(payload_key=f"payloads/{n}.json") for n in range(3)]

    outcome = send(records)

    assert [failed for failed, _ in outcome.failed] == records
    assert len(calls) == 1


@pytest.mark.usefixtures("queue_down")
def test_when_the_scheduler_is_not_reached_the_rest_wait_as_records(settings: Settings) -> None:
    settings.AWS_SCHEDULER_ROLE_ARN = ROLE
    records = [record(run_after=timezone.now() + timedelta(days=1)) for _ in range(3)]

    outcome = send(records)

    assert [failed for failed, _ in outcome.failed] == records
    assert "EndpointConnectionError" in outcome.failed[0][1]
    assert "Not tried" in outcome.failed[1][1]


def test_a_workflow_that_takes_no_reference_refuses_a_large_payload(queue: Queue) -> None:
    with pytest.raises(Exception, match="report_id"):
        process_guard_report.enqueue(report_id="9" * 300_000)

    assert queue.size() == 0


@pytest.mark.usefixtures("queue")
def test_what_is_for_later_becomes_a_schedule_that_sends_the_same_message(settings: Settings) -> None:
    settings.AWS_SCHEDULER_ROLE_ARN = ROLE
    settings.AWS_SQS_DLQ_URL = "https://sqs.us-east-2.amazonaws.com/123456789012/tasks-dlq"
    due_at = datetime(2099, 1, 2, 3, 4, 5, 600, UTC)

    result = add.using(run_after=due_at, message_group_id="client-7").enqueue(1)

    schedule = boto3.client("scheduler", "us-east-2").get_schedule(Name=result.id, GroupName="default")
    assert schedule["ScheduleExpression"] == "at(2099-01-02T03:04:06)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    assert schedule["ActionAfterCompletion"] == "DELETE"
    target = schedule["Target"]
    assert target["Arn"] == "arn:aws:sqs:us-east-2:123456789012:tasks"
    assert target["RoleArn"] == ROLE
    assert target["DeadLetterConfig"] == {"Arn": "arn:aws:sqs:us-east-2:123456789012:tasks-dlq"}
    assert target["SqsParameters"] == {"MessageGroupId": "client-7"}
    body = json.loads(target["Input"])
    assert (body["id"], body["task"], body["payload"]) == (result.id, "sample_sum", {"first": 1})
    assert TaskRecord.objects.get(pk=result.id).status == TaskStatus.SENT


def test_a_schedule_that_was_put_before_counts_as_sent(queue: Queue, settings: Settings) -> None:
    settings.AWS_SCHEDULER_ROLE_ARN = ROLE
    later = record(run_after=timezone.now() + timedelta(days=1))

    assert [send([later]).sent, send([later]).sent] == [[later], [later]]
    assert queue.size() == 0


def test_a_schedule_that_is_refused_stays_recorded(queue: Queue, settings: Settings) -> None:
    settings.AWS_SCHEDULER_ROLE_ARN = ROLE

    with Stubber(aws.scheduler()) as stubber:
        stubber.add_client_error("create_schedule", "ResourceNotFoundException", "no such group")
        outcome = send([record(run_after=timezone.now() + timedelta(days=1)), record()])

    assert len(outcome.failed) == len(outcome.sent) == queue.size() == 1


def test_without_a_role_what_is_for_later_waits(queue: Queue) -> None:
    result = add.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(1)

    stored = TaskRecord.objects.get(pk=result.id)
    assert (stored.status, stored.send_attempts) == (TaskStatus.READY, 0)
    assert queue.size() == 0


@pytest.mark.parametrize(
    ("region", "url", "arn"),
    [
        ("us-east-2", "https://sqs.us-east-2.amazonaws.com/1234/tasks", "arn:aws:sqs:us-east-2:1234:tasks"),
        ("cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn/1/t.fifo", "arn:aws-cn:sqs:cn-north-1:1:t.fifo"),
        (
            "us-gov-west-1",
            "http://127.0.0.1:4566/000000000000/tasks",
            "arn:aws-us-gov:sqs:us-gov-west-1:000000000000:tasks",
        ),
    ],
)
def test_a_queues_arn_is_in_its_url(settings: Settings, region: str, url: str, arn: str) -> None:
    settings.AWS_SQS_REGION = region

    assert queue_arn(url) == arn
