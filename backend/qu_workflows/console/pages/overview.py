"""The overview page: problems that need action, current status, the last day."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from qu_workflows.alerts.queries import RUNNING, UNSENT, UNSTARTED
from qu_workflows.console.charts import bars as charts
from qu_workflows.console.formatting import duration
from qu_workflows.console.hooks import Need, registered_hooks
from qu_workflows.console.masking import mask
from qu_workflows.console.pages import overview_queries as overview
from qu_workflows.console.pages.dead_letters import REASONS
from qu_workflows.console.pages.overview_queries import AwsAnswers, HourCount, RedrivableGroup, Standing
from qu_workflows.dead_letters.queries import QueueDepth
from qu_workflows.executions.queries import StepStatistics
from qu_workflows.records.models import UNSUCCESSFUL, Alert, TaskStatus
from qu_workflows.schedules.queries import DeployedState

_MOST_GROUPS = 5
_MOST_REASONS = 3
_STUCK = {
    UNSENT.name: (gettext_lazy("recorded and never sent"), "status=READY"),
    UNSTARTED.name: (gettext_lazy("sent, and no execution has begun"), "status=SENT"),
    RUNNING.name: (gettext_lazy("running for too long"), "status=RUNNING"),
}


@dataclass(frozen=True)
class Queues:
    """The queued messages. Counts are None if SQS never answered; ``unanswered`` is the reason.

    SQS tells the age of its oldest message to CloudWatch alone: ``sent.oldest`` is when the oldest task was sent of
    which no execution has begun.
    """

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
class WorkflowDay:
    """The outcomes of a workflow's tasks in one day. ``error_rate`` is of those that ended, None if none has."""

    workflow: str
    counts: Mapping[str, int]
    total: int
    ended: int
    error_rate: float | None


@dataclass(frozen=True)
class OverviewDay:
    """The last 24 hours by hour and workflow, and all together; ``steps`` are the slowest, of the newest samples."""

    begins: datetime
    hours: Sequence[HourCount]
    workflows: Sequence[WorkflowDay]
    total: WorkflowDay
    steps: Sequence[StepStatistics]


def now_of(now: datetime) -> Now:
    """Return what is true at this moment: by five queries, while AWS answers within a second."""
    overview.ask_aws()
    standings = overview.standings()
    first = [*registered_hooks().needs(), *_of_alert(overview.open_alert())]
    failures = list(_of_failures(overview.redrivable_groups(now), now))
    seen = overview.aws_answers()
    needs = [*first, *_of_dead_letters(seen), *failures, *_of_schedules(seen)]
    needs.sort(key=lambda need: need.level != "error")  # stable: within a level as above
    return Now(now, needs, _queues(seen, standings), _unknown(seen))


def day_of(now: datetime) -> OverviewDay:
    """Return the last day: by two queries."""
    hours = overview.hour_counts(now)
    of_workflows = overview.by_status(hours, "workflow")
    workflows = [_workflow_day(workflow, of_workflows[workflow]) for workflow in sorted(of_workflows)]
    together = sum((Counter(counts) for counts in of_workflows.values()), Counter[str]())
    return OverviewDay(
        overview.day_begins(now), hours, workflows, _workflow_day("", together), overview.slowest_steps()
    )


def charts_of(day: OverviewDay) -> dict[str, Any]:
    """Return the day's charts for the templates."""
    of_hours = overview.by_status(day.hours, "hour")
    begins = [day.begins + timedelta(hours=number) for number in range(overview.HOURS)]
    counts = [(f"{timezone.localtime(at):%H:%M}", of_hours.get(at, {})) for at in begins]
    steps = [(one.state, one.workflow, one.p50_seconds or 0.0, one.p95_seconds or 0.0) for one in day.steps]
    statuses = charts.statuses_in([each.counts for each in day.workflows])
    return {
        "hours": charts.columns(counts, _hours_in_words(day)),
        "shares": [charts.shares(each.workflow, each.counts) for each in day.workflows],
        "legend": charts.legend(statuses),
        "statuses": statuses,
        "workflow_rows": [(each, [each.counts.get(status, 0) for status in statuses]) for each in day.workflows],
        "ranges": charts.ranges(steps),
    }


def _hours_in_words(day: OverviewDay) -> str:
    total = day.total
    bad = sum(total.counts.get(status, 0) for status in UNSUCCESSFUL)
    words = _(
        "%(total)s tasks were recorded in the last 24 hours; %(ended)s have ended, %(bad)s of them without success."
    )
    return words % {"total": f"{total.total:,}", "ended": f"{total.ended:,}", "bad": f"{bad:,}"}


