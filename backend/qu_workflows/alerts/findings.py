"""What is older than it should be: task records by their status, dead letters, incidents that nobody acknowledged.

SQS tells the age of its oldest message to CloudWatch alone, so the age of a message is that of its task's
record; of messages without one there is only the count.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.apps import apps
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest

from qu_workflows.aws.queues import queue_depth
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus
from qu_workflows.records.running_since import running_since
from qu_workflows.tasks.requests import MAX_DELAY_SECONDS

MAX_EXAMPLES = 5
ESCALATION_TASK = "escalate_incident"
# The event that tells of an execution's time-out may come that much later.
EVENT_DELAY_SECONDS = 900


class Kind(StrEnum):
    """What can be stuck, the most urgent first."""

    UNACKNOWLEDGED = "unacknowledged"  # nobody has acknowledged an incident, and nobody is asked any more
    DEAD_LETTERS = "dead_letters"
    UNSENT = "unsent"
    UNSTARTED = "unstarted"  # sent, and no execution has begun
    RUNNING = "running"


@dataclass(frozen=True)
class Example:
    """One of those that are stuck. ``id`` is the task's."""

    id: str
    task: str
    since: datetime
    report_id: int | None = None


@dataclass(frozen=True)
class Finding:
    """How many are stuck, and the oldest of them. Of dead letters there is only the count."""

    count: int
    examples: tuple[Example, ...] = ()

    @property
    def oldest(self) -> datetime | None:
        """Since when the oldest one is stuck."""
        return self.examples[0].since if self.examples else None


@dataclass
class Seen:
    """What a look has found, by kind. ``unseen`` has, for what could not be looked at, what was said instead.

    ``waiting`` and ``in_flight`` count the messages of the task queue, None if that was not asked.
    """

    found: dict[Kind, Finding] = field(default_factory=dict)
    unseen: dict[Kind, str] = field(default_factory=dict)
    waiting: int | None = None
    in_flight: int | None = None


def look_at_records(now: datetime) -> dict[Kind, Finding]:
    """Return what the database knows of, without the kinds of which there is nothing."""
    looks: Mapping[Kind, QuerySet[TaskRecord]] = {
        Kind.UNACKNOWLEDGED: _unacknowledged(),
        Kind.UNSENT: _due_before(now, settings.STUCK_UNSENT_SECONDS, TaskStatus.READY),
        Kind.UNSTARTED: _due_before(now, settings.STUCK_UNSTARTED_SECONDS, TaskStatus.SENT),
        Kind.RUNNING: _running(now),
    }
    found = {kind: _finding(records) for kind, records in looks.items()}
    return {kind: finding for kind, finding in found.items() if finding.count}


def look_at_queues() -> Seen:
    """Return what SQS knows of. A queue that does not answer is in ``unseen`` and hides nothing of the other."""
    seen = Seen()
    if not settings.USE_ASYNC_TASKS:
        return seen
    try:
        if settings.AWS_SQS_DLQ_URL:
            depth = queue_depth(settings.AWS_SQS_DLQ_URL)
            dead = depth.visible + depth.in_flight
            if dead:
                seen.found[Kind.DEAD_LETTERS] = Finding(dead)
    except (BotoCoreError, ClientError) as error:
        seen.unseen[Kind.DEAD_LETTERS] = f"{type(error).__name__}: {error}"
    try:
        depth = queue_depth(settings.AWS_SQS_QUEUE_URL)
        seen.waiting, seen.in_flight = depth.visible, depth.in_flight
    except (BotoCoreError, ClientError):
        return seen  # the records tell what is stuck; the counts only go with them
    return seen


def _due_before(now: datetime, seconds: int, status: TaskStatus) -> QuerySet[TaskRecord]:
    """Return the records that have had a status for so long after they were due and, if they were, sent."""
    limit = now - timedelta(seconds=seconds)
    # A delay is not added up for each row: all that are delayed count as delayed for as long as can be.
    delayed = Q(delay_seconds=0) | Q(enqueued_at__lt=limit - timedelta(seconds=MAX_DELAY_SECONDS))
    due = Q(run_after__isnull=True) | Q(run_after__lt=limit)
    records = TaskRecord.objects.filter(delayed, due, status=status, enqueued_at__lt=limit)
    sent = Q(sent_at__isnull=True) | Q(sent_at__lt=limit)
    since = Greatest("enqueued_at", Coalesce("run_after", "enqueued_at"), Coalesce("sent_at", "enqueued_at"))
    return records.filter(sent).annotate(since=since)


def _running(now: datetime) -> QuerySet[TaskRecord]:
    """Return what runs for longer than it may, counted from its last redrive where that is in the audit table."""
    running = TaskRecord.objects.filter(status=TaskStatus.RUNNING)
    limits = {
        workflow: now - timedelta(seconds=max(settings.STUCK_RUNNING_SECONDS, seconds + EVENT_DELAY_SECONDS))
        for workflow, seconds in registered_project().timeout_seconds.items()
    }
    too_long = ~Q(workflow__in=limits) & Q(since__lt=now - timedelta(seconds=settings.STUCK_RUNNING_SECONDS))
    for workflow, limit in limits.items():
        too_long |= Q(workflow=workflow, since__lt=limit)
    return running.annotate(since=running_since()).filter(too_long)


def _unacknowledged() -> QuerySet[TaskRecord]:
    """Return the last escalation of each incident that nobody has acknowledged, if it did not succeed."""
    # By its name: this app knows no other's models, so that they may know its own.
    reports = apps.get_model("reports", "GuardReport")._default_manager
    open_reports = reports.filter(pk=OuterRef("subject_id"), acknowledged_at__isnull=True, is_active=True)
    escalations = TaskRecord.objects.filter(task=ESCALATION_TASK, subject_id__isnull=False)
    others = escalations.filter(subject_id=OuterRef("subject_id")).exclude(pk=OuterRef("pk"))
    later = others.filter(Q(enqueued_at__gt=OuterRef("enqueued_at")) | ~Q(status__in=UNSUCCESSFUL))
    ended = escalations.filter(Exists(open_reports), ~Exists(later), status__in=UNSUCCESSFUL)
    return ended.annotate(since=Coalesce(F("finished_at"), F("enqueued_at")))


def _finding(records: QuerySet[Any]) -> Finding:
    """Return the count of records that have ``since``, and the oldest of them."""
    oldest = records.order_by("since", "pk").values_list("pk", "task", "since", "subject_id")[:MAX_EXAMPLES]
    examples = tuple(Example(*row) for row in oldest)
    return Finding(len(examples) if len(examples) < MAX_EXAMPLES else records.count(), examples)
