"""Sends recorded tasks to SQS: a large payload through S3, what is for later through EventBridge Scheduler."""

import logging
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import queue_arn
from qu_workflows.protocol.message import canonical_json, fit_payload, write_message
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.registry import find_entry
from qu_workflows.tasks.requests import MAX_DELAY_SECONDS
from qu_workflows.tasks.traces import header_of, tell_sent

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

type Entry = "SendMessageBatchRequestEntryTypeDef"
type Batch = list[tuple[TaskRecord, Entry]]

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH_MESSAGES = 10
MAX_BATCH_BYTES = 1_048_576
SENDERS = 4  # batches on their way side by side
NOT_TRIED = "Not tried, since the one before it could not leave."
# EventBridge Scheduler: its own maxima, so that a queue which is down for a day still gets its task.
SCHEDULE_RETRY_POLICY = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}

logger = logging.getLogger(__name__)


@dataclass
class Sending:
    """What became of records: ``failed`` holds each with what was said; ``waiting`` are not due yet.

    ``is_broken_off``: AWS was not reached, or a FIFO queue refused one, and the rest was not tried.
    """

    sent: list[TaskRecord] = field(default_factory=list)
    failed: list[tuple[TaskRecord, str]] = field(default_factory=list)
    waiting: list[TaskRecord] = field(default_factory=list)
    is_broken_off: bool = False

    def add(self, other: "Sending") -> None:
        """Take in what became of others."""
        self.sent += other.sent
        self.failed += other.failed
        self.waiting += other.waiting


def send(records: Sequence[TaskRecord]) -> Sending:
    """Send records and tell of each what became of it; nothing is stored, and no AWS error is raised.

    Safe to repeat: a message sent twice starts one execution, since its id is the execution's name.
    Once AWS was not reached the rest are not tried: they would each wait for the same time-out.
    """
    outcome, now = Sending(), timezone.now()
    by_queue, by_schedule = [], []
    reach = _reach(now)
    for record in records:
        if record.due_at <= reach:
            by_queue.append(record)
        elif settings.AWS_SCHEDULER_ROLE_ARN:
            by_schedule.append(record)
        else:
            outcome.waiting.append(record)
    stopped = Event()
    for part in (*_send_to_queue(by_queue, now, stopped), *_put_schedules(by_schedule, stopped)):
        outcome.add(part)
    outcome.is_broken_off = stopped.is_set()
    return outcome


def is_fifo() -> bool:
    """Return whether the queue keeps order."""
    return str(settings.AWS_SQS_QUEUE_URL).endswith(".fifo")


def _reach(now: datetime) -> datetime:
    """Return until when SQS can hold a task back: 15 minutes, and not at all on a FIFO queue."""
    return now + timedelta(seconds=0 if is_fifo() else MAX_DELAY_SECONDS)


def _send_to_queue(records: Sequence[TaskRecord], now: datetime, stopped: Event) -> list[Sending]:
    unwritten = Sending()
    batches = _batches(_bodies(records, unwritten, stopped), now)
    if is_fifo() or len(records) <= MAX_BATCH_MESSAGES:  # side by side, a group would lose its order
        sendings = [_send_batch(batch, stopped) for batch in batches]
    else:
        sendings = _send_side_by_side(batches, stopped)
    return [*sendings, unwritten]


def _send_side_by_side(batches: Iterator[Batch], stopped: Event) -> list[Sending]:
    """Send batches from several threads, this one among them; each takes the next when it is done with one."""
    sendings: list[Sending] = []
    turn = Lock()

    def work() -> None:
        while True:
            with turn:
                batch = next(batches, None)
            if batch is None:
                return
            sendings.append(_send_batch(batch, stopped))

    aws.sqs()  # made here, once, and not by each thread
    with ThreadPoolExecutor(SENDERS - 1) as others:
        helping = [others.submit(work) for _ in range(SENDERS - 1)]
        work()
    for helper in helping:
        helper.result()
    return sendings


def _send_batch(batch: Batch, stopped: Event) -> Sending:
    """Send one batch.

    Once SQS was not reached, no further one waits for that again; once a FIFO queue has refused one, what
    comes after it does not overtake it.
    """
    if stopped.is_set():
        return Sending(failed=[(record, NOT_TRIED) for record, _ in batch])
    started = time.time()
    try:
        sending = _send_one(*batch[0]) if len(batch) == 1 else _send_several(batch)
    except (BotoCoreError, ClientError) as error:
        sending = Sending(failed=[(record, _said(error)) for record, _ in batch])
        if isinstance(error, BotoCoreError):
            stopped.set()
    if sending.failed and is_fifo():
        stopped.set()
    tell_sent(sending.sent, started, time.time())
    return sending


def _send_one(record: TaskRecord, entry: Entry) -> Sending:
    aws.sqs().send_message(QueueUrl=settings.AWS_SQS_QUEUE_URL, **_without_id(entry))
    return Sending(sent=[record])


