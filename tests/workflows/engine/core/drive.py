"""Drives one execution through ``advance``, without runner, store and clock."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from random import Random
from typing import Any

from asl_engine.core.advance import advance, commands_to_resume
from asl_engine.core.commands import CancelTask, Command, ContinueLater, InvokeTask, SetTimer
from asl_engine.core.events import Continue, Event, Start, TaskFailed, TaskSucceeded, TimerFired
from asl_engine.core.execution import Execution, Status
from asl_engine.core.history import HistoryEvent
from asl_engine.core.saved import branch_from_row, branch_to_row, execution_from_row, execution_to_row
from asl_engine.definition.compiler import compile_program
from asl_engine.jsontext import Json, dumps, loads

START_MS = 1_750_000_000_000
MACHINE_ARN = "arn:aws:states:us-east-1:111111111111:stateMachine:machine"
EXECUTION_ARN = "arn:aws:states:us-east-1:111111111111:execution:machine:one"


class Failure(Exception):
    """A task's answer: this error and cause."""

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause


class Drive:
    """One execution. ``tasks`` has the successive answers by state; the last one is repeated.

    An answer is a value, a Failure, or a function of the parameters. A state without answers hangs.
    """

    def __init__(
        self,
        definition: dict[str, Json],
        data: Json = None,
        *,
        tasks: Mapping[str, Iterable[Any]] | None = None,
        **about: Any,
    ) -> None:
        self.program = compile_program(definition)
        self.execution = Execution(EXECUTION_ARN, "one", MACHINE_ARN, {} if data is None else data, START_MS, **about)
        self.now_ms = START_MS
        self.history: list[HistoryEvent] = []
        self.commands: list[Command] = []
        self.invoked: list[InvokeTask] = []
        self.cancelled: set[tuple[int, int]] = set()
        self.due: list[tuple[int, int, Event]] = []
        self._answers = {name: list(answers) for name, answers in (tasks or {}).items()}
        self._asked: defaultdict[str, int] = defaultdict(int)
        self._numbers = count()
        self._random = Random(7)  # noqa: S311  the same in every run
        self.activities: set[str] | None = None  # None: all exist
        self.before_each: Callable[[], None] = lambda: None

    # --- running ---

    def start(self) -> "Drive":
        """Begin, and run until nothing is due any more."""
        self.send(Start())
        return self.run()

    def send(self, event: Event) -> list[HistoryEvent]:
        """Hand over one event; return what it added to the history."""
        self.before_each()
        step = advance(self.program, self.execution, event, self.now_ms, self._random.random, self._activity_exists)
        self.execution = step.execution
        self.execution.changed.clear()
        self.execution.removed.clear()
        self.history += step.history
        self.commands += step.commands
        for command in step.commands:
            self._act(command)
        return step.history

    def _activity_exists(self, arn: str) -> bool:
        return self.activities is None or arn in self.activities

    def run(self, until_ms: int | None = None) -> "Drive":
        """Deliver all due events in order of time, up to a time."""
        while self.due and (until_ms is None or self.due[0][0] <= until_ms):
            self.deliver(0)
        if until_ms is not None:
            self.now_ms = max(self.now_ms, until_ms)
        return self

    def deliver(self, position: int, *, again: bool = False) -> None:
        """Deliver one of the due events; with ``again`` keep it for a second delivery."""
        self.due.sort()
        at_ms, number, event = self.due[position]
        if not again:
            self.due.remove((at_ms, number, event))
        self.now_ms = max(self.now_ms, at_ms)
        self.send(event)

    def _act(self, command: Command) -> None:
        match command:
            case SetTimer(branch_id, token, at_ms):
                self._push(at_ms, TimerFired(branch_id, token))
            case ContinueLater():
                self._push(self.now_ms, Continue())
            case CancelTask(branch_id, token):
                self.cancelled.add((branch_id, token))
            case InvokeTask():
                self.invoked.append(command)
                event = self._answer(command)
                if event is not None:
                    self._push(self.now_ms + 1, event)

    def _push(self, at_ms: int, event: Event) -> None:
        heapq.heappush(self.due, (at_ms, next(self._numbers), event))

    def _answer(self, command: InvokeTask) -> Event | None:
        answers = self._answers.get(command.state)
        if not answers:
            return None
        answer = answers[min(self._asked[command.state], len(answers) - 1)]
        self._asked[command.state] += 1
        try:
            value = answer(command.parameters) if callable(answer) else answer
        except Failure as failure:
            value = failure
        if isinstance(value, Failure):
            return TaskFailed(command.branch_id, command.token, value.error, value.cause)
        return TaskSucceeded(command.branch_id, command.token, value)

    def reload(self) -> None:
        """Save the execution and load it again, as a restart does."""
        row = loads(dumps(execution_to_row(self.execution)))
        branches = [loads(dumps(branch_to_row(branch))) for branch in self.execution.branches.values()]
        assert all(dumps(branch_to_row(branch_from_row(one))) == dumps(one) for one in branches)
        self.execution = execution_from_row(row, self.execution.input, branches)

    def resume(self) -> "Drive":
        """Do again what an execution that was just loaded needs done."""
        for command in commands_to_resume(self.program, self.execution):
            self._act(command)
        return self

    # --- looking ---

    @property
    def status(self) -> Status:
        return self.execution.status

    @property
    def output(self) -> Json:
        assert self.status is Status.SUCCEEDED, self.last.details
        return self.execution.output

    @property
    def last(self) -> HistoryEvent:
        return self.history[-1]

    def types(self, since: int = 0) -> list[str]:
        """Return the types of the events after the one of that id."""
        return [event.type for event in self.history if event.id > since]

    def links(self) -> list[int]:
        """Return each event's previous id."""
        return [event.previous_id for event in self.history]

    def of(self, kind: str) -> list[HistoryEvent]:
        """Return the events of a type."""
        return [event for event in self.history if event.type == kind]

    def count(self, state: str) -> int:
        """Return how often a state's task was invoked."""
        return sum(command.state == state for command in self.invoked)


def machine(*states: tuple[str, dict[str, Json]], **fields: Json) -> dict[str, Json]:
    """Return a definition of states in a row, unless one has its own Next."""
    names = [name for name, _ in states]
    made: dict[str, Json] = {}
    for (name, state), after in zip(states, [*names[1:], None], strict=True):
        onward = (
            {}
            if state["Type"] in ("Choice", "Succeed", "Fail") or "Next" in state or "End" in state
            else ({"End": True} if after is None else {"Next": after})
        )
        made[name] = {**state, **onward}
    return {"StartAt": names[0], "States": made, **fields}


def task(resource: str = "arn:aws:lambda:us-east-1:111111111111:function:work", **fields: Json) -> dict[str, Json]:
    """Return a Task state."""
    return {"Type": "Task", "Resource": resource, **fields}
