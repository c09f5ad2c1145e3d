"""The choices, links and counts that the pages of the task list show beside their tasks."""

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from qu_workflows.console.formatting import WORDS
from qu_workflows.console.hooks import Link, registered_hooks
from qu_workflows.console.masking import masked_row
from qu_workflows.console.pages.bulk_actions import BulkOrder
from qu_workflows.console.pages.task_filters import TaskQuery
from qu_workflows.executions.queries import COUNTED, DIFFERENCE, MAX_REASON_LENGTH, TaskPage, values_of
from qu_workflows.executions.services import (
    HISTORIES_PREVIEWED,
    PER_SECOND,
    BulkAction,
    BulkPreview,
    BulkProgress,
    remaining,
)
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.models import TaskStatus

TITLES = {
    BulkAction.REDRIVE: gettext_lazy("Redrive executions"),
    BulkAction.RESTART: gettext_lazy("Restart tasks"),
    BulkAction.STOP: gettext_lazy("Stop executions"),
}
# The command names the act before it; the page has it in its title.
_DIFFERENCE = {
    act: text.partition(": ")[2] for act, text in zip((BulkAction.REDRIVE, BulkAction.RESTART), DIFFERENCE, strict=True)
}
_PRESETS = (
    ("1h", gettext_lazy("Last hour")),
    ("24h", gettext_lazy("24 hours")),
    ("7d", gettext_lazy("7 days")),
    ("", gettext_lazy("Any time")),
)


def form_context(query: TaskQuery) -> dict[str, Any]:
    """Return what the form of filters shows: two queries, for the names that there are."""
    tasks = {*registered_project().catalog, *values_of("task")}
    schedules = {*registered_project().schedules_by_name, *values_of("schedule")}
    return {
        "query": query,
        "workflows": _with(registered_project().workflows, query.texts["workflow"]),
        "tasks": _with(sorted(tasks), query.texts["task"]),
        "schedules": _with(sorted(schedules), query.texts["schedule"]),
        "statuses": [(value, WORDS[value], value in query.statuses) for value in TaskStatus.values],
    }


def found_context(request: HttpRequest, query: TaskQuery, found: TaskPage) -> dict[str, Any]:
    """Return what the list shows around its rows."""
    hides = not any((query.texts["q"], query.texts["schedule"], *query.switches.values()))
    may_hide = not query.statuses or TaskStatus.SUCCEEDED in query.statuses
    address = query.address()
    return {
        "count": number(found.count),
        "counted": number(COUNTED),
        "searched": query.meanings.taken,
        "not_found": str(registered_hooks().search_texts.not_found) % {"text": query.texts["q"]},
        "others": [Link(other.label, _to(query.address(q=other.query))) for other in query.meanings.others],
        "presets": [
            Link(str(words), _to(query.address(since=since, until="")), query.texts["since"] == since)
            for since, words in _PRESETS
        ],
        "without": _without(query),
        "all_runs": _to(f"{address}&scheduled=1" if address else "scheduled=1") if hides and may_hide else "",
        # A masked error is the name of none: to look for it would find nothing.
        "searchable": {row.error for row in found.rows if row.error == masked_row(row).error},
        "newer": _to(query.address(before=found.newer)) if found.newer else "",
        "older": _to(query.address(after=found.older)) if found.older else "",
        "newest": _to(address),
        "is_first": not (request.GET.get("before") or request.GET.get("after")),
        "json": f"{reverse('console:tasks-json')}?{request.GET.urlencode()}",
        "fields": _pairs(query),
    }


def preview_context(request: HttpRequest, order: BulkOrder, seen: BulkPreview | None) -> dict[str, Any]:
    """Return what a preview shows around its tasks."""
    act = BulkAction(order.act)
    shown: dict[str, Any] = {
        "act": act.value,
        "back": _to(order.query),
        "reason": request.POST.get("reason", ""),
        "max_reason": MAX_REASON_LENGTH,
    }
    if seen is None:
        return shown
    return shown | {
        "url": reverse(f"console:tasks-act-{act}"),
        "order": order.sign(request),
        "count": number(seen.count),
        "counted": number(COUNTED),
        "beside": number(seen.fitting - seen.count) if not seen.is_more and seen.fitting > seen.count else "",
        "unshown": number(seen.count - len(seen.tasks)) if seen.count > len(seen.tasks) else "",
        "per_second": f"{PER_SECOND[act]:g}",
        "difference": _DIFFERENCE.get(act, ""),
        "is_foretold": any(task.again for task in seen.tasks),
        "foretold": HISTORIES_PREVIEWED,
        "command": _command(order) if seen.is_more else "",
    }


def acted_context(request: HttpRequest, left: BulkOrder, portion: BulkProgress) -> dict[str, Any]:
    """Return what the page of a portion shows around what became of it."""
    rest = remaining(left.choice(), portion.after)
    return {
        "act": left.act,
        "url": reverse(f"console:tasks-act-{left.act}"),
        "order": left.sign(request) if rest else "",
        "goes_on": bool(rest) and not portion.halted,
        "rest": number(rest) if rest else "",
        "done": number(left.done),
        "failed": number(left.failed) if left.failed else "",
        "back": _to(left.query),
        "audit": f"{reverse('console:audit')}?batch={portion.batch}",
        "not_done": _by_reason(portion),
    }


def _by_reason(portion: BulkProgress) -> Sequence[tuple[str, Sequence[str]]]:
    """Return why something was not done, with the ids to which that happened: of many it is often one reason."""
    said = [(result.task_id, result.message) for result in portion.failed]
    said += [(one.task_id, f"{one.problem} {one.remedy}") for one in portion.left_out]
    reasons: dict[str, list[str]] = {}
    for task_id, reason in said:
        arn, _colon, sentence = reason.partition(": ")
        reasons.setdefault(sentence if arn.startswith("arn:") else reason, []).append(task_id)
    return list(reasons.items())


def number(count: int) -> str:
    """Return a number as people read it."""
    return f"{count:,}"


def _command(order: BulkOrder) -> str:
    """Return the command that does the same without an open page, "" where it has no such choice."""
    query = order.task_query
    chosen = query.search()
    is_said = not (chosen.id_begins or chosen.subject_ids is not None or chosen.redrivable)
    errors = chosen.errors or ()
    if order.act == BulkAction.STOP or not is_said or len(errors) > 1:
        return ""
    options = " ".join(f"{name} {value}" for name, value in chosen.options().items() if name != "--error")
    error = f" --error {quote(errors[0])}" if errors else ""
    return f"manage.py executions {order.act} {options}{error}"


def _without(query: TaskQuery) -> Sequence[Link]:
    """Return, for each filter, the link to the list without it."""
    links = [Link(f"{name}: {value}", _to(query.address(**{name: ""}))) for name, value in query.texts.items() if value]
    if query.statuses or any(query.switches.values()):
        without = replace(query, statuses=(), switches=dict.fromkeys(query.switches, False))
        links.append(Link(_("statuses and switches"), _to(without.address())))
    return links


def _pairs(query: TaskQuery) -> Sequence[tuple[str, str]]:
    return [(name, str(value)) for name, values in QueryDict(query.address()).lists() for value in values]


def _with(choices: Sequence[str], chosen: str) -> Sequence[str]:
    return choices if not chosen or chosen in choices else [*choices, chosen]


def _to(address: str) -> str:
    return f"{reverse('console:tasks')}?{address}" if address else reverse("console:tasks")
