"""One task and its execution: its page, its downloads, and what can be done with it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect as redirect_to
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.console.access import Right, action, actor_of, holds, page
from qu_workflows.console.formatting import number_in
from qu_workflows.console.graph import GraphNotDrawn, draw, svg_of
from qu_workflows.console.masking import mask
from qu_workflows.console.pages.execution import Asked, ExecutionShown, acts_mark_of, mark_of, shown
from qu_workflows.console.pages.execution_states import states_shown
from qu_workflows.console.responses import Page, is_htmx, json_file, problem, svg_file
from qu_workflows.executions.queries import (
    MAX_REASON_LENGTH,
    ExecutionSnapshot,
    StepLog,
    find_record,
    function_of,
    snapshot_of,
    step_log,
)
from qu_workflows.executions.services import (
    AlreadyRedriven,
    expire_snapshot,
    keep_sample,
    redrive_one,
    restart_one,
    stop_one,
)
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.json_values import to_json
from qu_workflows.records.models import TaskRecord

# A page asks every 3 seconds for its first minutes; whoever leaves it open has time.
_POLLS = ((60, 3), (120, 10))
_SLOWEST_SECONDS = 30


@page
def execution(request: HttpRequest, task_id: str) -> Page | HttpResponseBase:
    """Show a task: how it stands, its graph, one of its states in full, and its table, events or input and output."""
    record, asked, now = _record(task_id), Asked.of(request.GET), timezone.now()
    snapshot = snapshot_of(record)
    mark = mark_of(record, snapshot, now)
    if is_htmx(request) and request.GET.get("seen") == mark:
        return _nothing_new(request, snapshot)
    data = shown(record, snapshot, asked, now)
    if snapshot.history is not None and not snapshot.unanswered and not data.is_live:
        keep_sample(record, snapshot.history)
    if asked.logs:
        data = replace(data, log=_log(record, data))
    acts_mark, polls = acts_mark_of(record, snapshot), number_in(request.GET.get("poll", "")) or 0
    # The query by which the page asks whether there is anything new.
    poll = request.GET.dict() | asked.query | {"seen": mark, "acts": acts_mark, "poll": str(polls + 1)}
    return Page(
        template="console/execution.html",
        part="console/parts/execution_update.html",
        title=f"{record.task} {record.pk}",
        data=data,
        context={
            "address": reverse("console:tasks-execution", args=[record.pk]),
            "asked": asked,
            "graph": _graph(snapshot, data, asked, record),
            "has_log": bool(_function(data)),
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
    """Give the graph as a file of its own, with its styles inside."""
    record = _record(task_id)
    snapshot = snapshot_of(record)
    if snapshot.definition is None:
        raise Http404(_("There is no graph of this execution: its definition is not known."))
    states = states_shown(snapshot.history, timezone.now()) if snapshot.history else None
    try:
        svg = svg_of(snapshot.definition, states, standalone=True, title=f"{record.task} {record.pk}")
    except GraphNotDrawn as not_drawn:
        raise Http404(str(not_drawn)) from not_drawn
    return svg_file(svg, f"{record.workflow}-{record.pk}")


@page
def history_json(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Give the whole history as a file: events as Step Functions has them, masked, and the visits of states."""
    record = _record(task_id)
    snapshot = snapshot_of(record)
    if snapshot.history is None:
        return problem(request, 404, _("No history"), snapshot.unanswered)
    content = mask(to_json(snapshot.history)) | {
        "as_of": to_json(snapshot.as_of),
        "unanswered": mask(snapshot.unanswered),
    }
    return json_file(content, f"{record.workflow}-{record.pk}")


@action(Right.REDRIVE)
def redrive(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Let the execution go on where it failed; with the token of the page, so that a second click does nothing."""
    record = _record(task_id)
    with _refusals_shown(request):
        redrive_one(record, actor_of(request), request.POST.get("token", ""))
        messages.success(request, _("Redriven: it goes on where it failed."))
    return _shown(record)


@action(Right.STOP)
def stop(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """End the execution as ABORTED; the reason becomes its cause."""
    record, reason = _record(task_id), request.POST.get("reason", "").strip()
    if 0 < len(reason) <= MAX_REASON_LENGTH:
        with _refusals_shown(request):
            stop_one(record, actor_of(request), reason)
            messages.success(request, _("Stopped."))
    else:
        said = _("Nothing was stopped: say why, in 1 to %(most)s characters.") % {"most": MAX_REASON_LENGTH}
        messages.error(request, said)
    return _shown(record)


@action(Right.REDRIVE)
def restart(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """Run the task again as a new execution, one that succeeded only if that was ticked; show the new one."""
    record = _record(task_id)
    with _refusals_shown(request):
        record = restart_one(record, actor_of(request), even_succeeded=bool(request.POST.get("even_succeeded")))
        messages.success(request, _("Restarted: this is the new attempt."))
    return _shown(record)


@contextmanager
def _refusals_shown(request: HttpRequest) -> Iterator[None]:
    try:
        yield
    except AlreadyRedriven:
        messages.info(request, _("It was redriven already; a second click does nothing."))
    except OperationRefused as refused:
        messages.error(request, mask(_("Nothing was done: %(why)s") % {"why": refused}))


def _shown(record: TaskRecord) -> HttpResponseBase:
    """Return the way to a task's page, which asks Step Functions again."""
    expire_snapshot(record)
    return redirect_to("console:tasks-execution", record.pk)


def _record(task_id: str) -> TaskRecord:
    try:
        return find_record(task_id)
    except OperationRefused:
        raise Http404(_("There is no task %(id)s.") % {"id": task_id}) from None


def _nothing_new(request: HttpRequest, snapshot: ExecutionSnapshot) -> HttpResponse:
    """Answer htmx that all stays as it is but for the time at which that was true."""
    response = render(request, "console/parts/execution_as_of.html", {"as_of": snapshot.as_of, "replaces": True})
    response["HX-Reswap"] = "none"
    return response


def _graph(snapshot: ExecutionSnapshot, data: ExecutionShown, asked: Asked, record: TaskRecord) -> str:
    if snapshot.definition is None:
        return ""
    address = reverse("console:tasks-execution", args=[record.pk])
    kept = replace(asked, state="", iteration=None, visit=None).query
    return draw(
        snapshot.definition,
        states_shown(snapshot.history, timezone.now()) if snapshot.history else None,
        selected=data.selected.name if data.selected else None,
        href=lambda name: f"{address}?{urlencode(kept | {'state': name})}#state",
        title=_("Graph of the execution"),
    )


def _function(data: ExecutionShown) -> str:
    state = data.selected
    if state is None:
        return ""
    given = state.parameters
    return function_of(state.resource, given if isinstance(given, str) or given is None else json.dumps(given))


def _log(record: TaskRecord, data: ExecutionShown) -> StepLog | None:
    """Return the log lines of the state that is shown, masked."""
    function, state = _function(data), data.selected
    if state is None or state.entered_at is None or not function:
        return None
    found = step_log(record.pk, function, state.entered_at, state.ended_at or timezone.now())
    lines = (replace(line, message=mask(line.message), details=mask(dict(line.details))) for line in found.lines)
    return replace(found, lines=tuple(lines))
