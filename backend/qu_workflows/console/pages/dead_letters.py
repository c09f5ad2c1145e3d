"""What the console shows of the dead-letter queue: each message masked, and why it started nothing, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from qu_workflows.caching import Cached
from qu_workflows.console.masking import mask
from qu_workflows.dead_letters.queries import (
    ALREADY_STARTED,
    CAN_BE_DISPATCHED,
    RAN_IN_PROCESS,
    DeadLetter,
    DeadLetterList,
    Selection,
)
from qu_workflows.dead_letters.services import DEFAULT_PER_SECOND

ROWS = 100
WORDS = {
    CAN_BE_DISPATCHED: gettext_lazy("Can be dispatched now"),
    ALREADY_STARTED: gettext_lazy("Started before"),
    RAN_IN_PROCESS: gettext_lazy("Ran in the web process"),
    "NotJson": gettext_lazy("Not a JSON object"),
    "NoTask": gettext_lazy("Names no task"),
    "UnknownTask": gettext_lazy("Unknown task"),
    "UnknownSchedule": gettext_lazy("Unknown schedule"),
    "ScheduledTimeMissing": gettext_lazy("No scheduled time"),
    "PayloadDoesNotFit": gettext_lazy("Payload does not fit"),
    "PayloadTooLarge": gettext_lazy("Payload too large"),
}


@dataclass(frozen=True)
class LetterRow:
    """One message in a list; ``why`` is one sentence, ``can_go`` whether the dispatcher takes it now."""

    message_id: str
    task_id: str | None
    task: str
    reason: str
    why: str
    remedy: str
    record_status: str
    sent_at: datetime
    age_seconds: float
    receive_count: int
    can_go: bool

    @property
    def words(self) -> str:
        """The reason in a few words."""
        return str(WORDS.get(self.reason, self.reason))


@dataclass(frozen=True)
class ReasonCount:
    """How many messages there are of a reason."""

    reason: str
    count: int

    @property
    def words(self) -> str:
        """The reason in a few words."""
        return str(WORDS.get(self.reason, self.reason))


@dataclass(frozen=True)
class LetterList:
    """What is known of the queue. ``total`` is SQS's approximate number, None where it was never told.

    ``count`` is how many fit the filter; ``rows`` are those from ``start`` on.
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
    rows: Sequence[LetterRow]


@dataclass(frozen=True)
class Start:
    """The execution that a message would start: its name, workflow and input, masked."""

    name: str
    task: str
    workflow: str
    input: Any


@dataclass(frozen=True)
class WholeLetter:
    """One message with its body, masked, and what it would start; ``start`` is None where the dispatcher refuses it."""

    row: LetterRow
    body: Any
    attributes: Mapping[str, str]
    message_attributes: Any
    start: Start | None


@dataclass(frozen=True)
class Choice:
    """What somebody wants to act on. ``ids`` are of messages; none means the whole queue."""

    ids: tuple[str, ...]
    is_everything: bool
    per_second: int


def listed(seen: Cached[DeadLetterList], query: QueryDict) -> LetterList:
    """Return the list that a page shows: by ``task``, ``reason`` and ``start`` of its address."""
    found = seen.value
    letters = found.letters if found else ()
    chosen = _chosen(seen, query)
    start = min(_number(query.get("start", "")) or 0, len(chosen))
    counts = Counter(letter.reason for letter in letters if _fits(letter, query.get("task", ""), ""))
    return LetterList(
        total=found.approximate_total if found else None,
        read=len(letters),
        is_complete=bool(found and found.is_complete),
        held_by_others=found.held_by_others if found else 0,
        as_of=seen.as_of,
        unanswered=seen.unanswered,
        task=query.get("task", ""),
        reason=query.get("reason", ""),
        reasons=[ReasonCount(reason, count) for reason, count in counts.most_common()],
        tasks=sorted({letter.task for letter in letters if letter.task}),
        count=len(chosen),
        start=start,
        rows=[row_of(letter) for letter in chosen[start : start + ROWS]],
    )


def row_of(letter: DeadLetter) -> LetterRow:
    """Return a message as a row, masked."""
    why = mask(letter.why) if letter.why else _("The dispatcher takes it now.")
    return LetterRow(
        message_id=letter.message_id,
        task_id=letter.task_id,
        task=str(mask(letter.task or "")),
        reason=letter.reason,
        why=str(why),
        remedy=letter.remedy,
        record_status=letter.record_status,
        sent_at=letter.sent_at,
        age_seconds=round((timezone.now() - letter.sent_at).total_seconds()),
        receive_count=letter.receive_count,
        can_go=letter.is_accepted,
    )


def whole(letter: DeadLetter) -> WholeLetter:
    """Return a message whole, masked."""
    start = letter.start
    return WholeLetter(
        row=row_of(letter),
        body=mask(letter.body),
        attributes={str(name): str(mask(value)) for name, value in letter.attributes.items()},
        message_attributes=mask({name: str(value) for name, value in letter.message_attributes.items()}),
        start=Start(start.name, start.task, start.workflow, mask(start.input_json)) if start else None,
    )


def choice_of(seen: Cached[DeadLetterList], form: QueryDict) -> Choice:
    """Return what a form asks to act on: the ``ticked``, all that its filter has ``shown``, or ``everything``."""
    scope = form.get("scope", "ticked")
    ids = tuple(dict.fromkeys(form.getlist("ids")))
    if scope == "shown":
        ids = tuple(letter.message_id for letter in _chosen(seen, form))
    given = _number(form.get("per_second", ""))
    return Choice(
        ids=() if scope == "everything" else ids,
        is_everything=scope == "everything",
        per_second=DEFAULT_PER_SECOND if given is None else given,
    )


def letters_of(seen: Cached[DeadLetterList], choice: Choice) -> list[DeadLetter]:
    """Return the messages of a choice among those that were read."""
    letters = seen.value.letters if seen.value else ()
    ids = set(choice.ids)
    return [letter for letter in letters if choice.is_everything or letter.message_id in ids]


def counts_of(letters: Sequence[DeadLetter]) -> list[ReasonCount]:
    """Return how many there are of each reason."""
    return [ReasonCount(reason, n) for reason, n in Counter(letter.reason for letter in letters).most_common()]


def _number(text: str) -> int | None:
    """Return a number that is given in figures, None if it is none, or too long for one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _chosen(seen: Cached[DeadLetterList], query: QueryDict) -> list[DeadLetter]:
    letters = seen.value.letters if seen.value else ()
    return [letter for letter in letters if _fits(letter, query.get("task", ""), query.get("reason", ""))]


def _fits(letter: DeadLetter, task: str, reason: str) -> bool:
    return Selection(task=task, reason=reason).has(letter)
