"""Reads an execution's history into state entries, with their attempts and outcomes.

Pure functions over the events of GetExecutionHistory. An event names its previous event, which distinguishes the
states of concurrent branches and iterations. Events after ExecutionRedriven name only that event, and are matched
with the states that had not ended.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import product
from operator import attrgetter
from typing import Any

_ENTERED, _EXITED = "StateEntered", "StateExited"
_CONTAINERS = ("Map", "Parallel")
# The start of an attempt: of a task in each of its three forms, or of all children of a container.
_ATTEMPT = re.compile(r"(Task|LambdaFunction|Activity)Scheduled|(Map|Parallel)StateStarted")
_TASK_FAILURE = re.compile(r"(Task|LambdaFunction|Activity|MapRun)\w*(Failed|TimedOut)|EvaluationFailed")
_OF_CONTAINER = re.compile(r"(Map|Parallel)State(Started|Succeeded|Failed|Aborted)|Map(Iteration|Run)\w+")
_CLOSING = re.compile(r"Execution(Succeeded|Failed|TimedOut|Aborted)")
_CALLBACK = ".waitForTaskToken"
_DATA_LIMIT = "States.DataLimitExceeded"  # a container that failed with it runs every child again


class StateOutcome(StrEnum):
    """The status of a state."""

    RUNNING = "running"
    WAITING = "waiting for a callback"
    SUCCEEDED = "succeeded"
    CAUGHT = "caught"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    ABORTED = "aborted"


@dataclass(frozen=True)
class Event:
    """One event. ``details`` is the content of its ``…EventDetails``, with JSON as text."""

    id: int
    previous_id: int
    type: str
    at: datetime
    details: Mapping[str, Any]


@dataclass(frozen=True)
class StateEntry:
    """One entry of a state; a redrive adds attempts to it.

    ``place`` names the enclosing Map iterations and Parallel branches, outermost first, both from 0, branches by
    start. ``tries`` counts calls of a task and runs of a container's children, 0 for other states. ``error`` and
    ``cause`` are those of the last failed attempt, ``timeout_seconds`` and ``heartbeat_seconds`` those of the last
    call. ``runs_again``: a redrive would run it. ``event_ids`` are its events in order.
    """

    name: str
    kind: str
    place: tuple[tuple[str, int], ...]
    entered_at: datetime
    ended_at: datetime | None
    tries: int
    redrives: int
    outcome: StateOutcome
    error: str
    cause: str
    runs_again: bool
    waiting_since: datetime | None
    timeout_seconds: int | None
    heartbeat_seconds: int | None
    event_ids: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """The state's name and place: ``Make Thumbnails (Process Files 2)``."""
        where = ", ".join(f"{name} {number}" for name, number in self.place)
        return f"{self.name} ({where})" if where else self.name

    def seconds(self, now: datetime) -> float:
        """Return its duration, until now while it runs."""
        return ((self.ended_at or now) - self.entered_at).total_seconds()


@dataclass(frozen=True)
class History:
    """The events and state entries of an execution, in order, and its status."""

    events: tuple[Event, ...]
    entries: tuple[StateEntry, ...]
    status: str
    redrives: int

    @property
    def running_again(self) -> tuple[StateEntry, ...]:
        """The entries that a redrive would run."""
        return tuple(entry for entry in self.entries if entry.runs_again)

    @property
    def waiting(self) -> tuple[StateEntry, ...]:
        """The innermost entries that are running."""
        return self.running_again if self.status == "RUNNING" else ()


def read_event(shown: Mapping[str, Any]) -> Event:
    """Parse an event of GetExecutionHistory."""
    details = next((value for key, value in shown.items() if key.endswith("EventDetails")), None)
    at = shown["timestamp"].astimezone(UTC)  # comparing in boto3's own zone would dominate the time
    return Event(shown["id"], shown.get("previousEventId", 0), shown["type"], at, details or {})


def read_history(shown: Iterable[Mapping[str, Any]]) -> History:
    """Parse all events of GetExecutionHistory, oldest first."""
    events = tuple(read_event(event) for event in shown)
    reading = _Reading(events)
    for event in events:
        reading.take(event)
    again = set(reading.run_again())  # entries are compared by identity
    events_of = reading.events_by_entry()
    return History(
        events=events,
        entries=tuple(
            entry.shown(reading.status, reading.closed_at, tuple(events_of[entry]), runs_again=entry in again)
            for entry in reading.entries
        ),
        status=reading.status,
        redrives=reading.redrives,
    )


