"""One task and its execution: page, downloads, actions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect as redirect_to
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import Right, action, actor_of, holds, page
from qu_workflows.console.formatting import number_in
from qu_workflows.console.graph import Drawing, GraphNotDrawn, draw, svg_of
from qu_workflows.console.masking import mask
from qu_workflows.console.pages.execution import ExecutionQuery, ExecutionShown, acts_mark_of, mark_of, shown
from qu_workflows.console.pages.state_entries import StateDetails, states_shown
from qu_workflows.console.responses import Page, is_htmx, json_file, problem, svg_file
from qu_workflows.executions import queries, services
from qu_workflows.executions.queries import MAX_REASON_LENGTH, ExecutionSnapshot
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.json_values import to_json
from qu_workflows.records.models import TaskRecord

# Poll number and seconds between polls: every 3 seconds in the first minutes, more rarely later.
_POLLS = ((60, 3), (120, 10))
_SLOWEST_SECONDS = 30


@page
def execution(request: HttpRequest, task_id: str) -> Page | HttpResponseBase:
    """Show a task and its execution."""
    record, query, now = _record(task_id), ExecutionQuery.of(request.GET), timezone.now()
    snapshot = queries.snapshot_of(record)
    mark = mark_of(record, snapshot, now)
    if is_htmx(request) and request.GET.get("seen") == mark:  # nothing new but the time
        response = render(request, "console/parts/execution_as_of.html", {"as_of": snapshot.as_of, "replaces": True})
        response["HX-Reswap"] = "none"
        return response
    data = shown(record, snapshot, query, now)
    if snapshot.history is not None and not snapshot.unanswered and not data.is_live:
        services.keep_sample(record, snapshot.history)
    function = _function(data.selected)
    if query.logs and function and data.selected:
        data = replace(data, log=_log(record, function, data.selected))
    acts_mark, polls = acts_mark_of(record, snapshot), number_in(request.GET.get("poll", "")) or 0
    poll = request.GET.dict() | query.parameters | {"seen": mark, "acts": acts_mark, "poll": str(polls + 1)}
    return Page(
        template="console/execution.html",
        part="console/parts/execution_update.html",
        title=f"{record.task} {record.pk}",
        data=data,
        context={
            "address": reverse("console:tasks-execution", args=[record.pk]),
            "query": query,
            "graph": _graph(snapshot, data, query, record),
            "has_log": bool(function),
            "may_redrive": holds(request, Right.REDRIVE),
            "may_stop": holds(request, Right.STOP),
            "max_reason": MAX_REASON_LENGTH,
            "acts_mark": acts_mark,
            "acts_seen": request.GET.get("acts", ""),
            "poll_query": urlencode(poll),
            "poll_seconds": next((seconds for most, seconds in _POLLS if polls < most), _SLOWEST_SECONDS),
        },
    )


@page
def graph_svg(request: HttpRequest, task_id: str) -> HttpResponseBase:  # noqa: ARG001  a view's signature
    """Return the graph as a file with its styles inside."""
    record = _record(task_id)
    snapshot = queries.snapshot_of(record)
    if snapshot.definition is None:
        raise Http404(_("There is no graph of this execution: its definition is not known."))
    states = states_shown(snapshot.history, timezone.now()) if snapshot.history else None
    try:
        svg = svg_of(snapshot.definition, Drawing(states, standalone=True, title=f"{record.task} {record.pk}"))
    except GraphNotDrawn as not_drawn:
        raise Http404(str(not_drawn)) from not_drawn
    return svg_file(svg, f"{record.workflow}-{record.pk}")


@page
def history_json(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Return the events and state entries of the history, masked, as a file."""
    record = _record(task_id)
    snapshot = queries.snapshot_of(record)
    if snapshot.history is None:
        return problem(request, 404, _("No history"), snapshot.unanswered)
    content = mask(to_json(snapshot.history)) | {
        "as_of": to_json(snapshot.as_of),
        "unanswered": mask(snapshot.unanswered),
    }
    return json_file(content, f"{record.workflow}-{record.pk}")


@action(Right.REDRIVE)
def redrive(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Redrive the execution. The token of the page makes a second click do nothing."""
    record = _record(task_id)
    with _refusals_shown(request):
        services.redrive_one(record, actor_of(request), request.POST.get("token", ""))
        messages.success(request, _("Redriven: it continues from where it failed."))
    return _redirect(record)


@action(Right.STOP)
def stop(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """End the execution as ABORTED; the reason becomes its cause."""
    record, reason = _record(task_id), request.POST.get("reason", "").strip()
    if 0 < len(reason) <= MAX_REASON_LENGTH:
        with _refusals_shown(request):
            services.stop_one(record, actor_of(request), reason)
            messages.success(request, _("Stopped."))
    else:
        refused = _("Nothing was stopped: give a reason of 1 to %(most)s characters.") % {"most": MAX_REASON_LENGTH}
        messages.error(request, refused)
    return _redirect(record)


@action(Right.REDRIVE)
def restart(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Run the task again as a new execution, and show that."""
    record = _record(task_id)
    with _refusals_shown(request):
        even_succeeded = bool(request.POST.get("even_succeeded"))
        record = services.restart_one(record, actor_of(request), even_succeeded=even_succeeded)
        messages.success(request, _("Restarted: this is the new attempt."))
    return _redirect(record)


@contextmanager
def _refusals_shown(request: HttpRequest) -> Iterator[None]:
    try:
        yield
    except services.AlreadyRedriven:
        messages.info(request, _("It was already redriven; a second click does nothing."))
    except OperationRefused as refused:
        messages.error(request, mask(_("Nothing was changed: %(why)s") % {"why": refused}))


def _redirect(record: TaskRecord) -> HttpResponseBase:
    """Redirect to a task's page, which then reads Step Functions again."""
    services.expire_snapshot(record)
    return redirect_to("console:tasks-execution", record.pk)


def _record(task_id: str) -> TaskRecord:
    try:
        return queries.find_record(task_id)
    except OperationRefused:
        raise Http404(_("There is no task %(id)s.") % {"id": task_id}) from None


def _graph(snapshot: ExecutionSnapshot, data: ExecutionShown, query: ExecutionQuery, record: TaskRecord) -> str:
    if snapshot.definition is None:
        return ""
    address = reverse("console:tasks-execution", args=[record.pk])
    kept = replace(query, state="", iteration=None, entry=None).parameters
    drawing = Drawing(
        states_shown(snapshot.history, timezone.now()) if snapshot.history else None,
        selected=data.selected.name if data.selected else None,
        href=lambda name: f"{address}?{urlencode(kept | {'state': name})}#state",
        title=_("Graph of the execution"),
    )
    return draw(snapshot.definition, drawing)


def _function(state: StateDetails | None) -> str:
    if state is None:
        return ""
    given = state.parameters
    return queries.function_of(state.resource, given if isinstance(given, str) or given is None else json.dumps(given))


def _log(record: TaskRecord, function: str, state: StateDetails) -> queries.StepLog | None:
    """Return the log lines of a state entry, masked."""
    if state.entered_at is None:
        return None
    found = queries.step_log(record.pk, function, state.entered_at, state.ended_at or timezone.now())
    lines = (replace(line, message=mask(line.message), details=mask(dict(line.details))) for line in found.lines)
    return replace(found, lines=tuple(lines))