def _send_several(batch: Batch) -> Sending:
    answer = aws.sqs().send_message_batch(QueueUrl=settings.AWS_SQS_QUEUE_URL, Entries=[entry for _, entry in batch])
    refused = {failed["Id"]: failed for failed in answer.get("Failed", [])}
    sending = Sending()
    for record, entry in batch:
        failed = refused.get(entry["Id"])
        if failed is None:
            sending.sent.append(record)
        else:
            sending.failed.append((record, f"{failed['Code']}: {failed.get('Message', '')}"))
    return sending


def _without_id(entry: Entry) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "Id"}


def _bodies(records: Iterable[TaskRecord], unwritten: Sending, stopped: Event) -> Iterator[tuple[TaskRecord, str]]:
    for record in records:
        if record.payload_key and stopped.is_set():
            unwritten.failed.append((record, NOT_TRIED))
            continue
        try:
            yield record, _body(record)
        except (BotoCoreError, ClientError) as error:
            unwritten.failed.append((record, _said(error)))
            if isinstance(error, BotoCoreError):
                stopped.set()


def _body(record: TaskRecord) -> str:
    """Return the message of a record, its payload put in S3 first where it is too large to travel inline."""
    key = record.payload_key or None
    if key:
        aws.s3().put_object(
            Bucket=settings.AWS_STORAGE_BUCKET_NAME,
            Key=key,
            Body=canonical_json(_named_payload(record)).encode(),
            ContentType="application/json",
        )
    timestamp = record.enqueued_at.astimezone(UTC).isoformat()
    return write_message(record.pk, record.task, timestamp, None if key else record.payload, key)


def _named_payload(record: TaskRecord) -> dict[str, Any]:
    entry = find_entry(record.task)
    return record.payload if entry is None else fit_payload(entry, record.payload)


def _batches(bodies: Iterable[tuple[TaskRecord, str]], now: datetime) -> Iterator[Batch]:
    batch: Batch = []
    fifo = is_fifo()
    size_bytes = 0
    for record, body in bodies:
        body_bytes = len(body.encode())
        if batch and (len(batch) == MAX_BATCH_MESSAGES or size_bytes + body_bytes > MAX_BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append((record, _entry(record, body, str(len(batch)), now, fifo=fifo)))
        size_bytes += body_bytes
    if batch:
        yield batch


def _entry(record: TaskRecord, body: str, entry_id: str, now: datetime, *, fifo: bool) -> Entry:
    entry: Entry = {
        "Id": entry_id,
        "MessageBody": body,
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": header_of(record)}},
    }
    if record.due_at > now:
        entry["DelaySeconds"] = math.ceil((record.due_at - now).total_seconds())
    if fifo:
        # One group per ordered thing: a task without a group is ordered with nothing.
        entry["MessageGroupId"] = record.message_group_id or record.pk
        entry["MessageDeduplicationId"] = record.pk
    elif record.message_group_id:
        entry["MessageGroupId"] = record.message_group_id
    return entry


def _put_schedules(records: Iterable[TaskRecord], stopped: Event) -> Iterator[Sending]:
    for record in records:
        if stopped.is_set():
            yield Sending(failed=[(record, NOT_TRIED)])
            continue
        try:
            _put_schedule(record)
            yield Sending(sent=[record])
        except (BotoCoreError, ClientError) as error:
            yield Sending(failed=[(record, _said(error))])
            if isinstance(error, BotoCoreError):
                stopped.set()


def _put_schedule(record: TaskRecord) -> None:
    """Put a one-time schedule that sends the task's message when it is due, and then deletes itself."""
    due_at = record.due_at.astimezone(UTC)
    if due_at.microsecond:
        due_at = due_at.replace(microsecond=0) + timedelta(seconds=1)
    target: dict[str, Any] = {
        "Arn": queue_arn(settings.AWS_SQS_QUEUE_URL),
        "RoleArn": settings.AWS_SCHEDULER_ROLE_ARN,
        "Input": _body(record),
        "RetryPolicy": SCHEDULE_RETRY_POLICY,
    }
    if settings.AWS_SQS_DLQ_URL:
        target["DeadLetterConfig"] = {"Arn": queue_arn(settings.AWS_SQS_DLQ_URL)}
    group = record.message_group_id or (record.pk if is_fifo() else "")
    if group:
        target["SqsParameters"] = {"MessageGroupId": group}
    client = aws.scheduler()
    try:
        client.create_schedule(
            Name=record.pk,
            GroupName=settings.AWS_SCHEDULER_GROUP_NAME,
            ScheduleExpression=f"at({due_at:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            ClientToken=record.pk,
            Target=target,  # type: ignore[arg-type]  # its optional keys are set one by one
        )
    except client.exceptions.ConflictException:
        logger.info("task %s was scheduled before", record.pk)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
