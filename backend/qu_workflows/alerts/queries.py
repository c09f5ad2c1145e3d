"""Finds what is older than it should be: task records by their status, dead letters, and the product's own kinds.

SQS reports the age of its oldest message to CloudWatch alone, so the age of a message is that of its task's
record; of messages without one there is only the count.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from qu_workflows.alerts.hooks import AlertKind, registered_hooks
from qu_workflows.aws.queues import MAX_DELAY_SECONDS, queue_depth
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.records.running_since import running_since

MAX_EXAMPLES = 5
# The event for an execution's time-out may arrive that much later.
EVENT_DELAY_SECONDS = 900


@dataclass(frozen=True)
class Finding:
    """The number of stuck items, and the oldest ones with their task's ``id``.

    Dead letters have only a count.
    """

    count: int
    examples: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the finding as it is stored; ``oldest`` is since when the oldest one is stuck."""
        oldest = self.examples[0]["since"] if self.examples else None
        return {"count": self.count, "oldest": oldest, "examples": list(self.examples)}


@dataclass
class Stuck:
    """Findings by kind. ``unknown`` has the AWS error of each kind that could not be read.

    ``waiting`` and ``in_flight`` count the messages of the task queue, None if that was not asked.
    """

    found: dict[str, Finding] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    waiting: int | None = None
    in_flight: int | None = None


def alert_kinds() -> tuple[AlertKind, ...]:
    """Return the product's kinds and the platform's, the most urgent first."""
    return (*registered_hooks().kinds, DEAD_LETTERS, UNSENT, UNSTARTED, RUNNING)


def stuck_records(now: datetime) -> dict[str, Finding]:
    """Return what the database knows of, without the kinds of which there is nothing."""
    found = {kind.name: _finding(kind.find(now)) for kind in alert_kinds() if kind.find}
    return {name: finding for name, finding in found.items() if finding.count}


def stuck_messages() -> Stuck:
    """Return what SQS knows of. A queue that does not answer is in ``unknown`` and hides nothing of the other."""
    stuck = Stuck()
    if not settings.USE_ASYNC_TASKS:
        return stuck
    try:
        if settings.AWS_SQS_DLQ_URL:
            depth = queue_depth(settings.AWS_SQS_DLQ_URL)
            dead = depth.visible + depth.in_flight
            if dead:
                stuck.found[DEAD_LETTERS.name] = Finding(dead)
    except (BotoCoreError, ClientError) as error:
        stuck.unknown[DEAD_LETTERS.name] = f"{type(error).__name__}: {error}"
    try:
        depth = queue_depth(settings.AWS_SQS_QUEUE_URL)
        stuck.waiting, stuck.in_flight = depth.visible, depth.in_flight
    except (BotoCoreError, ClientError):
        return stuck  # the records show what is stuck; the counts only go with them
    return stuck


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


def _finding(records: QuerySet[Any]) -> Finding:
    """Return the count of records that have ``since``, and the oldest of them."""
    oldest = records.order_by("since", "pk").values_list("pk", "task", "since", "subject_id")[:MAX_EXAMPLES]
    examples = tuple(
        {"id": pk, "task": task, "since": since.isoformat(), "subject_id": subject_id}
        for pk, task, since, subject_id in oldest
    )
    return Finding(len(examples) if len(examples) < MAX_EXAMPLES else records.count(), examples)


DEAD_LETTERS = AlertKind(
    name="dead_letters",
    heading=gettext_lazy("Dead letters"),
    title=lambda count: ngettext("%(count)s dead letter", "%(count)s dead letters", count),
    why=gettext_lazy(
        "Messages that could not be dispatched, or tasks whose delivery failed. The list says why. They are lost "
        "14 days after they were sent; fix the reason, then move them back."
    ),
    look=("manage.py dlq list",),
    fix=lambda _id: ("manage.py dlq redrive --all",),
)
UNSENT = AlertKind(
    name="unsent",
    heading=gettext_lazy("Tasks that were not sent"),
    title=lambda count: ngettext("%(count)s task that was not sent", "%(count)s tasks that were not sent", count),
    why=gettext_lazy(
        "They are recorded in the database and are tried again each minute. The record says what SQS answered last."
    ),
    look=("manage.py executions list --status READY",),
    fix=lambda _id: ("manage.py resend_tasks",),
    find=lambda now: _due_before(now, settings.STUCK_UNSENT_SECONDS, TaskStatus.READY),
    needs_yes=False,
)
UNSTARTED = AlertKind(
    name="unstarted",
    heading=gettext_lazy("Tasks that were sent and have not begun"),
    title=lambda count: ngettext(
        "%(count)s task that was sent and has not begun", "%(count)s tasks that were sent and have not begun", count
    ),
    why=gettext_lazy(
        "Their messages wait in the queue, or have become dead letters. If many wait, see whether the dispatcher runs."
    ),
    look=("manage.py executions list --status SENT", "manage.py dlq list"),
    fix=lambda task_id: (f"manage.py executions show {task_id}", "manage.py dlq redrive --all"),
    find=lambda now: _due_before(now, settings.STUCK_UNSTARTED_SECONDS, TaskStatus.SENT),
)
RUNNING = AlertKind(
    name="running",
    heading=gettext_lazy("Executions that run too long"),
    title=lambda count: ngettext(
        "%(count)s execution that runs too long", "%(count)s executions that run too long", count
    ),
    why=gettext_lazy(
        "They run for longer than their state machine lets them, or the event of their end was lost. "
        "Look at one, and stop it if it does nothing any more."
    ),
    look=("manage.py executions list --status RUNNING",),
    fix=lambda task_id: (
        f"manage.py executions show {task_id}",
        f'manage.py executions stop {task_id} --reason "{_("does nothing any more")}"',
    ),
    find=_running,
)
