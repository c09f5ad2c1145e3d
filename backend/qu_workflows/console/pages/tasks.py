"""The task list and its bulk actions: template contexts and signed orders.

An order is signed for the user who saw its preview, and has one batch id in the audit log.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from shlex import quote
from typing import Any, Self
from urllib.parse import parse_qsl

from django.core import signing
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from qu_workflows.console.access import Right
from qu_workflows.console.formatting import WORDS
from qu_workflows.console.hooks import Link, registered_hooks
from qu_workflows.console.masking import masked_row
from qu_workflows.console.pages.task_query import TaskQuery, read_query
from qu_workflows.executions import services
from qu_workflows.executions.queries import COUNTED, DIFFERENCE, MAX_REASON_LENGTH, TaskPage, values_of
from qu_workflows.executions.services import BulkAction, BulkPreview, BulkProgress, BulkSelection
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.audit import new_batch
from qu_workflows.records.models import TaskStatus

VALID_SECONDS = 2 * 3600
RIGHTS = {BulkAction.REDRIVE: Right.REDRIVE, BulkAction.RESTART: Right.REDRIVE, BulkAction.STOP: Right.STOP}
TITLES = {
    BulkAction.REDRIVE: gettext_lazy("Redrive executions"),
    BulkAction.RESTART: gettext_lazy("Restart tasks"),
    BulkAction.STOP: gettext_lazy("Stop executions"),
}
# Without the action's name, which is in the title.
_DIFFERENCE = {
    act: text.partition(": ")[2] for act, text in zip((BulkAction.REDRIVE, BulkAction.RESTART), DIFFERENCE, strict=True)
}
_PRESETS = (
    ("1h", gettext_lazy("Last hour")),
    ("24h", gettext_lazy("24 hours")),
    ("7d", gettext_lazy("7 days")),
    ("", gettext_lazy("Any time")),
)


@dataclass(frozen=True)
class BulkOrder:
    """An action and its tasks: the selected ``ids``, or without them those matching ``query``.

    ``as_of`` is the time of the preview; ``after``, ``done`` and ``failed`` are the progress.
    """

    act: str
    query: str
    ids: list[str]
    as_of: str
    batch: str
    reason: str = ""
    after: str = ""
    done: int = 0
    failed: int = 0

    @classmethod
    def asked(cls, act: BulkAction, given: QueryDict) -> Self:
        """Read the form of the list."""
        ids = [] if given.get("which") == "all" else list(dict.fromkeys(one for one in given.getlist("id") if one))
        query = read_query(given)
        pinned = query.pinned() if given.get("which") == "all" else query
        return cls(act, pinned.address(), ids, timezone.now().isoformat(), str(new_batch()))

    @classmethod
    def signed(cls, request: HttpRequest, act: BulkAction) -> Self:
        """Read the form of a preview. Raises BadSignature for another action or user."""
        order = cls(**signing.loads(request.POST.get("order", ""), salt=_salt(request), max_age=VALID_SECONDS))
        if order.act != act:
            raise signing.BadSignature(f"order for {order.act}")
        return order

    def sign(self, request: HttpRequest) -> str:
        """Return the order for a form."""
        return signing.dumps(asdict(self), salt=_salt(request), compress=True)

    @property
    def task_query(self) -> TaskQuery:
        """The filter of the list."""
        return read_query(QueryDict(self.query))

    def choice(self, which: str = "") -> BulkSelection:
        """Return the selected tasks. Raises OperationRefused for an invalid filter."""
        act, as_of = BulkAction(self.act), datetime.fromisoformat(self.as_of)
        if self.ids or which == "ticked":
            return BulkSelection(act, as_of, ids=self.ids)
        return BulkSelection(act, as_of, chosen=self.task_query.search())

    def after_portion(self, portion: BulkProgress, reason: str) -> Self:
        """Return the rest of the order."""
        done, failed = self.done + len(portion.done), self.failed + len(portion.failed) + len(portion.left_out)
        return replace(self, after=portion.after, done=done, failed=failed, reason=reason)


def form_context(query: TaskQuery) -> dict[str, Any]:
    """Return the context of the form of filters, by two queries."""
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
    """Return the context of the list around its rows."""
    hides = not any((query.texts["q"], query.texts["schedule"], *query.switches.values()))
    may_hide = not query.statuses or TaskStatus.SUCCEEDED in query.statuses
    address = query.address()
    return {
        "count": f"{found.count:,}",
        "counted": f"{COUNTED:,}",
        "searched": next(iter(query.meanings), None),
        "not_found": str(registered_hooks().search_texts.not_found) % {"text": query.texts["q"]},
        "others": [Link(other.label, _to(query.address(q=other.query))) for other in query.meanings[1:]],
        "presets": [
            Link(str(words), _to(query.address(since=since, until="")), query.texts["since"] == since)
            for since, words in _PRESETS
        ],
        "without": _without(query),
        "all_runs": _to(f"{address}&scheduled=1" if address else "scheduled=1") if hides and may_hide else "",
        # A search for a masked error would find nothing.
        "searchable": {row.error for row in found.rows if row.error == masked_row(row).error},
        "newer": _to(query.address(before=found.newer)) if found.newer else "",
        "older": _to(query.address(after=found.older)) if found.older else "",
        "newest": _to(address),
        "is_first": not (request.GET.get("before") or request.GET.get("after")),
        "json": f"{reverse('console:tasks-json')}?{request.GET.urlencode()}",
        "fields": parse_qsl(address),
    }


def preview_context(request: HttpRequest, order: BulkOrder, seen: BulkPreview | None) -> dict[str, Any]:
    """Return the context of a preview. ``seen`` is None if it was refused."""
    act = BulkAction(order.act)
    if seen is None:
        return {"back": _to(order.query)}
    return {
        "act": act.value,
        "back": _to(order.query),
        "reason": request.POST.get("reason", ""),
        "max_reason": MAX_REASON_LENGTH,
        "url": reverse(f"console:tasks-act-{act}"),
        "order": order.sign(request),
        "count": f"{seen.count:,}",
        "counted": f"{COUNTED:,}",
        "beside": f"{seen.fitting - seen.count:,}" if not seen.is_more and seen.fitting > seen.count else "",
        "unshown": f"{seen.count - len(seen.tasks):,}" if seen.count > len(seen.tasks) else "",
        "per_second": f"{services.PER_SECOND[act]:g}",
        "difference": _DIFFERENCE.get(act, ""),
        "shows_states": any(task.again for task in seen.tasks),
        "most_histories": services.HISTORIES_PREVIEWED,
        "command": _command(order) if seen.is_more else "",
    }


def acted_context(request: HttpRequest, left: BulkOrder, portion: BulkProgress) -> dict[str, Any]:
    """Return the context of a portion's page around its results."""
    rest = services.remaining(left.choice(), portion.after)
    return {
        "act": left.act,
        "url": reverse(f"console:tasks-act-{left.act}"),
        "order": left.sign(request) if rest else "",
        "goes_on": bool(rest) and not portion.halted,
        "rest": f"{rest:,}" if rest else "",
        "done": f"{left.done:,}",
        "failed": f"{left.failed:,}" if left.failed else "",
        "back": _to(left.query),
        "audit": f"{reverse('console:audit')}?batch={portion.batch}",
        "not_done": _by_reason(portion),
    }


