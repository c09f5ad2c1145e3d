"""State entries of one execution: for the graph, in lists, and in detail."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from qu_workflows.console.graph import StateShown
from qu_workflows.console.masking import mask
from qu_workflows.executions import queries
from qu_workflows.executions.queries import History, StateEntry, StateOutcome

PICKS_PER_PAGE = 100
_PROBLEMS = (
    StateOutcome.FAILED,
    StateOutcome.TIMED_OUT,
    StateOutcome.RUNNING,
    StateOutcome.WAITING,
    StateOutcome.ABORTED,
)
_PICK_ORDER = (*_PROBLEMS, StateOutcome.CAUGHT, StateOutcome.SUCCEEDED)


@dataclass(frozen=True)
class EntryKey:
    """The key of a state entry in an address.

    ``iteration`` numbers the iterations and branches around it (``0.3``, "" at the top), ``entry`` the entries of the
    same state in the same place, from 0.
    """

    state: str
    iteration: str
    entry: int


@dataclass(frozen=True)
class Listed[Row]:
    """One page of rows, of ``pages``."""

    rows: Sequence[Row]
    total: int
    page: int
    pages: int

    @classmethod
    def of[Item](cls, items: Sequence[Item], page: int, size: int, row_of: Callable[[Item], Row]) -> "Listed[Row]":
        """Return the rows of a page; a number past the end gives the last page."""
        pages = max(1, -(-len(items) // size))
        page = min(max(page, 1), pages)
        return cls([row_of(item) for item in items[(page - 1) * size : page * size]], len(items), page, pages)


@dataclass(frozen=True)
class Pick:
    """A link to an iteration, or to one of several entries."""

    label: str
    status: str
    key: EntryKey
    current: bool = False


@dataclass(frozen=True)
class Picks:
    """One page of picks, failures first. ``counts`` is by status, over all pages."""

    shown: Sequence[Pick] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    page: int = 1
    pages: int = 1
    length: int | None = None

    @classmethod
    def of(cls, picks: Sequence[tuple[StateOutcome, Pick]], page: int, length: int | None = None) -> Self:
        """Sort picks by outcome, otherwise in the given order, and return one page."""
        ordered = sorted(picks, key=lambda each: _PICK_ORDER.index(each[0]))
        listed = Listed.of(ordered, page, PICKS_PER_PAGE, lambda each: each[1])
        counts = queries.count_by_outcome(outcome for outcome, _pick in picks)
        named = {outcome.name: count for outcome, count in counts.items()}
        return cls(listed.rows, named, listed.page, listed.pages, length)


@dataclass(frozen=True)
class TryShown:
    """One attempt, masked."""

    number: int
    status: str
    begun_at: datetime
    ended_at: datetime | None
    seconds: float | None
    error: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class StateDetails:
    """One state entry in detail, masked, or a state that did not run."""

    name: str
    kind: str
    status: str
    place: str = ""
    key: EntryKey | None = None
    entered_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    error: str = ""
    cause: str = ""
    cause_words: str = ""
    tries: Sequence[TryShown] = ()
    redrives: int = 0
    runs_again: bool = False
    waiting_since: datetime | None = None
    timeout_seconds: int | None = None
    heartbeat_seconds: int | None = None
    input: Any = None
    output: Any = None
    resource: str = ""
    parameters: Any = None
    links: Sequence[str] = ()
    iterations: Picks = Picks()
    entries: Picks = Picks()
    definition: Any = None


def place_of(entry: StateEntry) -> str:
    """Return the iterations and branches around an entry: ``Process Files 2``."""
    return ", ".join(f"{name} {number}" for name, number in entry.place)


def keys_of(history: History) -> list[EntryKey]:
    """Return the keys of all entries, in their order."""
    counts: dict[tuple[str, str], int] = {}
    keys = []
    for entry in history.entries:
        at = (entry.name, _numbers(entry))
        keys.append(EntryKey(*at, counts.get(at, 0)))
        counts[at] = counts.get(at, 0) + 1
    return keys


def states_shown(history: History, now: datetime) -> dict[str, StateShown]:
    """Return the graph's data of each state that was entered."""
    by_name: dict[str, list[StateEntry]] = {}
    for entry in history.entries:
        by_name.setdefault(entry.name, []).append(entry)
    return {name: _shown(history, entries, now) for name, entries in by_name.items()}


def find_entry(history: History, state: str, iteration: str | None, number: int | None) -> StateEntry | None:
    """Return the selected entry, None if there is none.

    Of several entries, the first with the worst outcome, or else the last. Without a state, the failed, the current
    or the last state of the execution. A caught error counts as expected.
    """
    if state:
        found = [one for one in history.entries if one.name == state and iteration in (None, _numbers(one))]
        if number is not None and 0 <= number < len(found):
            return found[number]
    else:
        innermost = [one for one in history.entries if one.kind not in ("Map", "Parallel")] or list(history.entries)
        found = [one for one in innermost if one.runs_again] or innermost
    worst = queries.worst(one.outcome for one in found if one.outcome in _PROBLEMS)
    return next((one for one in found if one.outcome == worst), found[-1] if found else None)


