"""The states of one execution as its page shows them: for the graph, to pick from, and one of them in full."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from qu_workflows.console.graph import StateShown
from qu_workflows.console.masking import mask
from qu_workflows.executions.queries import (
    EntryDetails,
    History,
    StateAttempt,
    StateEntry,
    StateOutcome,
    count_by_outcome,
    details_of,
    iterations_of,
    worst,
)

PICKS_PER_PAGE = 100
_PROBLEMS = (
    StateOutcome.FAILED,
    StateOutcome.TIMED_OUT,
    StateOutcome.RUNNING,
    StateOutcome.WAITING,
    StateOutcome.ABORTED,
    StateOutcome.CAUGHT,
)


@dataclass(frozen=True)
class VisitKey:
    """The key of a state entry: state name, iteration and branch numbers around it, ordinal."""

    state: str
    iteration: str
    visit: int

    @property
    def query(self) -> dict[str, str]:
        """The part of an address that names it."""
        around = {"iteration": self.iteration} if self.iteration else {}
        return {"state": self.state, **around, "visit": str(self.visit)}


@dataclass(frozen=True)
class Listed[Row]:
    """A page of rows, and of how many pages it is which."""

    rows: Sequence[Row]
    total: int
    page: int
    pages: int

    @classmethod
    def of[Item](cls, items: Sequence[Item], page: int, size: int, row_of: Callable[[Item], Row]) -> "Listed[Row]":
        """Return the rows of a page, or of the last one there is."""
        pages = max(1, -(-len(items) // size))
        page = min(max(page, 1), pages)
        return cls([row_of(item) for item in items[(page - 1) * size : page * size]], len(items), page, pages)


@dataclass(frozen=True)
class Pick:
    """Something to pick: an iteration, or one visit of several."""

    label: str
    status: str
    key: VisitKey
    current: bool = False


@dataclass(frozen=True)
class Picks:
    """A page of what there is to pick from, what failed first. ``counts`` is by status, of all pages."""

    shown: Sequence[Pick] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    page: int = 1
    pages: int = 1
    length: int | None = None

    @classmethod
    def of(cls, picks: Sequence[tuple[StateOutcome, Pick]], page: int, length: int | None = None) -> Self:
        """Return a page of picks, which are in their order within each outcome."""
        worst_first = sorted(picks, key=lambda each: _rank(each[0]))
        listed = Listed.of(worst_first, page, PICKS_PER_PAGE, lambda each: each[1])
        counts = {one.name: count for one, count in count_by_outcome(outcome for outcome, _pick in picks).items()}
        return cls(listed.rows, counts, listed.page, listed.pages, length)


@dataclass(frozen=True)
class TryShown:
    """One try, masked."""

    number: int
    status: str
    begun_at: datetime
    ended_at: datetime | None
    seconds: float | None
    error: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class StateDetails:
    """One visit of a state in full, masked; of a state that did not run only its name and definition are known."""

    name: str
    kind: str
    status: str
    place: str = ""
    key: VisitKey | None = None
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
    visits: Picks = Picks()
    definition: Any = None


def path_of(visit: StateEntry) -> str:
    """Return the numbers of what is around a visit: ``0.3``, "" at the top."""
    return ".".join(str(number) for _name, number in visit.place)


def place_of(visit: StateEntry) -> str:
    """Return what is around a visit, in words: ``Process Files 2``."""
    return ", ".join(f"{name} {number}" for name, number in visit.place)


def keys_of(visits: Sequence[StateEntry]) -> dict[int, VisitKey]:
    """Return the key of each visit, by the place of it in the sequence."""
    seen: dict[tuple[str, str], int] = {}
    keys = {}
    for index, visit in enumerate(visits):
        at = (visit.name, path_of(visit))
        keys[index] = VisitKey(*at, seen.get(at, 0))
        seen[at] = seen.get(at, 0) + 1
    return keys


def states_shown(history: History | None, now: datetime) -> dict[str, StateShown]:
    """Return what the graph shows of each state that was entered."""
    if history is None:
        return {}
    by_name: dict[str, list[StateEntry]] = {}
    for visit in history.entries:
        by_name.setdefault(visit.name, []).append(visit)
    return {name: _shown(history, visits, now) for name, visits in by_name.items()}


def find_visit(history: History, state: str, iteration: str | None, number: int | None) -> StateEntry | None:
    """Return the visit that is asked for; of several the one that needs attention most; None if there is none.

    Without a state: where the execution failed, or where it is, or what it did last.
    """
    found: Iterable[StateEntry] = history.entries
    if state:
        found = [visit for visit in found if visit.name == state and iteration in (None, path_of(visit))]
        if number is not None and 0 <= number < len(found):
            return found[number]
    else:
        deepest = [visit for visit in found if visit.kind not in ("Map", "Parallel")] or history.entries
        found = [visit for visit in deepest if visit.runs_again] or list(deepest)
    visits = list(found)
    # What was caught was meant to be: only where it failed or stands is shown before the last.
    first = worst(visit.outcome for visit in visits if visit.outcome in _PROBLEMS[:5])
    if first is not None:
        return next(visit for visit in visits if visit.outcome == first)
    return visits[-1] if visits else None


def details_shown(
    history: History, visit: StateEntry, definition: Mapping[str, Any] | None, now: datetime, page: int
) -> StateDetails:
    """Return one visit in full. ``page`` is that of its iterations, or of the other visits of its state."""
    found = details_of(history, visit)
    keys = keys_of(history.entries)
    index = next(number for number, one in enumerate(history.entries) if one is visit)
    return StateDetails(
        name=visit.name,
        kind=visit.kind,
        status=visit.outcome.name,
        place=place_of(visit),
        key=keys[index],
        entered_at=visit.entered_at,
        ended_at=visit.ended_at,
        seconds=visit.seconds(now),
        error=mask(visit.error),
        cause=mask(visit.cause),
        cause_words=mask(cause_words(visit.cause)),
        tries=[try_shown(one, now) for one in found.tries],
        redrives=visit.redrives,
        runs_again=visit.runs_again and history.status != "RUNNING",
        waiting_since=visit.waiting_since,
        timeout_seconds=visit.timeout_seconds,
        heartbeat_seconds=visit.heartbeat_seconds,
        input=mask(found.input),
        output=mask(found.output),
        resource=found.resource,
        parameters=mask(found.parameters),
        links=found.links,
        iterations=_iterations(history, visit, found, keys, page),
        visits=_visits(history, visit, keys, page),
        definition=state_definition(definition, visit.name),
    )


def not_run(name: str, definition: Mapping[str, Any] | None) -> StateDetails | None:
    """Return a state that no event tells of, None if the definition has none of this name."""
    state = state_definition(definition, name)
    if state is None:
        return None
    return StateDetails(name=name, kind=str(state.get("Type", "")), status="NOT_RUN", definition=state)


def try_shown(one: StateAttempt, now: datetime) -> TryShown:
    """Return a try, masked."""
    seconds = ((one.ended_at or now) - one.begun_at).total_seconds()
    return TryShown(
        number=one.number,
        status=one.outcome.name,
        begun_at=one.begun_at,
        ended_at=one.ended_at,
        seconds=seconds,
        error=mask(one.error),
        cause=mask(one.cause),
    )


def cause_words(cause: str) -> str:
    """Return what a cause says in words: the message of a function's error, or else the cause itself."""
    try:
        said = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(said, dict):
        return cause
    return str(said.get("errorMessage") or said.get("Cause") or cause)


