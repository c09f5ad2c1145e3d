"""The outbox: sends recorded tasks after the commit, and unsent ones later.

A task enqueued alone outside a transaction is sent by a thread, so that its caller waits for the record only.
With USE_ASYNC_TASKS off the recorded tasks run in this process after the commit.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from threading import Condition
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from qu_workflows.aws.queues import MAX_BATCH_MESSAGES, is_fifo, runs_on_worker
from qu_workflows.protocol.catalog import RUN_TASK
from qu_workflows.protocol.project import registered_steps
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import registered_tasks
from qu_workflows.tasks.running import run_inline
from qu_workflows.tasks.sqs_sending import SendResult, queue_holds_until, send

OUTBOX, SYNC = "outbox", "sync"  # TASK_FALLBACK: keep the record for later, or run the task here and now
CHANNEL = "qu_workflows_tasks"  # PostgreSQL's notifications of recorded tasks, for the worker
GATHER_SECONDS = 0.01
MAX_WAITING = 100  # with more waiting, a caller sends its own, and so enqueues no faster than SQS takes
CHUNK_SIZE = 100  # rows locked, and messages in the air, at a time
OLDER_THAN_SECONDS = 60  # younger ones may be on their way at this very moment
# One run of the send_outbox schedule: it ends before the next one begins.
OUTBOX_SECONDS = 40
OUTBOX_LIMIT = 10_000

# The fields that a new record sets; the database has defaults for the rest.
_NEW_FIELDS = (
    "id",
    "task",
    "workflow",
    "payload",
    "payload_key",
    "positional_count",
    "subject_id",
    "status",
    "backend",
    "queue_name",
    "message_group_id",
    "run_after",
    "delay_seconds",
    "enqueued_at",
)
_COLUMNS = {str(field.column): field.attname for field in TaskRecord._meta.fields if field.attname in _NEW_FIELDS}
_INSERT = (
    f"INSERT INTO {TaskRecord._meta.db_table} ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} "  # noqa: S608  ours
    f"FROM json_populate_recordset(NULL::{TaskRecord._meta.db_table}, %s)"
)

logger = logging.getLogger(__name__)


def insert_records(records: Sequence[TaskRecord]) -> None:
    """Insert new records, all or none.

    On PostgreSQL by one parameter for all records, which takes a third of the ORM's time.
    """
    if not records:
        return
    if connection.vendor != "postgresql":
        TaskRecord.objects.bulk_create(records)
        return
    rows = [{column: getattr(record, name) for column, name in _COLUMNS.items()} for record in records]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(rows, default=datetime.isoformat)])
    for record in records:
        record._state.adding = False


def send_later(records: Sequence[TaskRecord]) -> None:
    """Send recorded tasks after the commit; with USE_ASYNC_TASKS off, run them then."""
    if not records:
        return
    if not settings.USE_ASYNC_TASKS:
        run_after_commit(records)
    elif runs_on_worker():
        _wake_worker()
    elif connection.in_atomic_block:
        _send_after_commit(records)
    elif not _hand_over(records):
        send_or_fall_back(records)


def _wake_worker() -> None:
    """Notify the worker once the transaction commits; without PostgreSQL it polls."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


def run_after_commit(records: Sequence[TaskRecord]) -> None:
    """Run recorded tasks in this process after the commit, if any."""
    transaction.on_commit(partial(_run_here, [record.pk for record in records]), robust=True)


def send_or_fall_back(records: Sequence[TaskRecord]) -> SendResult:
    """Send records; treat those that could not be sent as TASK_FALLBACK says."""
    result = send(records)
    if result.failed:
        logger.warning(
            "%d of %d tasks not sent, they stay recorded: %s", len(result.failed), len(records), result.failed[0][1]
        )
        if settings.TASK_FALLBACK == SYNC:
            for record, _ in result.failed:
                _run_instead(record)
    return result


@dataclass
class Resending:
    """The numbers of records sent and failed, with the first error."""

    sent: int = 0
    failed: int = 0
    first_error: str = ""


