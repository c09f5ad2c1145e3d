"""The list of tasks, and actions on many of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from qu_workflows.console.access import Endpoint, action, actor_of, page, refusal_of
from qu_workflows.console.masking import mask, masked_row
from qu_workflows.console.pages import tasks as pages
from qu_workflows.console.pages.task_query import read_query, refusal_text
from qu_workflows.console.pages.tasks import BulkOrder
from qu_workflows.console.responses import Page, is_htmx, problem
from qu_workflows.executions.queries import search_tasks
from qu_workflows.executions.services import BulkAction, preview_bulk, run_bulk
from qu_workflows.protocol.refusals import OperationRefused


@page
def task_list(request: HttpRequest) -> Page:
    """Show a page of the tasks that match the filters."""
    query = read_query(request.GET)
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    try:
        found = search_tasks(query.search(), before=before, after=after)
    except OperationRefused as refused:
        text = refusal_text(refused)
        context = pages.form_context(query) | {"problem": text}
        return _list_page({"detail": text}, context, status=200 if is_htmx(request) else 400)
    data = {
        "tasks": [masked_row(row) for row in found.rows],
        "count": found.count,
        "is_more": found.is_more,
        "newer": found.newer,
        "older": found.older,
        "read_as": query.meanings[0].query if query.meanings else "",
    }
    return _list_page(data, pages.form_context(query) | pages.found_context(request, query, found))


@page
def preview(request: HttpRequest) -> Page | HttpResponseBase:
    """Preview an action on the selected tasks, or on all that match the filter."""
    try:
        act = BulkAction(request.GET.get("act", ""))
    except ValueError:
        return problem(
            request, 400, _("Unknown action"), _("There is no such action."), _("Start at the list of tasks.")
        )
    order = BulkOrder.asked(act, request.GET)
    return refusal_of(request, pages.RIGHTS[act]) or _preview(request, order, request.GET.get("which", "ticked"))


def bulk(act: BulkAction) -> Endpoint:
    """Make the view that runs an action on the next portion of its preview."""
    return action(pages.RIGHTS[act])(lambda request: _act(request, act))


def _list_page(data: Mapping[str, Any], context: Mapping[str, Any], status: int = 200) -> Page:
    return Page(
        template="console/tasks.html",
        part="console/parts/tasks_found.html",
        title=_("Tasks"),
        data=data,
        context=context,
        status=status,
    )


def _preview(request: HttpRequest, order: BulkOrder, which: str = "", refused: str = "") -> Page:
    try:
        seen = preview_bulk(order.choice(which))
        seen = replace(
            seen,
            tasks=[replace(one, task=masked_row(one.task)) for one in seen.tasks],
            left_out=[replace(one, problem=mask(one.problem)) for one in seen.left_out],
        )
    except OperationRefused as refusal:
        seen, refused = None, refusal_text(refusal)
    return Page(
        template="console/tasks_preview.html",
        title=str(pages.TITLES[BulkAction(order.act)]),
        data=seen,
        context=pages.preview_context(request, order, seen) | {"problem": refused},
        status=400 if refused else 200,
    )


def _act(request: HttpRequest, act: BulkAction) -> Page | HttpResponseBase:
    try:
        order = BulkOrder.signed(request, act)
    except BadSignature:
        sentence = _("This form has expired or belongs to another user. Nothing was changed.")
        return problem(request, 400, _("Form expired"), sentence, _("Start at the list of tasks."))
    reason = order.reason or request.POST.get("reason", "")
    try:
        portion = run_bulk(order.choice(), actor_of(request), reason=reason, after=order.after, batch=UUID(order.batch))
    except OperationRefused as refused:
        return _preview(request, order, refused=refusal_text(refused))
    left = order.after_portion(portion, reason)
    return Page(
        template="console/tasks_acted.html",
        part="console/parts/tasks_portion.html",
        title=str(pages.TITLES[act]),
        data=portion,
        context=pages.acted_context(request, left, portion),
    )
