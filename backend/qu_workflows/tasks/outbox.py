"""The outbox: what a transaction records is sent when it commits, and what was not sent stays to be sent later.

A task enqueued alone outside a transaction leaves from a thread, so that its caller waits for the record alone.
Without a queue the recorded tasks are run after the commit instead.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Condition

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from qu_workflows.aws.queues import MAX_BATCH_MESSAGES, is_fifo
from qu_workflows.protocol.project import registered_runner
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.registry import registered_tasks
from qu_workflows.tasks.running import run_inline
from qu_workflows.tasks.sqs_sending import SendResult, send

OUTBOX, SYNC = "outbox", "sync"
GATHER_SECONDS = 0.01
MAX_WAITING = 100  # with more waiting, a caller sends by itself, and so enqueues no faster than SQS takes

# What a new record has; the database has defaults for the rest.
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

    On PostgreSQL by one parameter, however many they are: a third of the time that the ORM takes.
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
    """Send recorded tasks once the transaction commits; with USE_ASYNC_TASKS off, run them then."""
    if not records:
        return
    if not settings.USE_ASYNC_TASKS:
        run_after_commit(records)
    elif connection.in_atomic_block:
        _send_after_commit(records)
    elif not _hand_over(records):
        send_or_fall_back(records)


def run_after_commit(records: Sequence[TaskRecord]) -> None:
    """Run recorded tasks in this process once the transaction commits, or at once outside of one."""
    transaction.on_commit(partial(_run_here, [record.pk for record in records]), robust=True)


def send_or_fall_back(records: Sequence[TaskRecord]) -> SendResult:
    """Send records; do with those that could not be sent what TASK_FALLBACK says."""
    result = send(records)
    if result.failed:
        logger.warning(
            "%d of %d tasks not sent, they stay recorded: %s", len(result.failed), len(records), result.failed[0][1]
        )
        if settings.TASK_FALLBACK == SYNC:
            for record, _ in result.failed:
                _run_instead(record)
    return result


class SendAfterCommit:
    """The hook of one savepoint level: it sends, in batches, what that level has recorded.

    Rolling a savepoint back drops its hook, and so exactly its own tasks.
    """

    def __init__(self) -> None:
        self.records: list[TaskRecord] = []

    def __call__(self) -> None:
        """Send the records; an error of AWS is recorded and logged, never raised."""
        send_or_fall_back(self.records)


class Sender:
    """One thread, started with the first record, that sends what comes within a hundredth of a second together.

    Python waits for it before it ends. Nothing depends on it: a record that it has not marked as sent, since its
    process died, stays READY and is sent by ``resend_tasks``.
    """

    def __init__(self, send: Callable[[Sequence[TaskRecord]], object]) -> None:
        """Send by ``send``; what that raises is logged, and the records are left as they are."""
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
        """Take a committed record and return True; False when too many wait or the process is ending."""
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
        """Wait until what was taken before has been sent, or has failed to be."""
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
    """Give a lone record to the sender, if it takes it.

    Several are a batch already. The order of a FIFO queue and the sync fallback need the caller to wait,
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
    runner = registered_runner()
    if runner is None:
        logger.warning("%d tasks stay recorded: this process runs none itself", len(task_ids))
    else:
        runner.start(task_ids)


def _run_instead(record: TaskRecord) -> None:
    registered = registered_tasks().get(record.task)
    if record.due_at > timezone.now():
        logger.warning("task %s %s is not due yet: it stays recorded", record.task, record.pk)
    elif registered is None:
        logger.warning("task %s %s is not registered here: it stays recorded", record.task, record.pk)
    elif not registered.runs_in_one_step:
        run_after_commit([record])
    else:
        called = run_inline(record, registered)
        if called is not None and called.exception is not None:
            logger.error("task %s %s failed here", record.task, record.pk, exc_info=called.exception)