def resendable(older_than_seconds: float) -> QuerySet[TaskRecord]:
    """Return the records that are READY and can be sent by now, the oldest first.

    A task for later is included once SQS can hold it until it is due; at once if there is a role to schedule it with.
    """
    now = timezone.now()
    ready = TaskRecord.objects.filter(
        status=TaskStatus.READY, enqueued_at__lte=now - timedelta(seconds=older_than_seconds)
    )
    if not settings.AWS_SCHEDULER_ROLE_ARN:
        ready = ready.filter(Q(run_after__isnull=True) | Q(run_after__lte=queue_holds_until(now)))
    return ready.order_by("enqueued_at", "id")


def send_outbox() -> dict[str, Any]:
    """Send what was not sent, within the time of one scheduled run: ``{"sent", "failed", "first_error"}``.

    A record that could not be sent raises nothing: it stays for the next run, and ``watch_stuck`` reports it once
    it is too old. With USE_ASYNC_TASKS off the tasks run here, if the process has steps. Safe to run concurrently.
    """
    if runs_on_worker():  # nothing is sent: the worker finds its tasks by itself
        return asdict(Resending())
    deadline = time.monotonic() + OUTBOX_SECONDS
    if settings.USE_ASYNC_TASKS:
        return asdict(resend(OLDER_THAN_SECONDS, OUTBOX_LIMIT, deadline))
    return asdict(run_due(OLDER_THAN_SECONDS, OUTBOX_LIMIT, deadline))


def run_due(older_than_seconds: float, limit: int | None = None, deadline: float = float("inf")) -> Resending:
    """Run the due tasks in this process, the oldest first.

    Runs none in a process without steps. Begins none after ``deadline`` (of ``time.monotonic``).
    """
    done = Resending()
    if registered_steps() is None:  # the packages of the functions contain no engine: the tasks stay recorded
        return done
    due = [record.pk for record in resendable(older_than_seconds) if record.due_at <= timezone.now()]
    for task_id in due[:limit]:
        if time.monotonic() >= deadline:
            break
        record = _run(task_id)
        if record is not None and record.status == TaskStatus.SUCCEEDED:
            done.sent += 1
        elif record is not None:
            done.failed += 1
            done.first_error = done.first_error or f"{record.error}: {record.cause}"
    return done


def resend(older_than_seconds: float, limit: int | None = None, deadline: float = float("inf")) -> Resending:
    """Send the resendable records. Safe to run concurrently: each record is sent by one caller.

    Stops after a chunk of which nothing was sent because AWS was not reached. Records that are refused for their
    content do not stop those after them. Begins no chunk after ``deadline`` (of ``time.monotonic``).
    """
    done = Resending()
    after: tuple[datetime, str] | None = None
    while (limit is None or done.sent + done.failed < limit) and time.monotonic() < deadline:
        size = CHUNK_SIZE if limit is None else min(CHUNK_SIZE, limit - done.sent - done.failed)
        records = resendable(older_than_seconds)
        if after is not None:
            records = records.filter(Q(enqueued_at__gt=after[0]) | Q(enqueued_at=after[0], id__gt=after[1]))
        if connection.features.has_select_for_update_skip_locked:
            records = records.select_for_update(skip_locked=True)
        with transaction.atomic():
            chunk = list(records[:size])
            if not chunk:
                return done
            result = send(chunk)
        after = (chunk[-1].enqueued_at, chunk[-1].pk)
        done.sent += len(result.sent)
        done.failed += len(result.failed)
        if result.failed:
            done.first_error = done.first_error or result.failed[0][1]
            if result.stopped.is_set() and not result.sent:
                return done
    return done


class SendAfterCommit:
    """The commit hook of one savepoint level: sends its tasks in batches.

    Rolling a savepoint back drops its hook, and with it exactly its own tasks.
    """

    def __init__(self) -> None:
        self.records: list[TaskRecord] = []

    def __call__(self) -> None:
        """Send the records; an error of AWS is recorded and logged, never raised."""
        send_or_fall_back(self.records)