@dataclass(eq=False)
class _Entry:
    """An entry while events are read. ``number`` is its iteration or branch in ``parent``."""

    name: str
    kind: str
    parent: "_Entry | None"
    number: int | None
    entered_at: datetime
    exited_at: datetime | None = None
    failed_at: datetime | None = None
    tries: int = 0
    redriven: set[int] = field(default_factory=set)
    failure: StateOutcome | None = None
    error: str = ""
    cause: str = ""
    branches: int = 0
    children: "list[_Entry]" = field(default_factory=list)
    superseded: bool = False  # its container has restarted or ended
    last_call: Mapping[str, Any] = field(default_factory=dict)
    submitted_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.exited_at is None and not self.superseded

    @property
    def place(self) -> tuple[tuple[str, int], ...]:
        if self.parent is None:
            return ()
        return *self.parent.place, (self.parent.name, self.number or 0)

    def shown(
        self, status: str, closed_at: datetime | None, event_ids: tuple[int, ...], *, runs_again: bool
    ) -> StateEntry:
        waits = self._waits and self.is_open and status == "RUNNING"
        return StateEntry(
            name=self.name,
            kind=self.kind,
            place=self.place,
            entered_at=self.entered_at,
            ended_at=self.exited_at or self.failed_at or closed_at,
            tries=self.tries,
            redrives=len(self.redriven),
            outcome=self._outcome(status, waits=waits),
            error=self.error,
            cause=self.cause,
            runs_again=runs_again,
            waiting_since=self.submitted_at if waits else None,
            timeout_seconds=self.last_call.get("timeoutInSeconds"),
            heartbeat_seconds=self.last_call.get("heartbeatInSeconds"),
            event_ids=event_ids,
        )

    @property
    def _waits(self) -> bool:
        return self.submitted_at is not None and str(self.last_call.get("resource", "")).endswith(_CALLBACK)

    def _outcome(self, status: str, *, waits: bool) -> StateOutcome:
        if self.exited_at is not None:
            return StateOutcome.CAUGHT if self.failure else StateOutcome.SUCCEEDED
        if self.failure is not None:
            return self.failure
        if self.superseded or status != "RUNNING":
            return StateOutcome.TIMED_OUT if status == "TIMED_OUT" and not self.superseded else StateOutcome.ABORTED
        return StateOutcome.WAITING if waits else StateOutcome.RUNNING


class _Index:
    """Finds entries by name, number and call, in order; linear in thousands of redriven states.

    ``is_in`` returns whether an entry is still a candidate; once False, it remains so.
    """

    def __init__(self, entries: Iterable[_Entry], is_in: Callable[[_Entry], bool]) -> None:
        self._is_in = is_in
        self._groups: dict[tuple[str | None, int | None], deque[_Entry]] = {}
        self._by_call: dict[tuple[str | None, int | None], dict[str, deque[_Entry]]] = {}
        for entry in entries:
            for key in product({None, entry.name}, {None, entry.number}):
                self._groups.setdefault(key, deque()).append(entry)

    def first(self, name: str | None, number: int | None, call: Mapping[str, Any]) -> _Entry | None:
        """Return the first entry by name, number and call, ignoring keys without entries."""
        key: tuple[str | None, int | None] = (
            (name, None) if self._first(self._groups.get((name, None))) else (None, None)
        )
        key = (key[0], number) if self._first(self._groups.get((key[0], number))) else key
        found = self._first(self._groups.get(key))
        if found is None or not call or found.last_call == call:  # usually in order
            return found
        if key not in self._by_call:
            by_call: dict[str, deque[_Entry]] = {}
            for entry in self._groups[key]:
                by_call.setdefault(_call_key(entry.last_call), deque()).append(entry)
            self._by_call[key] = by_call
        return self._first(self._by_call[key].get(_call_key(call))) or found

    def _first(self, found: deque[_Entry] | None) -> _Entry | None:
        while found and not self._is_in(found[0]):
            found.popleft()
        return found[0] if found else None