def details_shown(
    history: History, entry: StateEntry, definition: Mapping[str, Any] | None, now: datetime, page: int
) -> StateDetails:
    """Return one entry in detail. ``page`` is that of its iterations or entries."""
    found = queries.details_of(history, entry)
    keyed = list(zip(history.entries, keys_of(history), strict=True))
    return StateDetails(
        name=entry.name,
        kind=entry.kind,
        status=entry.outcome.name,
        place=place_of(entry),
        key=next(key for one, key in keyed if one is entry),
        entered_at=entry.entered_at,
        ended_at=entry.ended_at,
        seconds=entry.seconds(now),
        error=mask(entry.error),
        cause=mask(entry.cause),
        cause_words=mask(cause_words(entry.cause)),
        tries=[_try_shown(one, now) for one in found.tries],
        redrives=entry.redrives,
        runs_again=entry.runs_again and history.status != "RUNNING",
        waiting_since=entry.waiting_since,
        timeout_seconds=entry.timeout_seconds,
        heartbeat_seconds=entry.heartbeat_seconds,
        input=mask(found.input),
        output=mask(found.output),
        resource=found.resource,
        parameters=mask(found.parameters),
        links=found.links,
        iterations=_iterations(history, entry, found.events, keyed, page),
        entries=_entries(entry, keyed, page),
        definition=state_definition(definition, entry.name),
    )


def not_run(name: str, definition: Mapping[str, Any] | None) -> StateDetails | None:
    """Return a state that was never entered, None if the definition has no such state."""
    state = state_definition(definition, name)
    if state is None:
        return None
    return StateDetails(name=name, kind=str(state.get("Type", "")), status="NOT_RUN", definition=state)


def cause_words(cause: str) -> str:
    """Return ``errorMessage`` or ``Cause`` of a JSON cause, or the cause itself."""
    try:
        content = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(content, dict):
        return cause
    return str(content.get("errorMessage") or content.get("Cause") or cause)


def state_definition(definition: Mapping[str, Any] | None, name: str) -> Mapping[str, Any] | None:
    """Return the definition of one state without the states inside it, or None."""
    for each, state in _all_states(definition or {}):
        if each == name:
            return {key: value for key, value in state.items() if key not in ("ItemProcessor", "Iterator", "Branches")}
    return None


def _numbers(entry: StateEntry) -> str:
    return ".".join(str(number) for _name, number in entry.place)


def _try_shown(one: queries.StateAttempt, now: datetime) -> TryShown:
    return TryShown(
        number=one.number,
        status=one.outcome.name,
        begun_at=one.begun_at,
        ended_at=one.ended_at,
        seconds=((one.ended_at or now) - one.begun_at).total_seconds(),
        error=mask(one.error),
        cause=mask(one.cause),
    )


def _all_states(level: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    states = level.get("States")
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, Mapping):
            continue
        yield name, state
        branches = state.get("Branches")
        inner = [state.get("ItemProcessor"), state.get("Iterator"), *(branches if isinstance(branches, list) else [])]
        for one in inner:
            if isinstance(one, Mapping):
                yield from _all_states(one)


def _shown(history: History, entries: Sequence[StateEntry], now: datetime) -> StateShown:
    last = entries[-1]
    outcome, counted, seconds = last.outcome, {}, sum(one.seconds(now) for one in entries)
    if last.place:  # side by side with others of its state: the worst of them, from the first start to the last end
        outcome = queries.worst(one.outcome for one in entries) or outcome
        counted = queries.count_by_outcome(one.outcome for one in entries)
        ended = max(one.ended_at or now for one in entries)
        seconds = (ended - min(one.entered_at for one in entries)).total_seconds()
    elif last.kind == "Map":
        counted = queries.count_by_outcome(queries.iterations_of(history, last).values())
    return StateShown(
        status=outcome.name,
        tries=max(one.tries for one in entries),
        seconds=seconds,
        iterations={one.name: count for one, count in counted.items()},
        runs_again=history.status != "RUNNING" and any(one.runs_again for one in entries),
    )


type _Keyed = Sequence[tuple[StateEntry, EntryKey]]


def _iterations(
    history: History, entry: StateEntry, events: Sequence[queries.Event], keyed: _Keyed, page: int
) -> Picks:
    outcomes = queries.iterations_of(history, entry)
    if not outcomes:
        return Picks()
    length = next((event.details.get("length") for event in events if event.type == "MapStateStarted"), None)
    inside: dict[int, list[tuple[StateEntry, EntryKey]]] = {}
    for one, key in keyed:
        if one.place[:-1] == entry.place and one.place and one.place[-1][0] == entry.name:
            inside.setdefault(one.place[-1][1], []).append((one, key))
    container = EntryKey(entry.name, _numbers(entry), 0)
    picks = [
        (outcome, Pick(str(index), outcome.name, _worst_key(inside.get(index, [])) or container))
        for index, outcome in outcomes.items()
    ]
    return Picks.of(picks, page, length)


def _worst_key(inside: _Keyed) -> EntryKey | None:
    """Return the entry of an iteration to show first."""
    outcome = queries.worst(one.outcome for one, _key in inside if one.outcome != StateOutcome.SUCCEEDED)
    chosen = [key for one, key in inside if outcome in (None, one.outcome)]
    return chosen[-1] if chosen else None


def _entries(entry: StateEntry, keyed: _Keyed, page: int) -> Picks:
    same = [(one, key) for one, key in keyed if one.name == entry.name]
    if len(same) < 2:
        return Picks()
    return Picks.of(
        [(one.outcome, Pick(_label(one, key), one.outcome.name, key, one is entry)) for one, key in same], page
    )


def _label(entry: StateEntry, key: EntryKey) -> str:
    number = f"#{key.entry + 1}" if key.entry or not entry.place else ""
    return f"{key.iteration} {number}".strip()
