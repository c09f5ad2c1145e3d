"""Dead letters for their pages: masked messages, reasons, and results of actions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from qu_workflows.caching import Cached
from qu_workflows.console.formatting import number_in
from qu_workflows.console.masking import mask
from qu_workflows.dead_letters.queries import (
    ALREADY_STARTED,
    CAN_BE_DISPATCHED,
    RAN_IN_PROCESS,
    DeadLetter,
    DeadLetterList,
    Selection,
)
from qu_workflows.dead_letters.services import DEFAULT_PER_SECOND, DeadLetterResult

ROWS = 100
REASONS = {
    CAN_BE_DISPATCHED: gettext_lazy("Can be dispatched now"),
    ALREADY_STARTED: gettext_lazy("Already started"),
    RAN_IN_PROCESS: gettext_lazy("Ran in the web process"),
    "NotJson": gettext_lazy("Not a JSON object"),
    "NoTask": gettext_lazy("No task name"),
    "UnknownTask": gettext_lazy("Unknown task"),
    "UnknownSchedule": gettext_lazy("Unknown schedule"),
    "ScheduledTimeMissing": gettext_lazy("No scheduled time"),
    "PayloadDoesNotFit": gettext_lazy("Invalid payload"),
    "PayloadTooLarge": gettext_lazy("Payload too large"),
}
_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class ReasonCount:
    """The number of messages with a reason."""

    reason: str
    count: int


@dataclass(frozen=True)
class DeadLetterPage:
    """The list. ``total`` is SQS's approximate number of messages, None if unknown.

    ``count`` messages match the filter; ``rows`` start at ``start``.
    """

    total: int | None
    read: int
    is_complete: bool
    held_by_others: int
    as_of: datetime | None
    unanswered: str
    task: str
    reason: str
    reasons: Sequence[ReasonCount]
    tasks: Sequence[str]
    count: int
    start: int
    rows: Sequence[DeadLetter]


@dataclass(frozen=True)
class Choice:
    """The messages to act on, by ``ids``, or the whole queue."""

    ids: tuple[str, ...]
    is_everything: bool
    per_second: int

    def among(self, seen: Cached[DeadLetterList]) -> list[DeadLetter]:
        """Return the chosen messages of a snapshot."""
        return [letter for letter in _letters(seen) if self.is_everything or letter.message_id in self.ids]


def page_of(seen: Cached[DeadLetterList], query: QueryDict) -> DeadLetterPage:
    """Return the list for the ``task``, ``reason`` and ``start`` of an address."""
    letters, found, task = _letters(seen), seen.value, query.get("task", "")
    chosen = _chosen(seen, query)
    start = min(number_in(query.get("start", "")) or 0, len(chosen))
    return DeadLetterPage(
        total=found.approximate_total if found else None,
        read=len(letters),
        is_complete=bool(found and found.is_complete),
        held_by_others=found.held_by_others if found else 0,
        as_of=seen.as_of,
        unanswered=seen.unanswered,
        task=task,
        reason=query.get("reason", ""),
        reasons=counts_of(letter for letter in letters if Selection(task=task).has(letter)),
        tasks=sorted({letter.task for letter in letters if letter.task}),
        count=len(chosen),
        start=start,
        rows=rows_of(chosen[start:]),
    )


def rows_of(letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Return the first messages, masked and without their bodies."""
    return [masked(letter.without_body()) for letter in letters[:ROWS]]


def masked(letter: DeadLetter) -> DeadLetter:
    """Return a message masked, with the reason why it started no execution."""
    return replace(
        letter,
        task=mask(letter.task),
        why=mask(letter.why) if letter.why else _("The dispatcher accepts it now."),
        body=mask(letter.body),
        attributes={name: str(mask(value)) for name, value in letter.attributes.items()},
        message_attributes=mask({name: str(value) for name, value in letter.message_attributes.items()}),
        start=replace(letter.start, input_json=mask(letter.start.input_json)) if letter.start else None,
    )


def choice_of(seen: Cached[DeadLetterList], form: QueryDict) -> Choice:
    """Read a form's ``scope``: the ``ticked`` messages, all ``shown`` by its filter, or ``everything``."""
    scope = form.get("scope", "ticked")
    ids = [letter.message_id for letter in _chosen(seen, form)] if scope == "shown" else form.getlist("ids")
    per_second = number_in(form.get("per_second", ""))
    return Choice(
        ids=() if scope == "everything" else tuple(dict.fromkeys(ids)),
        is_everything=scope == "everything",
        per_second=DEFAULT_PER_SECOND if per_second is None else per_second,
    )


def counts_of(letters: Iterable[DeadLetter]) -> list[ReasonCount]:
    """Count messages by reason."""
    return [ReasonCount(reason, n) for reason, n in Counter(letter.reason for letter in letters).most_common()]


def moved_sentences(moved: DeadLetterResult, command: str) -> list[str]:
    """Return the result of a redrive in sentences. ``command`` moves the rest."""
    first = ngettext(
        "%(count)s message was moved to the task queue.",
        "%(count)s messages were moved to the task queue.",
        moved.count,
    )
    left = _("%(count)s were not moved, since the dispatcher would refuse them.")
    in_both = _("%(count)s are now in both queues, since they could not be deleted; each starts one execution.")
    late = _("The time limit was reached, and the rest are still dead letters. Repeat it, or run %(command)s")
    return [
        first % {"count": f"{moved.count:,}"},
        *([left % {"count": moved.left.total()}] if moved.left else []),
        *([in_both % {"count": len(moved.in_both)}] if moved.in_both else []),
        *_failures(moved),
        *([f"{moved.error.rstrip('.')}."] if moved.error else []),
        *([late % {"command": command}] if moved.was_stopped else []),
    ]


def purged_sentences(purged: DeadLetterResult, place: str) -> list[str]:
    """Return the result of a purge in sentences, what was deleted first."""
    first = ngettext(
        "%(count)s message was deleted; it is saved in %(place)s.",
        "%(count)s messages were deleted; they are saved in %(place)s.",
        purged.count,
    )
    late = _("The time limit was reached, and the rest are still dead letters. Purge them again.")
    return [
        first % {"count": f"{purged.count:,}", "place": place},
        *_failures(purged),
        *([f"{purged.error.rstrip('.')}."] if purged.error and not purged.failed else []),
        *([late] if purged.was_stopped else []),
    ]


def _failures(result: DeadLetterResult) -> list[str]:
    missing = _("%(count)s are no longer in the queue, or are held by another consumer.")
    return [
        *([missing % {"count": result.missing}] if result.missing else []),
        *(f"{message_id}: {problem}." for message_id, problem in list(result.failed.items())[:_SHOWN_FAILURES]),
    ]


def _letters(seen: Cached[DeadLetterList]) -> Sequence[DeadLetter]:
    return seen.value.letters if seen.value else ()


def _chosen(seen: Cached[DeadLetterList], query: QueryDict) -> list[DeadLetter]:
    selection = Selection(task=query.get("task", ""), reason=query.get("reason", ""))
    return [letter for letter in _letters(seen) if selection.has(letter)]
