"""Sends recorded tasks to SQS, large payloads through S3, later tasks through EventBridge Scheduler."""

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
from django.db import connection
from django.db.models import Case, F, Value, When
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, MAX_DELAY_SECONDS, is_fifo, queue_arn
from qu_workflows.aws.xray import TracedTask, header_of, report_sent
from qu_workflows.protocol.message import canonical_json, fit_payload, write_message
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import find_entry

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

type Entry = "SendMessageBatchRequestEntryTypeDef"
type Batch = list[tuple[TaskRecord, Entry]]

SENDERS = 4  # batches sent concurrently
NOT_TRIED = "Not tried, because an earlier message could not be sent."
# EventBridge Scheduler: its own maxima, so that a queue which is down for a day still gets its task.
SCHEDULE_RETRY_POLICY = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}

_MARK_SENT = (
    f"UPDATE {TaskRecord._meta.db_table} SET status = CASE status WHEN %s THEN %s ELSE status END, "  # noqa: S608  ours
    "sent_at = %s, send_attempts = send_attempts + 1, last_send_error = '' WHERE id = ANY(%s)"
)
# Without waiting for the disk: a lost update only means that a message is sent twice, and starts one execution.
_NO_WAIT = "SET LOCAL synchronous_commit TO OFF; "

logger = logging.getLogger(__name__)


@dataclass
class SendResult:
    """The result of sending; ``waiting`` are not due yet.

    ``stopped`` is set once AWS was not reached, or a FIFO queue has refused a message. The rest are not tried: each
    would wait for the same timeout, or overtake the refused one.
    """

    sent: list[TaskRecord] = field(default_factory=list)
    failed: list[tuple[TaskRecord, str]] = field(default_factory=list)
    waiting: list[TaskRecord] = field(default_factory=list)
    stopped: Event = field(default_factory=Event)

    def fail(self, record: TaskRecord, error: BotoCoreError | ClientError | None = None) -> None:
        """Add a record that was not sent, or not tried if there is no error."""
        self.failed.append((record, NOT_TRIED if error is None else f"{type(error).__name__}: {error}"))
        if isinstance(error, BotoCoreError):
            self.stopped.set()


def send(records: Sequence[TaskRecord]) -> SendResult:
    """Send recorded tasks and save the result in each record. Raises no error of AWS.

    Safe to repeat: a message sent twice starts one execution, since its id is the execution's name.
    """
    result, now = SendResult(), timezone.now()
    held_until = queue_holds_until(now)
    by_queue, by_schedule = [], []
    for record in records:
        if record.due_at <= held_until:
            by_queue.append(record)
        elif settings.AWS_SCHEDULER_ROLE_ARN:
            by_schedule.append(record)
        else:
            result.waiting.append(record)
    batches = _batches(_bodies(by_queue, result), now)
    if is_fifo() or len(by_queue) <= MAX_BATCH_MESSAGES:  # sent concurrently, a group would lose its order
        for batch in batches:
            _send_batch(batch, result)
    else:
        _send_concurrently(batches, result)
    _put_schedules(by_schedule, result)
    _mark_sent(result.sent, timezone.now())
    for error in {error for _, error in result.failed}:
        failed = [record.pk for record, its_error in result.failed if its_error == error]
        TaskRecord.objects.filter(pk__in=failed).update(send_attempts=F("send_attempts") + 1, last_send_error=error)
    return result


def queue_holds_until(now: datetime) -> datetime:
    """Return the time until which SQS can delay a message; ``now`` for a FIFO queue."""
    return now + timedelta(seconds=0 if is_fifo() else MAX_DELAY_SECONDS)


def _mark_sent(records: Sequence[TaskRecord], now: datetime) -> None:
    """Mark records as sent. A record whose execution has already begun keeps its status."""
    if not records:
        return
    ids = [record.pk for record in records]
    if connection.vendor == "postgresql":
        # Inside the caller's transaction, waiting for the disk is the caller's choice.
        prefix = "" if connection.in_atomic_block else _NO_WAIT
        with connection.cursor() as cursor:
            cursor.execute(prefix + _MARK_SENT, [TaskStatus.READY.value, TaskStatus.SENT.value, now, ids])
    else:
        TaskRecord.objects.filter(pk__in=ids).update(
            status=Case(When(status=TaskStatus.READY, then=Value(TaskStatus.SENT)), default=F("status")),
            sent_at=now,
            send_attempts=F("send_attempts") + 1,
            last_send_error="",
        )
    for record in records:
        record.status, record.sent_at = TaskStatus.SENT, now