def _workflow_day(workflow: str, counts: Mapping[str, int]) -> WorkflowDay:
    bad = sum(counts.get(status, 0) for status in UNSUCCESSFUL)
    ended = bad + counts.get(TaskStatus.SUCCEEDED, 0)
    return WorkflowDay(workflow, dict(counts), sum(counts.values()), ended, bad / ended if ended else None)


def _queues(seen: AwsAnswers, standings: Mapping[str, Standing]) -> Queues:
    return Queues(
        is_used=settings.USE_ASYNC_TASKS,
        queue=seen.queue.value,
        dead_letters=seen.dead_letters.value,
        as_of=seen.queue.as_of,
        unanswered=seen.queue.unanswered or seen.dead_letters.unanswered,
        recorded=standings[TaskStatus.READY],
        sent=standings[TaskStatus.SENT],
        running=standings[TaskStatus.RUNNING],
    )


def _unknown(seen: AwsAnswers) -> list[str]:
    states = seen.schedules.value or {}
    schedules = next((one.why for one in states.values() if one.state == "unknown"), "")
    said = [seen.queue.unanswered, seen.dead_letters.unanswered, seen.reasons.unanswered]
    return list(dict.fromkeys(filter(None, [*said, seen.schedules.unanswered or schedules])))


def _of_alert(alert: Alert | None) -> Iterator[Need]:
    """Yield what an open alert is about; its dead letters and incidents have needs of their own."""
    for kind, (words, query) in _STUCK.items():
        found = (alert.findings if alert else {}).get(kind, {})
        count = found.get("count", 0)
        if count:
            what = ngettext("%(count)s task %(how)s", "%(count)s tasks %(how)s", count) % {"count": count, "how": words}
            url = f"{reverse('console:tasks')}?{query}&scheduled=1"
            oldest = parse_datetime(found.get("oldest") or "")
            why = (
                _("An alert is open, and operations were notified.")
                if alert and alert.mailed_at
                else _("An alert is open.")
            )
            yield Need(f"stuck_{kind}", "error", count, what, why, url, _("See the tasks"), since=oldest)


def _of_dead_letters(seen: AwsAnswers) -> Iterator[Need]:
    count = seen.dead_letters.value.total if seen.dead_letters.value else 0
    if not count:
        return
    what = ngettext("%(count)s dead letter", "%(count)s dead letters", count) % {"count": count}
    found = seen.reasons.value
    reasons = found.by_reason().most_common(_MOST_REASONS) if found else []
    why = ", ".join(f"{number:,} {REASONS.get(reason, reason)}" for reason, number in reasons)
    oldest = min((letter.sent_at for letter in found.letters), default=None) if found else None
    url, do = reverse("console:dead_letters"), _("See why, redrive or purge")
    yield Need("dead_letters", "error", count, what, why or _("Why is not known yet."), url, do, since=oldest)


def _of_failures(groups: Sequence[RedrivableGroup], now: datetime) -> Iterator[Need]:
    for group in groups[:_MOST_GROUPS]:
        yield _of_group(group, now)
    rest = sum(group.count for group in groups[_MOST_GROUPS:])
    if rest:
        what = ngettext(
            "%(count)s more failed execution can be redriven", "%(count)s more failed executions can be redriven", rest
        ) % {"count": rest}
        url = f"{reverse('console:tasks')}?redrivable=1"
        why = _("Of other errors.")
        until = groups[_MOST_GROUPS].redrivable_until
        yield Need("redrivable", "error", rest, what, why, url, _("See all"), until=until)


def _of_group(group: RedrivableGroup, now: datetime) -> Need:
    what = ngettext(
        "%(count)s failed execution of %(workflow)s can be redriven",
        "%(count)s failed executions of %(workflow)s can be redriven",
        group.count,
    ) % {"count": group.count, "workflow": group.workflow}
    left = duration((group.redrivable_until - now).total_seconds())
    error = mask(group.error) or _("No error given")
    why = _("%(error)s. The first of them for %(left)s more.") % {"error": error, "left": left}
    query = {"workflow": group.workflow, "redrivable": "1"}
    query |= {"q": f"error:{group.error}"} if group.error == error else {}
    url = f"{reverse('console:tasks')}?{urlencode(query)}"
    do = _("See and redrive")
    return Need(
        "redrivable",
        "error",
        group.count,
        what,
        why,
        url,
        do,
        since=group.first_failed_at,
        until=group.redrivable_until,
    )


def _of_schedules(seen: AwsAnswers) -> Iterator[Need]:
    states = seen.schedules.value or {}
    for name in (name for name, deployed in states.items() if deployed.state is DeployedState.PAUSED):
        what = _("The schedule %(name)s is paused") % {"name": name}
        why = _("It does not run until it is resumed; the runs that it misses are not made up for.")
        yield Need("paused", "warning", 1, what, why, reverse("console:schedules-one", args=[name]), _("Resume it"))
