"""The pytest fixture ``state_machine``: runs a state machine with given answers of tasks.

The fixture needs no import (``pytest_plugin.py`` registers it)::

    from asl_engine.testing import fails, in_turn


    def test_the_author_is_notified_of_an_unreadable_file(state_machine):
        result = state_machine("state_machines/guard_report.asl.json").run(
            {"report_id": 1},
            {
                "Load Report": {"files": ["front-door.jpg"]},
                "Inspect File": in_turn(fails("StorageUnavailable"), fails("UnreadableImage", "no JPEG")),
                "Send Email": lambda parameters: {"sent_to": parameters["to"]},
            },
        )

        result.assert_succeeded()
        assert result.path == ["Load Report", "Inspect Files", "Inspect File", "Reject File", "Send Email"]
        assert result.tasks["Inspect File"] == [{"file": "front-door.jpg"}] * 2

Waits, back-offs and timeouts are skipped. A task state without an answer fails the test. For ``lambda:invoke`` the
parameters are the Payload, and the answer is the function's result. Callbacks, .sync tasks and activities are answered
like any other task.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from asl_engine.adapters.performer import Ended, TaskCall, TaskError
from asl_engine.clock import SkippingClock
from asl_engine.core.history import HistoryEvent
from asl_engine.definition.resources import parse_resource
from asl_engine.in_process import Result, run
from asl_engine.jsontext import Json, dumps


@dataclass(frozen=True, slots=True)
class Failure:
    """The failure of a task."""

    error: str
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class InTurn:
    """Answers of successive attempts; the last one is repeated."""

    answers: tuple[Json, ...]


# A task state's answer: a JSON value, a Failure, several InTurn, or a function of the task's parameters.
type Answer = Json | Failure | InTurn | Callable[[Json], Json]


def fails(error: str, cause: str | None = None) -> Failure:
    """Answer with a failure."""
    return Failure(error, cause)


def in_turn(*answers: Answer) -> InTurn:
    """Answer each attempt with the next answer, and all further ones with the last."""
    if not answers:
        raise ValueError("in_turn() has no answers: give one for each attempt.")
    return InTurn(answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedResult(Result):
    """The end of an execution, with the parameters of all calls by task state."""

    tasks: Mapping[str, list[Json]] = field(repr=False)

    def assert_succeeded(self) -> None:
        """Fail the test with the history unless the execution succeeded."""
        __tracebackhide__ = True
        if self.status != "SUCCEEDED":
            pytest.fail(f"The execution ended {self.status}, not SUCCEEDED.\n{self}")

    def assert_failed(self, error: str) -> None:
        """Fail the test with the history unless the execution failed by this error."""
        __tracebackhide__ = True
        if (self.status, self.error) != ("FAILED", error):
            pytest.fail(f"The execution ended {self.status} ({self.error}), not FAILED ({error}).\n{self}")

    def __str__(self) -> str:
        end = self.status if self.error is None else f"{self.status}: {self.error}: {self.cause}"
        return "\n".join(["History:", *map("  {}".format, summary_of(self.history)), f"  {end}"])


@dataclass(frozen=True, slots=True)
class ScriptedStateMachine:
    """A state machine under test."""

    definition: str

    def run(self, input: Json = None, answers: Mapping[str, Answer] | None = None) -> ScriptedResult:  # noqa: A002  AWS's word for it
        """Run an execution with the answers of task states by name. Raises DefinitionRefused."""
        __tracebackhide__ = True
        script = _Script(answers or {})
        result = run(self.definition, input, clock=SkippingClock(), performer=script)
        if script.unanswered:
            pytest.fail(script.explain())
        return ScriptedResult(
            result.status, result.output, result.error, result.cause, result.history, tasks=dict(script.calls)
        )


class _Script:
    """Performs tasks by their answers, and records the calls."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self.calls: defaultdict[str, list[Json]] = defaultdict(list)
        self.unanswered: dict[str, TaskCall] = {}

    def perform(self, call: TaskCall) -> Json:
        invokes = call.resource.removesuffix(".waitForTaskToken").endswith(":states:::lambda:invoke")
        parameters = call.parameters.get("Payload") if invokes else call.parameters
        calls = self.calls[call.state]
        calls.append(parameters)
        if call.state not in self._answers:
            self.unanswered[call.state] = call
            raise TaskError("NoAnswerGiven", f"The test gives no answer for the state {call.state!r}.")
        answer = _give(self._answers[call.state], parameters, len(calls))
        if parse_resource(call.resource).submits:
            return Ended(answer)
        return {"ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200} if invokes else answer

    def explain(self) -> str:
        """Return a message about the task states without an answer."""
        lines = [
            f"The task state {name!r} ({call.resource}) has no answer; its parameters: {dumps(call.parameters)}"
            for name, call in self.unanswered.items()
        ]
        given = ", ".join(map(repr, self._answers)) or "none"
        return "\n".join([*lines, f"Add one by the state's name: run(input, {{name: answer}}). Given: {given}."])


def _give(answer: Answer, parameters: Json, attempt: int) -> Json:
    if isinstance(answer, InTurn):
        return _give(answer.answers[min(attempt, len(answer.answers)) - 1], parameters, attempt)
    if isinstance(answer, Failure):
        raise TaskError(answer.error, answer.cause)
    if not callable(answer):
        return answer
    try:
        return answer(parameters)
    except TaskError:
        raise
    except Exception as error:  # any exception of a function fails its task, as on Lambda
        raise TaskError(type(error).__name__, str(error)) from error


def summary_of(history: list[HistoryEvent]) -> list[str]:
    """Return a line for each entered state and each failure."""
    lines = []
    for event in history:
        details = event.details
        if event.type.endswith("StateEntered"):
            lines.append(f"{details['name']}  {_short(details.get('input'))}")
        elif event.type.endswith(("Failed", "TimedOut", "Aborted")) and not event.type.startswith("Execution"):
            lines.append(f"    {event.type}: {details.get('error')}: {_short(details.get('cause'))}")
    return lines


def _short(text: str | None, most: int = 100) -> str:
    if text is None:
        return ""
    return text if len(text) <= most else f"{text[:most]}…"


def scripted(definition: str | Path | Mapping[str, Json]) -> ScriptedStateMachine:
    """Return a state machine, from a path, a definition's text or its value."""
    if isinstance(definition, Mapping):
        return ScriptedStateMachine(dumps(dict(definition)))
    if isinstance(definition, str) and definition.lstrip().startswith("{"):
        return ScriptedStateMachine(definition)
    return ScriptedStateMachine(Path(definition).read_text(encoding="utf-8"))
