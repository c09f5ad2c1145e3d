"""Sends what never left: recorded, but neither sent nor run."""

import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from qu_workflows.protocol.project import registered_runner
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.sqs_sending import queue_holds_until, send

# Rows locked, and messages in the air, at a time.
CHUNK_SIZE = 100
OLDER_THAN_SECONDS = 60  # younger ones may be on their way at this very moment
# One run of the send_outbox schedule: it ends before the next one begins.
OUTBOX_SECONDS = 40
OUTBOX_LIMIT = 10_000


@dataclass
class Resending:
    """The numbers of records sent and failed, with the first error."""

    sent: int = 0
    failed: int = 0
    first_error: str = ""


def resendable(older_than_seconds: float) -> QuerySet[TaskRecord]:
    """Return the records that should have left by now, the oldest first.

    One whose time has not come is left out, unless SQS can hold it until then or there is a role to
    schedule it with.
    """
    now = timezone.now()
    ready = TaskRecord.objects.filter(
        status=TaskStatus.READY, enqueued_at__lte=now - timedelta(seconds=older_than_seconds)
    )
    if not settings.AWS_SCHEDULER_ROLE_ARN:
        ready = ready.filter(Q(run_after__isnull=True) | Q(run_after__lte=queue_holds_until(now)))
    return ready.order_by("enqueued_at", "id")


def send_outbox() -> dict[str, Any]:
    """Send what never left, as much as one run of the schedule has time for: ``{"sent", "failed", "first_error"}``.

    What could not be sent raises nothing: it stays recorded for the next run, and ``watch_stuck`` reports it once
    it is too old. Without a queue the tasks are run here, where the process can. Several runs may do so at once.
    """
    deadline = time.monotonic() + OUTBOX_SECONDS
    if settings.USE_ASYNC_TASKS:
        return asdict(resend(OLDER_THAN_SECONDS, OUTBOX_LIMIT, deadline))
    runner = registered_runner()
    if runner is None:  # the packages of the functions contain no engine: the tasks stay recorded
        return asdict(Resending())
    done = runner.run_due(OLDER_THAN_SECONDS, OUTBOX_LIMIT, deadline)
    return asdict(Resending(done.succeeded + len(done.waiting), done.failed, done.first_error))


def resend(older_than_seconds: float, limit: int | None = None, deadline: float = float("inf")) -> Resending:
    """Send those records and say how it went. Several may do so at once: a record is sent by one of them.

    Stops at the first chunk of which nothing could be sent because the rest would fare no better: AWS was not
    reached, say. Records that are refused for what they are do not keep back those after them. Begins no chunk
    after ``deadline`` (of ``time.monotonic``).
    """
    done = Resending()
    after: tuple[datetime, str] | None = None
    while (limit is None or done.sent + done.failed < limit) and time.monotonic() < deadline:
        size = CHUNK_SIZE if limit is None else min(CHUNK_SIZE, limit - done.sent - done.failed)
        with transaction.atomic():
            chunk = list(_locked(_after(resendable(older_than_seconds), after)[:size]))
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


def _after(records: QuerySet[TaskRecord], key: tuple[datetime, str] | None) -> QuerySet[TaskRecord]:
    if key is None:
        return records
    return records.filter(Q(enqueued_at__gt=key[0]) | Q(enqueued_at=key[0], id__gt=key[1]))


def _locked(records: QuerySet[TaskRecord]) -> QuerySet[TaskRecord]:
    if connection.features.has_select_for_update_skip_locked:
        return records.select_for_update(skip_locked=True)
    return records
