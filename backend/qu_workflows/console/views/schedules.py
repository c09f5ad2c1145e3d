"""Schedules: their runs, and the actions pause, resume and run now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import Right, action, actor_of, page
from qu_workflows.console.masking import mask
from qu_workflows.console.pages.schedule_wording import in_words
from qu_workflows.console.responses import Page
from qu_workflows.executions.queries import TaskRow, row_of
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.protocol.schedule import Overlap, Schedule
from qu_workflows.schedules import queries, services
from qu_workflows.schedules.queries import DeployedSchedule, Difference, ScheduleStanding

RUNS = 50


@dataclass(frozen=True)
class ScheduleRun:
    """One run of a schedule. ``skipped`` is the reason, "" if it ran."""

    task_id: str
    status: str
    began_at: datetime
    seconds: float | None
    error: str
    skipped: str
    is_by_hand: bool


@dataclass(frozen=True)
class ScheduleView:
    """One schedule. ``next_runs`` are in its time zone; ``state`` is that of the deployed one."""

    name: str
    description: str
    task: str
    payload: Any
    expression: str
    words: str
    time_zone: str
    window_minutes: int
    skips_overlap: bool
    start_deadline_seconds: int | None
    problems: Sequence[str]
    state: str
    state_why: str
    state_changed_at: datetime | None
    differences: Sequence[Difference]
    next_runs: Sequence[datetime]
    last_runs: Sequence[ScheduleRun]

    @property
    def coming(self) -> list[tuple[str, str]]:
        """The next runs as ISO 8601 and as text, in the schedule's time zone."""
        return [(moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S %Z}") for moment in self.next_runs]


@page
def schedule_list(request: HttpRequest) -> Page:  # noqa: ARG001  it shows all
    """Show every schedule with its next and last runs."""
    data = {"schedules": _views(registered_project().schedules)}
    return Page(template="console/schedules.html", title=_("Schedules"), data=data)


@page
def schedule(request: HttpRequest, name: str) -> Page:
    """Show one schedule as declared and as deployed, and its runs."""
    try:
        [view] = _views([queries.find_schedule(name)])
        found, skipped = queries.runs_of(name, RUNS, request.GET.get("page", ""))
    except OperationRefused as refused:
        raise Http404(str(refused)) from refused
    runs = [_run_of(name, row, skipped.get(row.id, "")) for row in found.rows]
    data = {"schedule": view, "runs": runs, "next_page": found.older}
    context = {"why_not_now": services.why_not_run_now(name) or ""}
    return Page(template="console/schedule.html", title=name, data=data, context=context)


@action(Right.SCHEDULE)
def pause(request: HttpRequest, name: str) -> HttpResponseBase:
    """Pause a schedule."""
    return _act(request, name, services.pause)


@action(Right.SCHEDULE)
def resume(request: HttpRequest, name: str) -> HttpResponseBase:
    """Resume a paused schedule."""
    return _act(request, name, services.resume)


@action(Right.SCHEDULE)
def run(request: HttpRequest, name: str) -> HttpResponseBase:
    """Run a schedule's task now, once."""
    return _act(request, name, _run)


def _views(schedules: tuple[Schedule, ...] | list[Schedule]) -> list[ScheduleView]:
    now, known = timezone.now(), queries.deployed_states()
    return [
        _view(one, queries.deployed_state(one.schedule.name, known), now)
        for one in queries.schedule_standings(schedules, now)
    ]


def _act(request: HttpRequest, name: str, act: Callable[[str, str], str]) -> HttpResponseBase:
    try:
        messages.success(request, act(name, actor_of(request)))
    except OperationRefused as refused:
        messages.error(request, str(refused))
        if name not in registered_project().schedules_by_name:
            return redirect("console:schedules")
    return redirect("console:schedules-one", name)


def _run(name: str, actor: str) -> str:
    record = services.run_now(name, actor)
    return _("%(name)s runs now as task %(task_id)s.") % {"name": name, "task_id": record.pk}


def _view(standing: ScheduleStanding, deployed: DeployedSchedule, now: datetime) -> ScheduleView:
    """Return a schedule for its page, masked."""
    schedule = standing.schedule
    zone = ZoneInfo("UTC" if standing.problems else schedule.time_zone)
    return ScheduleView(
        name=schedule.name,
        description=schedule.description,
        task=schedule.task,
        payload=mask(dict(schedule.payload)),
        expression=schedule.expression,
        words=in_words(schedule.expression),
        time_zone=schedule.time_zone,
        window_minutes=schedule.flexible_window_minutes,
        skips_overlap=schedule.overlap is Overlap.SKIP,
        start_deadline_seconds=schedule.start_deadline_seconds,
        problems=list(standing.problems),
        state=deployed.state,
        state_why=deployed.why,
        state_changed_at=deployed.changed_at,
        differences=[
            Difference(one.what, str(mask(one.declared)), str(mask(one.deployed))) for one in deployed.differences
        ],
        next_runs=[moment.astimezone(zone) for moment in standing.next_runs],
        last_runs=[
            _run_of(schedule.name, row_of(record, now), queries.reason_skipped(record.result) or "")
            for record in standing.last_runs
        ],
    )


def _run_of(name: str, row: TaskRow, skipped: str) -> ScheduleRun:
    """Return a task as the run of a schedule."""
    return ScheduleRun(
        task_id=row.id,
        status=row.status,
        began_at=row.started_at or row.enqueued_at,
        seconds=row.seconds,
        error=mask(row.error),
        skipped=skipped,
        is_by_hand=not row.id.startswith(f"{name}-") or bool(row.attempt_of),
    )