class Sender:
    """One thread that sends the records of a hundredth of a second together.

    Python waits for it at exit. A record that it has not marked as sent when its process dies stays READY and is
    sent by ``resend_tasks``.
    """

    def __init__(self, send: Callable[[Sequence[TaskRecord]], object]) -> None:
        """Send by ``send``; an exception of it is logged, and the records stay unchanged."""
        self._send = send
        self.reset()
        os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        """Forget thread and records: after a fork both are the parent's."""
        self._gathering = Condition()
        self._waiting: list[TaskRecord] = []
        self._thread = ThreadPoolExecutor(1, "send-tasks")
        self._run: Future[None] | None = None

    def take(self, record: TaskRecord) -> bool:
        """Take a committed record; return False if too many wait or Python is ending."""
        with self._gathering:
            if len(self._waiting) >= MAX_WAITING:
                return False
            if self._run is None or self._run.done():
                try:
                    self._run = self._thread.submit(self._work)
                except RuntimeError:  # Python is ending
                    return False
            self._waiting.append(record)
            if len(self._waiting) == MAX_BATCH_MESSAGES:
                self._gathering.notify()
            return True

    def wait(self) -> None:
        """Wait until the records taken before have been sent, or could not be."""
        self._thread.submit(lambda: None).result()

    def _work(self) -> None:
        close_old_connections()
        try:
            while records := self._next():
                try:
                    self._send(records)
                except Exception:
                    logger.exception("%d tasks may not be sent: those still READY are sent later", len(records))
        finally:
            close_old_connections()

    def _next(self) -> list[TaskRecord]:
        with self._gathering:
            self._gathering.wait_for(lambda: len(self._waiting) >= MAX_BATCH_MESSAGES, GATHER_SECONDS)
            records, self._waiting = self._waiting, []
            if not records:
                self._run = None
            return records


sender = Sender(send_or_fall_back)


def _send_after_commit(records: Sequence[TaskRecord]) -> None:
    level = set(connection.savepoint_ids)
    for savepoint_ids, hook, *_ in reversed(connection.run_on_commit):
        if isinstance(hook, SendAfterCommit) and savepoint_ids == level:
            hook.records.extend(records)
            return
    hook = SendAfterCommit()
    hook.records.extend(records)
    transaction.on_commit(hook, robust=True)


def _hand_over(records: Sequence[TaskRecord]) -> bool:
    """Give a single record to the sender; return whether it took it.

    Several are a batch already. A FIFO queue's order and the sync fallback need the caller to wait,
    and a payload for S3 is too large to be kept in memory until its turn.
    """
    return (
        settings.TASK_SEND_IN_BACKGROUND
        and settings.TASK_FALLBACK == OUTBOX
        and len(records) == 1
        and not records[0].payload_key
        and not is_fifo()
        and sender.take(records[0])
    )


def _run_here(task_ids: Sequence[str]) -> None:
    if registered_steps() is None:
        logger.warning("%d tasks stay recorded: this process runs none itself", len(task_ids))
        return
    for task_id in task_ids:
        _run(task_id)


def _run(task_id: str) -> TaskRecord | None:
    # By a name that is put together: the packages of the functions follow imports, and must not contain the engine.
    ran: TaskRecord | None = import_module(f"{__package__}.without_queue").run_recorded(task_id)
    return ran


def _run_instead(record: TaskRecord) -> None:
    registered = registered_tasks().get(record.task)
    if record.due_at > timezone.now():
        logger.warning("task %s %s is not due yet: it stays recorded", record.task, record.pk)
    elif registered is None and record.workflow == RUN_TASK:
        logger.warning("task %s %s is not registered here: it stays recorded", record.task, record.pk)
    elif registered is None or not registered.runs_in_one_step:
        run_after_commit([record])
    else:
        called = run_inline(record, registered)
        if called is not None and called.exception is not None:
            logger.error("task %s %s failed here", record.task, record.pk, exc_info=called.exception)