class _Reading:
    """The state after reading some of the events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.entries: list[_Entry] = []
        self.status, self.redrives = "RUNNING", 0
        self.closed_at: datetime | None = None
        self._redriven_id: int | None = None
        self._open: dict[_Entry, None] = {}  # ordered; ended entries are dropped lazily
        self._open_by_name: dict[str, list[_Entry]] = {}
        self._to_redrive: set[_Entry] = set()  # run by the last redrive, without an event so far
        self._redriven_states = _Index((), self._to_redrive.__contains__)
        self._redriven_containers: dict[str, _Index] = {}
        self._entry_of: dict[int, _Entry | None] = {}
        self._place_of: dict[int, tuple[_Entry | None, int | None]] = {}  # the place of a state entered next
        self._next: dict[int, list[Event]] = {}
        self._events = {event.id: event for event in events}
        for event in events:
            self._next.setdefault(event.previous_id, []).append(event)

    def take(self, event: Event) -> None:
        """Read the next event."""
        if event.type == "ExecutionRedriven":
            self.redrives += 1
            self.status, self.closed_at, self._redriven_id = "RUNNING", None, event.id
            self._redrive()
        elif closing := _CLOSING.fullmatch(event.type):
            self.status = {"TimedOut": "TIMED_OUT"}.get(closing[1], closing[1].upper())
            self.closed_at = event.at
            self._close(event)
        elif event.type.endswith(_ENTERED):
            self._enter(event)
        elif event.type.endswith(_EXITED):
            self._exit(event)
        else:
            self._note(event)

    def events_by_entry(self) -> dict[_Entry, list[int]]:
        """Return the event ids of each entry, in order."""
        found: dict[_Entry, list[int]] = {entry: [] for entry in self.entries}
        for event_id, entry in self._entry_of.items():
            if entry is not None:
                found[entry].append(event_id)
        return found

    def run_again(self) -> list[_Entry]:
        """Return the entries that a redrive would run now."""
        self._open = {entry: None for entry in self._open if entry.is_open}
        return _run_again(list(self._open))

    def _redrive(self) -> None:
        again = self.run_again()
        self._to_redrive = set(again)
        self._redriven_states = _Index(again, self._to_redrive.__contains__)
        self._redriven_containers = {
            kind: _Index([entry for entry in self._open if entry.kind == kind], attrgetter("is_open"))
            for kind in _CONTAINERS
        }

    def _enter(self, event: Event) -> None:
        name = event.details.get("name", "")
        if event.previous_id == self._redriven_id and (again := self._unended(event, name)):
            self._begin_again(again)  # a Wait or a Fail is entered again
            self._entry_of[event.id] = again
            return
        parent, number = self._place(event.previous_id)
        entry = _Entry(name, event.type.removesuffix(_ENTERED), parent, number, event.at)
        self.entries.append(entry)
        self._open[entry] = None
        self._open_by_name.setdefault(name, []).append(entry)
        if parent is not None:
            parent.children.append(entry)
        self._entry_of[event.id] = entry

    def _place(self, previous_id: int) -> tuple[_Entry | None, int | None]:
        """Return the container and number of a state entered after an event."""
        if previous_id in self._place_of:
            parent, number = self._place_of[previous_id]
            if parent is not None and number is None:  # the first state of a further branch
                number, parent.branches = parent.branches, parent.branches + 1
            return parent, number
        before = self._entry_of.get(previous_id)
        return (before.parent, before.number) if before else (None, None)

    def _exit(self, event: Event) -> None:
        entry = self._above(event, lambda one: one.name == event.details.get("name"))
        self._entry_of[event.id] = entry
        if entry is not None:
            entry.exited_at = event.at
            self._supersede_children(entry)

    def _note(self, event: Event) -> None:
        entry = self._of_container(event) if _OF_CONTAINER.fullmatch(event.type) else self._of_task(event)
        self._entry_of[event.id] = entry
        if entry is None:
            return
        if event.type == "MapIterationStarted":
            self._place_of[event.id] = (entry, event.details.get("index", 0))
        elif _ATTEMPT.fullmatch(event.type):
            self._begin_attempt(entry, event)
        elif event.type == "TaskSubmitted":
            entry.submitted_at = event.at
        else:
            self._end_attempt(entry, event)

    def _end_attempt(self, entry: _Entry, event: Event) -> None:
        if _TASK_FAILURE.fullmatch(event.type):
            self._fail(entry, event)
        elif event.type.endswith("StateFailed"):
            entry.failure, entry.failed_at = StateOutcome.FAILED, event.at
            self._take_error_of_child(entry, event)
        elif event.type == "MapIterationFailed":
            self._take_error_of_child(entry, event)
        elif event.type.endswith("Succeeded"):
            entry.failure = entry.failed_at = None

    def _of_task(self, event: Event) -> _Entry | None:
        if event.type == "EvaluationFailed" and (name := event.details.get("state")):
            # Its previous event is before the state, so the state is the last entry of that name.
            return self._entered_last(name)
        if event.previous_id != self._redriven_id:
            return self._entry_of.get(event.previous_id)
        if again := self._unended(event):
            self._begin_again(again)
        return again

    def _entered_last(self, name: str) -> _Entry | None:
        found = self._open_by_name.get(name, [])
        while found and not found[-1].is_open:
            found.pop()
        return found[-1] if found else None

    def _of_container(self, event: Event) -> _Entry | None:
        kind = "Parallel" if event.type.startswith("Parallel") else "Map"
        name = event.details.get("name") if event.type.startswith("MapIteration") else None
        if event.previous_id == self._redriven_id:
            again = self._unended(event, name, kind)
            if again and event.type.startswith("MapRun"):
                self._begin_again(again)  # a distributed Map's children are executions of their own
            return again
        return self._above(event, lambda one: one.kind == kind and name in (None, one.name))

    def _above(self, event: Event, is_it: Any) -> _Entry | None:
        """Return the entry of an event: the nearest match around its previous event."""
        entry = self._entry_of.get(event.previous_id)
        while entry is not None and not (is_it(entry) and entry.exited_at is None):
            entry = entry.parent
        return entry

    def _begin_attempt(self, entry: _Entry, event: Event) -> None:
        entry.tries += 1
        entry.failure = entry.failed_at = entry.submitted_at = None
        if entry.kind in _CONTAINERS:
            self._supersede_children(entry)
            entry.branches = 0
            self._place_of[event.id] = (entry, None)
        else:
            entry.last_call = event.details

    def _fail(self, entry: _Entry, event: Event) -> None:
        timed_out = event.type.endswith("TimedOut")
        entry.failure, entry.failed_at = (StateOutcome.TIMED_OUT if timed_out else StateOutcome.FAILED), event.at
        entry.error = str(event.details.get("error") or ("States.Timeout" if timed_out else ""))
        entry.cause = str(event.details.get("cause") or "")

    def _take_error_of_child(self, container: _Entry, event: Event) -> None:
        child = self._entry_of.get(event.previous_id)
        if child is not None and child is not container:
            container.error, container.cause = child.error, child.cause

    def _close(self, event: Event) -> None:
        """Assign the execution's error to a state without a failure event."""
        entry = self._entry_of.get(event.previous_id) or next(iter(self.run_again()), None)
        while self.status == "FAILED" and entry is not None and entry.is_open:
            if entry.failure is None:
                self._fail(entry, event)
            entry = entry.parent

    def _supersede_children(self, container: _Entry) -> None:
        for entry in container.children:
            if entry.exited_at is None:
                entry.superseded = True
                self._supersede_children(entry)
        container.children.clear()  # superseded for ever

    def _begin_again(self, entry: _Entry) -> None:
        entry.redriven.add(self.redrives)
        self._to_redrive.discard(entry)
        around: _Entry | None = entry
        while around is not None:
            around.failure = around.failed_at = None
            around = around.parent

    def _unended(self, event: Event, name: str | None = None, kind: str | None = None) -> _Entry | None:
        """Return the entry of an event after a redrive: by name, call or order."""
        followed, iteration = self._followed(event)
        index = self._redriven_states if kind is None else self._redriven_containers[kind]
        return index.first(name or followed, iteration, event.details)

    def _followed(self, event: Event) -> tuple[str | None, int | None]:
        """Return the state that exits and the iteration that ends after an event."""
        name = None
        following: Event | None = event
        while following is not None:
            if following.type.startswith("MapIteration"):
                return name, following.details.get("index")
            if following.type.endswith(_EXITED) and name is None:
                name = following.details.get("name")
            after = self._next.get(following.id, [])
            following = after[0] if after else None
        return name, None


def _call_key(call: Mapping[str, Any]) -> str:
    return json.dumps(call, sort_keys=True, default=str)


def _run_again(entries: Sequence[_Entry]) -> list[_Entry]:
    """Return the innermost open entries.

    After States.DataLimitExceeded, a container runs again as a whole.
    """
    unended = [entry for entry in entries if entry.is_open]
    whole = {id(entry) for entry in unended if entry.kind in _CONTAINERS and entry.error == _DATA_LIMIT}
    around = {id(entry.parent) for entry in unended if entry.parent is not None} - whole
    return [
        entry for entry in unended if id(entry) not in around and not any(id(one) in whole for one in _parents(entry))
    ]


def _parents(entry: _Entry) -> list[_Entry]:
    return [] if entry.parent is None else [entry.parent, *_parents(entry.parent)]
