"""The outbox: what a transaction records is sent when it commits, and what was not sent stays to be sent later."""

import logging
from collections.abc import Sequence

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.registry import registered_tasks
from qu_workflows.tasks.running import run_inline
from qu_workflows.tasks.sender import Sender
from qu_workflows.tasks.sending import Sending, is_fifo, send
from qu_workflows.tasks.statements import mark_sent
from qu_workflows.tasks.without_queue import run_after_commit

OUTBOX, SYNC = "outbox", "sync"

logger = logging.getLogger(__name__)


class SendAfterCommit:
    """The hook of one savepoint level: it sends, in batches, what that level has recorded.

    Rolling a savepoint back drops its hook, and so exactly its own tasks.
    """

    def __init__(self) -> None:
        self.records: list[TaskRecord] = []

    def __call__(self) -> None:
        """Send the records; an error of AWS is recorded and logged, never raised."""
        send_or_fall_back(self.records)


def send_after_commit(records: Sequence[TaskRecord]) -> None:
    """Send records once the transaction commits; outside of one at once, a lone one from the sender's thread."""
    if not records:
        return
    if not connection.in_atomic_block:
        if not _hand_over(records):
            send_or_fall_back(records)
        return
    level = set(connection.savepoint_ids)
    for savepoint_ids, hook, *_ in reversed(connection.run_on_commit):
        if isinstance(hook, SendAfterCommit) and savepoint_ids == level:
            hook.records.extend(records)
            return
    hook = SendAfterCommit()
    hook.records.extend(records)
    transaction.on_commit(hook, robust=True)


def send_or_fall_back(records: Sequence[TaskRecord]) -> Sending:
    """Send records; do with those that could not be sent what TASK_FALLBACK says."""
    outcome = send_recorded(records)
    if outcome.failed:
        logger.warning(
            "%d of %d tasks not sent, they stay recorded: %s", len(outcome.failed), len(records), outcome.failed[0][1]
        )
        if settings.TASK_FALLBACK == SYNC:
            for record, _ in outcome.failed:
                _run_instead(record)
    return outcome


def send_recorded(records: Sequence[TaskRecord]) -> Sending:
    """Send records and record what became of it."""
    outcome = send(records)
    mark_sent(outcome.sent, timezone.now())
    for said in {said for _, said in outcome.failed}:
        failed = [record.pk for record, why in outcome.failed if why == said]
        TaskRecord.objects.filter(pk__in=failed).update(send_attempts=F("send_attempts") + 1, last_send_error=said)
    return outcome


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


def _run_instead(record: TaskRecord) -> None:
    registered = registered_tasks().get(record.task)
    if record.due_at > timezone.now():
        logger.warning("task %s %s is not due yet: it stays recorded", record.task, record.pk)
    elif registered is None:
        logger.warning("task %s %s is not registered here: it stays recorded", record.task, record.pk)
    elif not registered.runs_in_one_step:
        run_after_commit([record])
    else:
        attempt = run_inline(record, registered)
        if attempt is not None and attempt.exception is not None:
            logger.error("task %s %s failed here", record.task, record.pk, exc_info=attempt.exception)


sender = Sender(send_or_fall_back)
