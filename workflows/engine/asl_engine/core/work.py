"""The working state of one call of ``advance``."""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from asl_engine.core.commands import CancelTask, Command, SetTimer
from asl_engine.core.execution import Branch, Execution, Phase
from asl_engine.core.history import HistoryEvent
from asl_engine.definition.program import MapState, ParallelState, Program, State
from asl_engine.jsontext import Json, dumps
from asl_engine.language.env import uuid_of

# AWS's hard limits. After 24,999 events only one that closes the execution fits.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_EVENTS = 25_000
MAX_OPEN_MS = 365 * 86_400_000
_MAX_EXPRESS_SECONDS = 300
PROCESSOR = -1  # a Map's item processor in a route; a Parallel's branch has its number

_CLOSING = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"})


class Step(NamedTuple):
    """The changed execution, the events to append, and the commands to perform afterwards."""

    execution: Execution
    history: list[HistoryEvent]
    commands: list[Command]


def any_activity(_arn: str) -> bool:
    """Return True: where activities are not registered, all exist."""
    return True


class HistoryFull(Exception):
    """The history has only room for the event that closes the execution."""


class Work:
    """The execution of a step, with the events and commands written so far."""

    __slots__ = (
        "_text",
        "_value",
        "activity_exists",
        "commands",
        "draw",
        "execution",
        "given_context",
        "history",
        "inspection",
        "max_events",
        "now_ms",
        "program",
        "programs",
        "ready",
    )

    def __init__(
        self,
        program: Program,
        execution: Execution,
        now_ms: int,
        draw: Callable[[], float],
        activity_exists: Callable[[str], bool] = any_activity,
    ) -> None:
        self.program, self.execution, self.now_ms, self.draw = program, execution, now_ms, draw
        self.activity_exists = activity_exists
        self.history: list[HistoryEvent] = []
        self.commands: list[Command] = []
        self.ready: deque[Branch] = deque()
        self.programs: dict[tuple[tuple[str, int], ...], Program] = {(): program}
        self._value: Json = None
        self._text = "null"
        self.given_context: dict[str, Json] | None = None  # TestState's
        self.inspection: dict[str, Json] | None = None  # the value of each step of the data flow, for TestState
        self.max_events = 1 << 62 if execution.express else MAX_EVENTS  # an Express history has no limit

    # --- history ---

    def note(self, previous_id: int, kind: str, details: dict[str, Any] | None = None) -> int:
        """Write an event beside a branch's chain; return its id."""
        execution = self.execution
        event_id = execution.next_event_id
        if event_id >= self.max_events and kind not in _CLOSING:
            raise HistoryFull
        execution.next_event_id = event_id + 1
        self.history.append(HistoryEvent(event_id, previous_id, kind, self.now_ms, {} if details is None else details))
        return event_id

    def emit(self, branch: Branch, kind: str, details: dict[str, Any] | None = None) -> int:
        """Write the branch's next event; return its id."""
        event_id = branch.last_event_id = self.note(branch.last_event_id, kind, details)
        return event_id

    # --- programs ---

    def program_of(self, branch: Branch) -> Program:
        """Return the program that a branch runs in."""
        found = self.programs.get(branch.route)
        return found if found is not None else self._resolve(branch.route)

    def _resolve(self, route: tuple[tuple[str, int], ...]) -> Program:
        program = self.program
        for name, number in route:
            state = program.states[name]
            if isinstance(state, MapState):
                program = state.processor
            elif isinstance(state, ParallelState):
                program = state.branches[number]
        self.programs[route] = program
        return program

    def state_of(self, branch: Branch) -> State:
        """Return the state that a branch is in or about to enter."""
        return self.program_of(branch).states[branch.state]

    # --- branches ---

    def touch(self, branch: Branch) -> None:
        """Save the branch with this step."""
        self.execution.changed.add(branch.id)

    def wake(self, branch: Branch) -> None:
        """Continue a branch within this step."""
        self.ready.append(branch)

    def add_children(self, parent: Branch, routes: list[tuple[tuple[str, int], ...]]) -> list[Branch]:
        """Add one pending branch per route, with consecutive ids."""
        execution = self.execution
        first = execution.next_branch_id
        execution.next_branch_id = first + len(routes)
        children = []
        for index, route in enumerate(routes):
            child = Branch(
                first + index, parent.id, route, index, self._start_of(route), Phase.PENDING, variables=parent.variables
            )
            execution.branches[child.id] = child
            children.append(child)
        execution.changed.update(range(first, first + len(routes)))
        parent.first_child_id, parent.child_count = first, len(routes)
        return children

    def _start_of(self, route: tuple[tuple[str, int], ...]) -> str:
        found = self.programs.get(route)
        return (found if found is not None else self._resolve(route)).start_at

    def children_of(self, parent: Branch) -> list[Branch]:
        """Return a branch's children in order."""
        first, branches = parent.first_child_id, self.execution.branches
        return [branches[child_id] for child_id in range(first, first + parent.child_count)]

    def remove_children(self, parent: Branch) -> None:
        """Remove a branch's children, and theirs."""
        execution = self.execution
        for child in self.children_of(parent):
            if child.child_count:
                self.remove_children(child)
            del execution.branches[child.id]
            execution.changed.discard(child.id)
            execution.removed.add(child.id)
        parent.first_child_id = parent.child_count = parent.child_next = parent.child_running = parent.child_left = 0

    # --- commands ---

    def new_token(self, branch: Branch) -> int:
        """Give the branch a new token."""
        execution = self.execution
        branch.token = execution.next_token
        execution.next_token += 1
        return branch.token

    def set_timer(self, branch: Branch, at_ms: int) -> None:
        """Command a timer for the branch."""
        self.commands.append(SetTimer(branch.id, branch.token, at_ms))

    def set_execution_timeout(self) -> None:
        """Start the timeout of the whole execution, if it has one; a redrive restarts it.

        The year of a Standard execution has no timer: the first event after it ends the execution.
        """
        execution, seconds = self.execution, self.program.timeout_seconds
        if execution.express:
            seconds = min(seconds or _MAX_EXPRESS_SECONDS, _MAX_EXPRESS_SECONDS)
        if seconds is not None:
            execution.timeout_ms = self.now_ms + seconds * 1000
            self.commands.append(SetTimer(0, execution.redrive_count, execution.timeout_ms))

    def cancel(self, branch: Branch) -> None:
        """Command the cancellation of the branch's task or Map Run, if it has one."""
        if branch.phase in (Phase.TASK, Phase.MAP_RUN):
            self.commands.append(CancelTask(branch.id, branch.token))

    # --- values ---

    def text(self, value: Json) -> str:
        """Return a value as JSON. Remembers the last one."""
        if value is not self._value:
            self._value, self._text = value, dumps(value)
        return self._text

    def input_text(self, branch: Branch) -> str:
        """Return the branch's input as JSON, cached."""
        text = branch.input_text
        if text is None:
            text = branch.input_text = self.text(branch.input)
        return text

    def inspect(self, step: str, value: Json) -> None:
        """Keep the value of a step of the data flow for TestState."""
        if self.inspection is not None:
            self.inspection[step] = value

    def draw_uuid(self) -> str:
        """Return a random UUID, version 4."""
        return uuid_of(self.draw)


def value_text(value: Json) -> str:
    """Return a value as in AWS's causes: a string unquoted, else JSON."""
    return value if isinstance(value, str) else dumps(value)
