"""The queries of the overview: queues, waiting and running tasks, the outcomes of a day, redrivable failures.

One query for each fact. SQS and EventBridge Scheduler are asked beside the queries, see ``qu_workflows.caching``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, DateTimeField, Exists, F, Func, Min, OuterRef, Value
from django.db.models.functions import Coalesce, TruncHour

from qu_workflows.caching import Cached
from qu_workflows.dead_letters import queries as dead_letter_queries
from qu_workflows.dead_letters.queries import DeadLetterList, QueueDepth
from qu_workflows.executions.queries import REDRIVABLE_DAYS, StepStatistics, redrivable, step_statistics
from qu_workflows.records.models import Alert, TaskRecord, TaskStatus
from qu_workflows.schedules import queries as schedule_queries
from qu_workflows.schedules.queries import DeployedSchedule

HOURS = 24
SAMPLES_OF_WORKFLOW = 100
SLOWEST_STEPS = 10
# A page waits so long for AWS, beside its own queries.
WAIT_SECONDS = 1.0
_UNENDED = (TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING)
_NEEDING_HELP = (TaskStatus.FAILED, TaskStatus.TIMED_OUT)  # who stopped an execution knows of it


@dataclass(frozen=True)
class Standing:
    """The number of records with an open status, and the oldest one's time."""

    status: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True)
class HourCount:
    """A workflow's tasks recorded in the hour from then on, counted by status."""

    hour: datetime
    workflow: str
    status: str
    count: int


@dataclass(frozen=True)
class RedrivableGroup:
    """Failed executions of one error that AWS still redrives and that were not restarted.

    ``first_failed_at`` is when the oldest of them failed, ``redrivable_until`` when it no longer is redrivable.
    """

    workflow: str
    error: str
    count: int
    first_failed_at: datetime
    redrivable_until: datetime


@dataclass(frozen=True)
class AwsAnswers:
    """The answers of AWS: both queues, the dead letters' reasons, the schedules' states."""

    queue: Cached[QueueDepth]
    dead_letters: Cached[QueueDepth]
    reasons: Cached[DeadLetterList]
    schedules: Cached[Mapping[str, DeployedSchedule]]


def ask_aws() -> None:
    """Have AWS be asked, while the caller does something else."""
    if settings.USE_ASYNC_TASKS:
        dead_letter_queries.refresh_depths()
        schedule_queries.refresh_deployed_states()


def aws_answers(wait_seconds: float = WAIT_SECONDS) -> AwsAnswers:
    """Return what AWS said, waiting at most so long for all of it. Nothing at all where tasks run without a queue."""
    if not settings.USE_ASYNC_TASKS:
        return AwsAnswers(Cached(), Cached(), Cached(), Cached())
    until = monotonic() + wait_seconds
    queue, dead_letters = dead_letter_queries.depths(wait_seconds)
    reasons = Cached[DeadLetterList]()
    if dead_letters.value is not None and dead_letters.value.total:
        reasons = dead_letter_queries.summary(dead_letters.value.total, until - monotonic())
    return AwsAnswers(queue, dead_letters, reasons, schedule_queries.deployed_states(until - monotonic()))


def standings() -> dict[str, Standing]:
    """Return how many tasks are recorded, sent and running, each with its oldest."""
    oldest = Min(Coalesce("started_at", "sent_at", "enqueued_at"))
    counted = TaskRecord.objects.filter(status__in=_UNENDED).order_by().values("status")
    found = {
        row["status"]: Standing(row["status"], row["count"], row["oldest"])
        for row in counted.annotate(count=Count("*"), oldest=oldest)
    }
    return {status.value: found.get(status.value, Standing(status.value, 0, None)) for status in _UNENDED}


def day_begins(now: datetime) -> datetime:
    """Return when the day that is shown begins: with the full hour 23 before this one."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def hour_counts(now: datetime) -> list[HourCount]:
    """Return the statuses of the tasks recorded in the last 24 hours, this one included, by hour and workflow.

    PostgreSQL cuts by ``date_bin``, in a third of the time that TruncHour takes with its zone.
    """
    begins = day_begins(now)
    hour: Func = TruncHour("enqueued_at", tzinfo=now.tzinfo)
    if connection.vendor == "postgresql":
        width, at = Value(timedelta(hours=1)), F("enqueued_at")
        hour = Func(width, at, Value(begins), function="date_bin", output_field=DateTimeField())
    recorded = TaskRecord.objects.filter(enqueued_at__gte=begins).order_by().annotate(hour=hour)
    rows = recorded.values("hour", "workflow", "status").annotate(count=Count("*"))
    return [HourCount(row["hour"].astimezone(now.tzinfo), row["workflow"], row["status"], row["count"]) for row in rows]


def redrivable_groups(now: datetime) -> list[RedrivableGroup]:
    """Return the failures that wait for a person, those first that can soonest be redriven no more."""
    attempts = TaskRecord.objects.exclude(attempt_of="")
    later = attempts.filter(attempt_of=OuterRef("attempt_of"), enqueued_at__gt=OuterRef("enqueued_at"))
    failed = TaskRecord.objects.filter(redrivable(now), status__in=_NEEDING_HELP).exclude(
        pk__in=attempts.values("attempt_of")
    )
    groups = failed.filter(~Exists(later)).order_by().values("workflow", "error")
    counted = groups.annotate(count=Count("*"), first=Min("finished_at"))
    return [_group(row) for row in counted.order_by("first", "workflow", "error")]


def slowest_steps(limit: int = SLOWEST_STEPS) -> list[StepStatistics]:
    """Return the states that do work and take longest by their p95; those that wait or only contain others aside."""
    works = [
        step
        for step in step_statistics(samples=SAMPLES_OF_WORKFLOW)
        if step.kind == "Task" and not step.waits and step.p95_seconds is not None
    ]
    return sorted(works, key=lambda step: step.p95_seconds or 0.0, reverse=True)[:limit]


def open_alert() -> Alert | None:
    """Return the alert that is open, if one is."""
    return Alert.objects.filter(closed_at__isnull=True).first()


def by_status(counts: Sequence[HourCount], key: str) -> dict[Any, dict[str, int]]:
    """Add counts up by status for each value of a field: ``hour`` or ``workflow``."""
    added: dict[Any, dict[str, int]] = {}
    for each in counts:
        of_key = added.setdefault(getattr(each, key), {})
        of_key[each.status] = of_key.get(each.status, 0) + each.count
    return added


def _group(row: Mapping[str, Any]) -> RedrivableGroup:
    until = row["first"] + timedelta(days=REDRIVABLE_DAYS)
    return RedrivableGroup(row["workflow"], row["error"], row["count"], row["first"], until)
