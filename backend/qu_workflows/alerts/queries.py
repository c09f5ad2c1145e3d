"""Finds stuck tasks, dead letters, and what else the product registers.

SQS reports the age of its oldest message to CloudWatch only, so a message is as old as its task's record; messages
without a record are only counted.
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
from qu_workflows.aws.queues import MAX_DELAY_SECONDS, queue_depth, uses_queue
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.records.queries import running_since

MAX_EXAMPLES = 5
# The event of an execution's timeout may arrive this much later.
EVENT_DELAY_SECONDS = 900


@dataclass(frozen=True)
class Finding:
    """The count of a kind's stuck items and the oldest ones, if it has records."""

    count: int
    examples: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the finding as it is stored."""
        oldest = self.examples[0]["since"] if self.examples else None
        return {"count": self.count, "oldest": oldest, "examples": list(self.examples)}


@dataclass
class Stuck:
    """Findings by kind, and the AWS error of each kind that could not be read.

    ``waiting`` and ``in_flight`` count the messages of the task queue, None if they are not known.
    """

    found: dict[str, Finding] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    waiting: int | None = None
    in_flight: int | None = None


def alert_kinds() -> tuple[AlertKind, ...]:
    """Return the product's kinds and the platform's, the most urgent first."""
    return (*registered_hooks().kinds, DEAD_LETTERS, UNSENT, UNSTARTED, RUNNING)


def stuck_records(now: datetime) -> dict[str, Finding]:
    """Return the findings in the database, without kinds that have none."""
    found = {kind.name: _finding(kind.find(now)) for kind in alert_kinds() if kind.find}
    return {name: finding for name, finding in found.items() if finding.count}


def stuck_messages() -> Stuck:
    """Return the findings in SQS, and the queues that do not answer."""
    stuck = Stuck()
    if not uses_queue():
        return stuck
    try:
        if settings.AWS_SQS_DLQ_URL:
            depth = queue_depth(settings.AWS_SQS_DLQ_URL)
            if dead := depth.visible + depth.in_flight:
                stuck.found[DEAD_LETTERS.name] = Finding(dead)
    except (BotoCoreError, ClientError) as error:
        stuck.unread[DEAD_LETTERS.name] = f"{type(error).__name__}: {error}"
    try:
        depth = queue_depth(settings.AWS_SQS_QUEUE_URL)
        stuck.waiting, stuck.in_flight = depth.visible, depth.in_flight
    except (BotoCoreError, ClientError):
        pass  # the counts only accompany the records
    return stuck


def _due_before(now: datetime, seconds: int, status: TaskStatus) -> QuerySet[TaskRecord]:
    """Return records with a status that were due and sent over ``seconds`` ago."""
    limit = now - timedelta(seconds=seconds)
    # The delay is not added per row, which no index supports: every delayed task counts as delayed by the maximum.
    delayed = Q(delay_seconds=0) | Q(enqueued_at__lt=limit - timedelta(seconds=MAX_DELAY_SECONDS))
    due = Q(run_after__isnull=True) | Q(run_after__lt=limit)
    records = TaskRecord.objects.filter(delayed, due, status=status, enqueued_at__lt=limit)
    sent = Q(sent_at__isnull=True) | Q(sent_at__lt=limit)
    since = Greatest("enqueued_at", Coalesce("run_after", "enqueued_at"), Coalesce("sent_at", "enqueued_at"))
    return records.filter(sent).annotate(since=since)


def _running(now: datetime) -> QuerySet[TaskRecord]:
    """Return executions that exceed their limit, measured from their last audited redrive."""
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
    """Return the finding of records annotated with ``since``."""
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
        "Messages that could not be dispatched, or tasks whose delivery failed. The list shows the reason of each. SQS "
        "deletes them 14 days after they were sent: fix the reason, then move them back to the task queue."
    ),
    look=("manage.py dlq list",),
    fix=lambda _id: ("manage.py dlq redrive --all",),
)
UNSENT = AlertKind(
    name="unsent",
    heading=gettext_lazy("Unsent tasks"),
    title=lambda count: ngettext("%(count)s unsent task", "%(count)s unsent tasks", count),
    why=gettext_lazy(
        "They are recorded in the database, and sending is retried every minute. The record has the last answer of SQS."
    ),
    look=("manage.py executions list --status READY",),
    fix=lambda _id: ("manage.py resend_tasks",),
    find=lambda now: _due_before(now, settings.STUCK_UNSENT_SECONDS, TaskStatus.READY),
    needs_yes=False,
)
UNSTARTED = AlertKind(
    name="unstarted",
    heading=gettext_lazy("Tasks that were sent but have not started"),
    title=lambda count: ngettext(
        "%(count)s task that was sent but has not started",
        "%(count)s tasks that were sent but have not started",
        count,
    ),
    why=gettext_lazy(
        "Their messages are in the queue, or are dead letters. If many are waiting, check that the dispatcher runs."
    ),
    look=("manage.py executions list --status SENT", "manage.py dlq list"),
    fix=lambda task_id: (f"manage.py executions show {task_id}", "manage.py dlq redrive --all"),
    find=lambda now: _due_before(now, settings.STUCK_UNSTARTED_SECONDS, TaskStatus.SENT),
)
RUNNING = AlertKind(
    name="running",
    heading=gettext_lazy("Executions that have run for too long"),
    title=lambda count: ngettext(
        "%(count)s execution that has run for too long", "%(count)s executions that have run for too long", count
    ),
    why=gettext_lazy(
        "They have exceeded the timeout of their state machine, or the event of their end was lost. "
        "Look at one of them, and stop it if it makes no progress."
    ),
    look=("manage.py executions list --status RUNNING",),
    fix=lambda task_id: (
        f"manage.py executions show {task_id}",
        f'manage.py executions stop {task_id} --reason "{_("makes no progress")}"',
    ),
    find=_running,
)
