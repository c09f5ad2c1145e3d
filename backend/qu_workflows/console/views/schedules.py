"""Schedules: their runs, and the actions pause, resume and run now."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import Right, action, actor_of, page
from qu_workflows.console.pages.schedules import ScheduleView, run_of, view_of
from qu_workflows.console.responses import Page
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.schedules import services
from qu_workflows.schedules.queries import deployed_state, deployed_states, find_schedule, runs_of, schedule_standings

RUNS = 50


@page
def schedule_list(request: HttpRequest) -> Page:  # noqa: ARG001  it shows all
    """Show every schedule with its next and last runs."""
    data = {"schedules": _views(registered_project().schedules)}
    return Page(template="console/schedules.html", title=_("Schedules"), data=data)


@page
def schedule(request: HttpRequest, name: str) -> Page:
    """Show one schedule as declared and as deployed, and its runs."""
    try:
        [view] = _views([find_schedule(name)])
        found, skipped = runs_of(name, RUNS, request.GET.get("page", ""))
    except OperationRefused as refused:
        raise Http404(str(refused)) from refused
    runs = [run_of(name, row, skipped.get(row.id, "")) for row in found.rows]
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
    now, known = timezone.now(), deployed_states()
    return [view_of(one, deployed_state(one.schedule.name, known), now) for one in schedule_standings(schedules, now)]


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