def state_definition(definition: Mapping[str, Any] | None, name: str) -> Mapping[str, Any] | None:
    """Return one state of a definition without the states inside it; None if there is none of the name."""
    for each, state in _all_states(definition or {}):
        if each == name:
            return {key: value for key, value in state.items() if key not in ("ItemProcessor", "Iterator", "Branches")}
    return None


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


def _shown(history: History, visits: Sequence[StateEntry], now: datetime) -> StateShown:
    inside = bool(visits[0].place)
    outcome = worst(visit.outcome for visit in visits) if inside else visits[-1].outcome
    counted: Mapping[StateOutcome, int] = {}
    if inside:
        counted = count_by_outcome(visit.outcome for visit in visits)
    elif visits[-1].kind == "Map":
        counted = count_by_outcome(iterations_of(history, visits[-1]).values())
    return StateShown(
        status=(outcome or StateOutcome.RUNNING).name,
        tries=max(visit.tries for visit in visits),
        seconds=_seconds(visits, now) if inside else sum(visit.seconds(now) for visit in visits),
        iterations={one.name: count for one, count in counted.items()},
        runs_again=history.status != "RUNNING" and any(visit.runs_again for visit in visits),
    )


def _seconds(visits: Sequence[StateEntry], now: datetime) -> float:
    """Return from when until when states went that ran side by side."""
    first, last = min(visit.entered_at for visit in visits), max(visit.ended_at or now for visit in visits)
    return (last - first).total_seconds()


def _iterations(
    history: History, visit: StateEntry, found: EntryDetails, keys: Mapping[int, VisitKey], page: int
) -> Picks:
    outcomes = iterations_of(history, visit)
    if not outcomes:
        return Picks()
    length = next((event.details.get("length") for event in found.events if event.type == "MapStateStarted"), None)
    inside: dict[int, list[tuple[StateEntry, VisitKey]]] = {}
    for number, one in enumerate(history.entries):
        if one.place[:-1] == visit.place and one.place and one.place[-1][0] == visit.name:
            inside.setdefault(one.place[-1][1], []).append((one, keys[number]))
    container = VisitKey(visit.name, path_of(visit), 0)
    picks = [
        (outcome, Pick(str(index), outcome.name, _worst_key(inside.get(index, [])) or container))
        for index, outcome in outcomes.items()
    ]
    return Picks.of(picks, page, length)


def _worst_key(inside: Sequence[tuple[StateEntry, VisitKey]]) -> VisitKey | None:
    """Return the visit of an iteration to show first."""
    outcome = worst(visit.outcome for visit, _key in inside if visit.outcome != StateOutcome.SUCCEEDED)
    chosen = [key for visit, key in inside if outcome in (None, visit.outcome)]
    return chosen[-1] if chosen else None


def _visits(history: History, visit: StateEntry, keys: Mapping[int, VisitKey], page: int) -> Picks:
    same = [(one, keys[number]) for number, one in enumerate(history.entries) if one.name == visit.name]
    if len(same) < 2:
        return Picks()
    return Picks.of(
        [(one.outcome, Pick(_label(one, key), one.outcome.name, key, one is visit)) for one, key in same], page
    )


def _label(visit: StateEntry, key: VisitKey) -> str:
    number = f"#{key.visit + 1}" if key.visit or not visit.place else ""
    return f"{key.iteration} {number}".strip()


def _rank(outcome: StateOutcome) -> int:
    return _PROBLEMS.index(outcome) if outcome in _PROBLEMS else len(_PROBLEMS)