def _by_reason(portion: BulkProgress) -> Sequence[tuple[str, Sequence[str]]]:
    """Return the reasons of failures, each with its task ids: many tasks often share one."""
    failures = [(result.task_id, result.message) for result in portion.failed]
    failures += [(one.task_id, f"{one.problem} {one.remedy}") for one in portion.left_out]
    reasons: dict[str, list[str]] = {}
    for task_id, reason in failures:
        arn, _colon, sentence = reason.partition(": ")
        reasons.setdefault(sentence if arn.startswith("arn:") else reason, []).append(task_id)
    return list(reasons.items())


def _command(order: BulkOrder) -> str:
    """Return the equivalent command, "" if it has no options for this filter."""
    chosen = order.task_query.search()
    has_no_option = chosen.id_begins or chosen.subject_ids is not None or chosen.redrivable
    errors = chosen.errors or ()
    if order.act == BulkAction.STOP or has_no_option or len(errors) > 1:
        return ""
    options = " ".join(f"{name} {value}" for name, value in chosen.options().items() if name != "--error")
    error = f" --error {quote(errors[0])}" if errors else ""
    return f"manage.py executions {order.act} {options}{error}"


def _without(query: TaskQuery) -> Sequence[Link]:
    """Return links to the list without one of its filters."""
    links = [Link(f"{name}: {value}", _to(query.address(**{name: ""}))) for name, value in query.texts.items() if value]
    if query.statuses or any(query.switches.values()):
        without = replace(query, statuses=(), switches=dict.fromkeys(query.switches, False))
        links.append(Link(_("statuses and switches"), _to(without.address())))
    return links


def _with(choices: Sequence[str], chosen: str) -> Sequence[str]:
    return choices if not chosen or chosen in choices else [*choices, chosen]


def _to(address: str) -> str:
    return f"{reverse('console:tasks')}?{address}" if address else reverse("console:tasks")


def _salt(request: HttpRequest) -> str:
    return f"console.bulk.{request.user.pk}"
