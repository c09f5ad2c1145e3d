"""Pure functions that read the details of one state entry from a history."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from qu_workflows.executions.histories import Event, History, StateEntry, StateOutcome

# Of a task in its three forms, and of a container's children.
_BEGUN = re.compile(r"(Task|LambdaFunction|Activity)Scheduled|(Map|Parallel)StateStarted")
_STARTED = re.compile(r"(Task|LambdaFunction|Activity)Started")
_FAILED = re.compile(r"(?:Task|LambdaFunction|Activity|MapRun|MapState|ParallelState)\w*?(Failed|TimedOut|Aborted)")
_DONE = re.compile(r"(?:Task|LambdaFunction|Activity|MapState|ParallelState)Succeeded")
_FAILURES = {"Failed": StateOutcome.FAILED, "TimedOut": StateOutcome.TIMED_OUT}
_ITERATION = re.compile(r"MapIteration(Started|Succeeded|Failed|Aborted)")
_WORST_FIRST = (
    StateOutcome.FAILED,
    StateOutcome.TIMED_OUT,
    StateOutcome.RUNNING,
    StateOutcome.WAITING,
    StateOutcome.ABORTED,
    StateOutcome.CAUGHT,
    StateOutcome.SUCCEEDED,
)


@dataclass(frozen=True)
class StateAttempt:
    """One call of a task, or one run of a container's children."""

    number: int
    begun_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: StateOutcome = StateOutcome.RUNNING
    error: str = ""
    cause: str = ""


@dataclass(frozen=True)
class EntryDetails:
    """The details of a state entry.

    ``input``, ``output`` and ``parameters`` are JSON text, None if the history has none.
    ``resource`` is the function or service of its last call, ``links`` the ARNs of executions and Map Runs it started.
    """

    input: str | None
    output: str | None
    resource: str
    parameters: str | None
    tries: tuple[StateAttempt, ...]
    links: tuple[str, ...]
    events: tuple[Event, ...]


def details_of(history: History, entry: StateEntry) -> EntryDetails:
    """Return the details of a state entry."""
    events = _events_of(history, entry)
    last_call = next((event.details for event in reversed(events) if _BEGUN.fullmatch(event.type)), {})
    return EntryDetails(
        input=_first(events, "StateEntered", "input"),
        output=_first(events, "StateExited", "output"),
        resource=_resource(last_call),
        parameters=last_call.get("parameters", last_call.get("input")),
        tries=attempts_of_entry(history, entry),
        links=_links(events),
        events=events,
    )


def attempts_of_entry(history: History, entry: StateEntry) -> tuple[StateAttempt, ...]:
    """Return the attempts of an entry in order."""
    attempts: list[StateAttempt] = []
    for event in _events_of(history, entry):
        if _BEGUN.fullmatch(event.type):
            attempts.append(StateAttempt(len(attempts) + 1, event.at))
        elif attempts and attempts[-1].ended_at is None:
            attempts[-1] = _after(attempts[-1], event)
    if attempts and attempts[-1].ended_at is None and entry.ended_at is not None:
        attempts[-1] = replace(attempts[-1], ended_at=entry.ended_at, outcome=entry.outcome)
    return tuple(attempts)


def iterations_of(history: History, entry: StateEntry) -> dict[int, StateOutcome]:
    """Return the outcome of each iteration of a Map by index, empty for other states."""
    if entry.kind != "Map":
        return {}
    found: dict[int, StateOutcome] = {}
    for event in _events_of(history, entry):
        if match := _ITERATION.fullmatch(event.type):
            said = match[1]
            found[event.details.get("index", 0)] = (
                StateOutcome.RUNNING if said == "Started" else StateOutcome(said.lower())
            )
    _correct(found, inside(history, entry), ended=entry.ended_at is not None)
    return dict(sorted(found.items()))


def inside(history: History, entry: StateEntry) -> list[StateEntry]:
    """Return the entries directly inside a container, including those of earlier entries of it."""
    depth = len(entry.place)
    return [
        one
        for one in history.entries
        if len(one.place) == depth + 1 and one.place[-1][0] == entry.name and one.place[:-1] == entry.place
    ]


def worst(outcomes: Iterable[StateOutcome]) -> StateOutcome | None:
    """Return the most important of the outcomes, None without any."""
    given = set(outcomes)
    return next((one for one in _WORST_FIRST if one in given), None)


def count_by_outcome(outcomes: Iterable[StateOutcome]) -> dict[StateOutcome, int]:
    """Count outcomes, the most important first."""
    counted = Counter(outcomes)
    return {outcome: counted[outcome] for outcome in _WORST_FIRST if counted[outcome]}


def _events_of(history: History, entry: StateEntry) -> tuple[Event, ...]:
    # Ids count from 1 without gaps, unless the history is truncated.
    events = history.events
    if events and events[0].id == 1 and events[-1].id == len(events):
        return tuple(events[number - 1] for number in entry.event_ids)
    wanted = set(entry.event_ids)
    return tuple(event for event in events if event.id in wanted)


def _first(events: Sequence[Event], suffix: str, key: str) -> str | None:
    found = next((event.details.get(key) for event in events if event.type.endswith(suffix)), None)
    return None if found is None else str(found)


def _after(last: StateAttempt, event: Event) -> StateAttempt:
    if _STARTED.fullmatch(event.type):
        return replace(last, started_at=event.at)
    if _DONE.fullmatch(event.type):
        return replace(last, ended_at=event.at, outcome=StateOutcome.SUCCEEDED)
    match = _FAILED.fullmatch(event.type)
    if match is None:
        return last
    outcome = _FAILURES.get(match[1], StateOutcome.ABORTED)
    error = str(event.details.get("error", "")) or ("States.Timeout" if outcome == StateOutcome.TIMED_OUT else "")
    return replace(last, ended_at=event.at, outcome=outcome, error=error, cause=str(event.details.get("cause", "")))


def _resource(call: Mapping[str, Any]) -> str:
    """Return a call's function name or ARN, or its service and action."""
    resource, kind = str(call.get("resource", "")), str(call.get("resourceType", ""))
    return f"{kind}:{resource}" if kind and not resource.startswith("arn:") else resource


def _links(events: Sequence[Event]) -> tuple[str, ...]:
    """Return the ARNs of nested executions and Map Runs."""
    found: list[str] = []
    for event in events:
        text = f"{event.details.get('mapRunArn', '')} {event.details.get('output', '')}"
        found += re.findall(r"arn:aws[\w-]*:states:[\w-]+:\d{12}:(?:execution|mapRun):[\w:/.-]+", text)
    return tuple(dict.fromkeys(found))


def _correct(found: dict[int, StateOutcome], children: Sequence[StateEntry], *, ended: bool) -> None:
    """Correct iterations by the states inside: a redrive does not repeat the iterations' events."""
    by_index: dict[int, list[StateEntry]] = {}
    for child in children:
        by_index.setdefault(child.place[-1][1], []).append(child)
    for index, entries in by_index.items():
        live = [one.outcome for one in entries if one.outcome in (StateOutcome.RUNNING, StateOutcome.WAITING)]
        if live:
            found[index] = StateOutcome.WAITING if StateOutcome.WAITING in live else StateOutcome.RUNNING
        elif found.get(index) in (None, StateOutcome.RUNNING) and ended:
            found[index] = worst(one.outcome for one in entries[-1:]) or StateOutcome.ABORTED