def _send_concurrently(batches: Iterator[Batch], result: SendResult) -> None:
    """Send batches from several threads, this one included."""
    turn = Lock()

    def work() -> None:
        while True:
            with turn:
                batch = next(batches, None)
            if batch is None:
                return
            _send_batch(batch, result)

    aws.sqs()  # create the client once, not in each thread
    with ThreadPoolExecutor(SENDERS - 1) as others:
        helping = [others.submit(work) for _ in range(SENDERS - 1)]
        work()
    for helper in helping:
        helper.result()


def _send_batch(batch: Batch, result: SendResult) -> None:
    if result.stopped.is_set():
        for record, _ in batch:
            result.fail(record)
        return
    started = time.time()
    try:
        refused = _call_sqs([entry for _, entry in batch])
    except (BotoCoreError, ClientError) as error:
        for record, _ in batch:
            result.fail(record, error)
        if is_fifo():
            result.stopped.set()
        return
    sent = [record for record, entry in batch if entry["Id"] not in refused]
    result.sent += sent
    result.failed += [(record, refused[entry["Id"]]) for record, entry in batch if entry["Id"] in refused]
    if refused and is_fifo():
        result.stopped.set()
    report_sent([TracedTask(record.pk, record.task, record.enqueued_at) for record in sent], started, time.time())


def _call_sqs(entries: list[Entry]) -> dict[str, str]:
    """Send one to ten messages; return the refused ones' errors by entry id."""
    queue_url = settings.AWS_SQS_QUEUE_URL
    if len(entries) == 1:
        message: dict[str, Any] = {key: value for key, value in entries[0].items() if key != "Id"}
        aws.sqs().send_message(QueueUrl=queue_url, **message)
        return {}
    answer = aws.sqs().send_message_batch(QueueUrl=queue_url, Entries=entries)
    return {failed["Id"]: f"{failed['Code']}: {failed.get('Message', '')}" for failed in answer.get("Failed", [])}


def _bodies(records: Iterable[TaskRecord], result: SendResult) -> Iterator[tuple[TaskRecord, str]]:
    for record in records:
        if record.payload_key and result.stopped.is_set():
            result.fail(record)
            continue
        try:
            body = _body(record)
        except (BotoCoreError, ClientError) as error:
            result.fail(record, error)
        else:
            yield record, body


def _body(record: TaskRecord) -> str:
    """Return a record's message; first write a large payload to S3."""
    key = record.payload_key or None
    if key:
        entry = find_entry(record.task)
        payload = record.payload if entry is None else fit_payload(entry, record.payload)
        aws.s3().put_object(
            Bucket=settings.AWS_STORAGE_BUCKET_NAME,
            Key=key,
            Body=canonical_json(payload).encode(),
            ContentType="application/json",
        )
    timestamp = record.enqueued_at.astimezone(UTC).isoformat()
    return write_message(record.pk, record.task, timestamp, None if key else record.payload, key)


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
    trace = header_of(record.pk, record.enqueued_at)
    entry: Entry = {
        "Id": entry_id,
        "MessageBody": body,
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    }
    if record.due_at > now:
        entry["DelaySeconds"] = math.ceil((record.due_at - now).total_seconds())
    if fifo:
        # A task without a group gets one of its own, so that it waits for no other.
        entry["MessageGroupId"] = record.message_group_id or record.pk
        entry["MessageDeduplicationId"] = record.pk
    elif record.message_group_id:
        entry["MessageGroupId"] = record.message_group_id
    return entry


def _put_schedules(records: Iterable[TaskRecord], result: SendResult) -> None:
    for record in records:
        if result.stopped.is_set():
            result.fail(record)
            continue
        try:
            _put_schedule(record)
        except (BotoCoreError, ClientError) as error:
            result.fail(record, error)
        else:
            result.sent.append(record)


def _put_schedule(record: TaskRecord) -> None:
    """Create a one-time schedule that sends the task's message when it is due."""
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
