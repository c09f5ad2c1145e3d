"""The overview page: problems that need action, the current status, and the last 24 hours."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, DateTimeField, Exists, F, Func, Min, OuterRef, Value
from django.db.models.functions import Coalesce, TruncHour
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from qu_workflows.alerts.queries import RUNNING, UNSENT, UNSTARTED
from qu_workflows.caching import Cached
from qu_workflows.console.charts import bars as charts
from qu_workflows.console.formatting import duration
from qu_workflows.console.hooks import Need, registered_hooks
from qu_workflows.console.masking import mask
from qu_workflows.console.pages.dead_letters import REASONS
from qu_workflows.dead_letters import queries as dead_letter_queries
from qu_workflows.dead_letters.queries import DeadLetterList, QueueDepth, uses_queue
from qu_workflows.executions.queries import REDRIVABLE_DAYS, StepStatistics, redrivable, step_statistics
from qu_workflows.records.models import UNSUCCESSFUL, Alert, TaskRecord, TaskStatus
from qu_workflows.schedules import queries as schedule_queries
from qu_workflows.schedules.queries import DeployedSchedule, DeployedState

HOURS = 24
_WAIT_SECONDS = 1.0  # for AWS, while the database is queried
_SAMPLES_OF_WORKFLOW = 100
_SLOWEST_STEPS = 10
_MOST_GROUPS = 5
_MOST_REASONS = 3
_UNENDED = (TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING)
_STUCK = {
    UNSENT.name: (gettext_lazy("recorded and never sent"), "status=READY"),
    UNSTARTED.name: (gettext_lazy("sent, without an execution"), "status=SENT"),
    RUNNING.name: (gettext_lazy("running for too long"), "status=RUNNING"),
}


@dataclass(frozen=True)
class Standing:
    """The number of tasks with an open status, and the time of the oldest."""

    status: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True)
class Queues:
    """Queued messages and open tasks. Depths are None if SQS never answered."""

    is_used: bool
    queue: QueueDepth | None
    dead_letters: QueueDepth | None
    as_of: datetime | None
    unanswered: str
    recorded: Standing
    sent: Standing
    running: Standing


@dataclass(frozen=True)
class Now:
    """The current status. ``unknown`` has a sentence for each service that did not answer."""

    at: datetime
    needs: Sequence[Need]
    queues: Queues
    unknown: Sequence[str]


@dataclass(frozen=True)
class HourCount:
    """The tasks of a workflow with a status, recorded in one hour."""

    hour: datetime
    workflow: str
    status: str
    count: int


@dataclass(frozen=True)
class WorkflowDay:
    """The tasks of a workflow in one day. ``error_rate`` is of those that ended."""

    workflow: str
    counts: Mapping[str, int]
    total: int
    ended: int
    error_rate: float | None


@dataclass(frozen=True)
class OverviewDay:
    """The last 24 hours, and the slowest steps of the newest samples."""

    begins: datetime
    hours: Sequence[HourCount]
    workflows: Sequence[WorkflowDay]
    total: WorkflowDay
    steps: Sequence[StepStatistics]


@dataclass(frozen=True)
class _AwsAnswers:
    """The answers of SQS and EventBridge Scheduler; empty for tasks without a queue."""

    queue: Cached[QueueDepth]
    dead_letters: Cached[QueueDepth]
    reasons: Cached[DeadLetterList]
    schedules: Cached[Mapping[str, DeployedSchedule]]


def now_of(now: datetime) -> Now:
    """Return the current status, by five queries, waiting one second for AWS."""
    if uses_queue():
        dead_letter_queries.refresh_depths()
    if settings.USE_ASYNC_TASKS:
        schedule_queries.refresh_deployed_states()
    standings = _standings()
    first = [*registered_hooks().needs(), *_of_alert(Alert.objects.filter(closed_at__isnull=True).first())]
    failures = list(_of_failures(now))
    answers = _aws_answers()
    needs = [*first, *_of_dead_letters(answers), *failures, *_of_schedules(answers)]
    needs.sort(key=lambda need: need.level != "error")  # stable within a level
    queues = Queues(
        is_used=uses_queue(),
        queue=answers.queue.value,
        dead_letters=answers.dead_letters.value,
        as_of=answers.queue.as_of,
        unanswered=answers.queue.unanswered or answers.dead_letters.unanswered,
        recorded=standings[TaskStatus.READY],
        sent=standings[TaskStatus.SENT],
        running=standings[TaskStatus.RUNNING],
    )
    return Now(now, needs, queues, _unknown(answers))


def day_of(now: datetime) -> OverviewDay:
    """Return the last 24 hours up to the current one, by two queries."""
    begins = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    hours = _hour_counts(begins)
    of_workflows = _by_status(hours, "workflow")
    workflows = [_workflow_day(workflow, of_workflows[workflow]) for workflow in sorted(of_workflows)]
    together = sum((Counter(counts) for counts in of_workflows.values()), Counter[str]())
    return OverviewDay(begins, hours, workflows, _workflow_day("", together), _slowest_steps())


def charts_of(day: OverviewDay) -> dict[str, Any]:
    """Return the charts of a day for the templates."""
    of_hours = _by_status(day.hours, "hour")
    begins = [day.begins + timedelta(hours=number) for number in range(HOURS)]
    counts: list[tuple[str, Mapping[str, int]]] = [
        (f"{timezone.localtime(at):%H:%M}", of_hours.get(at, {})) for at in begins
    ]
    steps = [(one.state, one.workflow, one.p50_seconds or 0.0, one.p95_seconds or 0.0) for one in day.steps]
    statuses = charts.statuses_in([each.counts for each in day.workflows])
    return {
        "hours": charts.columns(counts, _description(day.total)),
        "shares": [charts.shares(each.workflow, each.counts) for each in day.workflows],
        "legend": charts.legend(statuses),
        "statuses": statuses,
        "workflow_rows": [(each, [each.counts.get(status, 0) for status in statuses]) for each in day.workflows],
        "ranges": charts.ranges(steps),
    }


def _description(total: WorkflowDay) -> str:
    bad = sum(total.counts.get(status, 0) for status in UNSUCCESSFUL)
    words = _("%(total)s tasks were recorded in the last 24 hours; %(ended)s ended, %(bad)s of them without success.")
    return words % {"total": f"{total.total:,}", "ended": f"{total.ended:,}", "bad": f"{bad:,}"}


def _workflow_day(workflow: str, counts: Mapping[str, int]) -> WorkflowDay:
    bad = sum(counts.get(status, 0) for status in UNSUCCESSFUL)
    ended = bad + counts.get(TaskStatus.SUCCEEDED, 0)
    return WorkflowDay(workflow, dict(counts), sum(counts.values()), ended, bad / ended if ended else None)


def _by_status(counts: Sequence[HourCount], key: str) -> dict[Any, Counter[str]]:
    """Add up counts by status for each ``hour`` or ``workflow``."""
    added: dict[Any, Counter[str]] = {}
    for each in counts:
        added.setdefault(getattr(each, key), Counter())[each.status] += each.count
    return added


def _aws_answers() -> _AwsAnswers:
    if not settings.USE_ASYNC_TASKS:
        return _AwsAnswers(Cached(), Cached(), Cached(), Cached())
    if not uses_queue():
        return _AwsAnswers(Cached(), Cached(), Cached(), schedule_queries.deployed_states(_WAIT_SECONDS))
    until = monotonic() + _WAIT_SECONDS
    queue, dead_letters = dead_letter_queries.depths(_WAIT_SECONDS)
    reasons = Cached[DeadLetterList]()
    if dead_letters.value is not None and dead_letters.value.total:
        reasons = dead_letter_queries.summary(dead_letters.value.total, until - monotonic())
    return _AwsAnswers(queue, dead_letters, reasons, schedule_queries.deployed_states(until - monotonic()))


def _unknown(answers: _AwsAnswers) -> list[str]:
    states = answers.schedules.value or {}
    schedules = next((one.why for one in states.values() if one.state == "unknown"), "")
    reasons = [answers.queue.unanswered, answers.dead_letters.unanswered, answers.reasons.unanswered]
    return list(dict.fromkeys(filter(None, [*reasons, answers.schedules.unanswered or schedules])))


def _standings() -> dict[str, Standing]:
    oldest = Min(Coalesce("started_at", "sent_at", "enqueued_at"))
    counted = TaskRecord.objects.filter(status__in=_UNENDED).order_by().values("status")
    found = {
        row["status"]: Standing(row["status"], row["count"], row["oldest"])
        for row in counted.annotate(count=Count("*"), oldest=oldest)
    }
    return {status.value: found.get(status.value, Standing(status.value, 0, None)) for status in _UNENDED}


def _hour_counts(begins: datetime) -> list[HourCount]:
    zone = begins.tzinfo
    hour: Func = TruncHour("enqueued_at", tzinfo=zone)
    if connection.vendor == "postgresql":  # date_bin takes a third of the time of TruncHour with a zone
        width, at = Value(timedelta(hours=1)), F("enqueued_at")
        hour = Func(width, at, Value(begins), function="date_bin", output_field=DateTimeField())
    recorded = TaskRecord.objects.filter(enqueued_at__gte=begins).order_by().annotate(hour=hour)
    rows = recorded.values("hour", "workflow", "status").annotate(count=Count("*"))
    return [HourCount(row["hour"].astimezone(zone), row["workflow"], row["status"], row["count"]) for row in rows]


def _slowest_steps() -> list[StepStatistics]:
    """Return the slowest Task states by p95, without those that wait for a callback."""
    works = [
        step
        for step in step_statistics(samples=_SAMPLES_OF_WORKFLOW)
        if step.kind == "Task" and not step.waits and step.p95_seconds is not None
    ]
    return sorted(works, key=lambda step: step.p95_seconds or 0.0, reverse=True)[:_SLOWEST_STEPS]


def _of_alert(alert: Alert | None) -> Iterator[Need]:
    """Yield the stuck tasks of an open alert."""
    for kind, (words, query) in _STUCK.items():
        found = (alert.findings if alert else {}).get(kind, {})
        count = found.get("count", 0)
        if alert and count:
            what = ngettext("%(count)s task %(how)s", "%(count)s tasks %(how)s", count) % {"count": count, "how": words}
            was_sent = alert.mailed_at is not None
            why = _("An alert is open, and its mail was sent.") if was_sent else _("An alert is open.")
            url = f"{reverse('console:tasks')}?{query}&scheduled=1"
            oldest = parse_datetime(found.get("oldest") or "")
            yield Need(f"stuck_{kind}", "error", count, what, why, url, _("See the tasks"), since=oldest)


def _of_dead_letters(answers: _AwsAnswers) -> Iterator[Need]:
    count = answers.dead_letters.value.total if answers.dead_letters.value else 0
    if not count:
        return
    what = ngettext("%(count)s dead letter", "%(count)s dead letters", count) % {"count": count}
    found = answers.reasons.value
    reasons = found.by_reason().most_common(_MOST_REASONS) if found else []
    why = ", ".join(f"{number:,} {REASONS.get(reason, reason)}" for reason, number in reasons)
    oldest = min((letter.sent_at for letter in found.letters), default=None) if found else None
    url, do = reverse("console:dead_letters"), _("See why, redrive or purge")
    yield Need("dead_letters", "error", count, what, why or _("The reasons are not known yet."), url, do, since=oldest)


def _redrivable_groups(now: datetime) -> Iterable[Mapping[str, Any]]:
    """Return redrivable failures that were not restarted, by workflow and error, oldest first.

    Aborted executions are left out: a user has stopped them.
    """
    attempts = TaskRecord.objects.exclude(attempt_of="")
    later = attempts.filter(attempt_of=OuterRef("attempt_of"), enqueued_at__gt=OuterRef("enqueued_at"))
    failed = TaskRecord.objects.filter(redrivable(now), status__in=(TaskStatus.FAILED, TaskStatus.TIMED_OUT))
    alone = failed.exclude(pk__in=attempts.values("attempt_of")).filter(~Exists(later))
    groups = alone.order_by().values("workflow", "error").annotate(count=Count("*"), first=Min("finished_at"))
    return groups.order_by("first", "workflow", "error")


def _of_failures(now: datetime) -> Iterator[Need]:
    groups = list(_redrivable_groups(now))
    for group in groups[:_MOST_GROUPS]:
        yield _of_group(group, now)
    rest = sum(group["count"] for group in groups[_MOST_GROUPS:])
    if rest:
        what = ngettext(
            "%(count)s more failed execution can be redriven", "%(count)s more failed executions can be redriven", rest
        ) % {"count": rest}
        url = f"{reverse('console:tasks')}?redrivable=1"
        until = groups[_MOST_GROUPS]["first"] + timedelta(days=REDRIVABLE_DAYS)
        yield Need("redrivable", "error", rest, what, _("They have other errors."), url, _("See all"), until=until)


def _of_group(group: Mapping[str, Any], now: datetime) -> Need:
    workflow, count, first = group["workflow"], group["count"], group["first"]
    what = ngettext(
        "%(count)s failed execution of %(workflow)s can be redriven",
        "%(count)s failed executions of %(workflow)s can be redriven",
        count,
    ) % {"count": count, "workflow": workflow}
    until = first + timedelta(days=REDRIVABLE_DAYS)
    error = mask(group["error"]) or _("No error given")
    why = _("%(error)s. The oldest can be redriven for another %(left)s.") % {
        "error": error,
        "left": duration((until - now).total_seconds()),
    }
    query = {"workflow": workflow, "redrivable": "1"}
    query |= {"q": f"error:{error}"} if group["error"] == error else {}
    url = f"{reverse('console:tasks')}?{urlencode(query)}"
    return Need("redrivable", "error", count, what, why, url, _("See and redrive"), since=first, until=until)


def _of_schedules(answers: _AwsAnswers) -> Iterator[Need]:
    states = answers.schedules.value or {}
    for name in (name for name, deployed in states.items() if deployed.state is DeployedState.PAUSED):
        what = _("The schedule %(name)s is paused") % {"name": name}
        why = _("It does not run until it is resumed. Missed runs are not repeated.")
        yield Need("paused", "warning", 1, what, why, reverse("console:schedules-one", args=[name]), _("Resume it"))
