"""run(): one execution in this process."""

from collections.abc import Callable
from typing import Any

import pytest

from asl_engine.clock import SkippingClock
from asl_engine.definition.diagnostics import DefinitionRefused
from asl_engine.in_process import run

type Machine = Callable[..., dict[str, Any]]


def test_an_execution_is_run_with_functions_of_this_process(machine: Machine, task: Machine) -> None:
    result = run(machine(("Add", task("add")), ("Show", {"Type": "Pass"})), {"a": 1}, {"add": lambda given: given["a"]})

    assert (result.status, result.output, result.path) == ("SUCCEEDED", 1, ["Add", "Show"])
    assert [event.id for event in result.history] == list(range(1, len(result.history) + 1))


def test_time_is_skipped_with_a_skipping_clock(machine: Machine) -> None:
    clock = SkippingClock(0)

    result = run(machine(("W", {"Type": "Wait", "Seconds": 86_400})), clock=clock)

    assert (result.status, clock.now_ms()) == ("SUCCEEDED", 86_400_000)


def test_a_failure_has_its_error_and_cause(machine: Machine, task: Machine) -> None:
    def fail(_: Any) -> None:
        raise PermissionError("not you")

    result = run(machine(("A", task("fail"))), tasks={"fail": fail})

    assert (result.status, result.error, result.output) == ("FAILED", "PermissionError", None)
    assert "not you" in (result.cause or "")


def test_retries_wait_and_run_again(machine: Machine, task: Machine) -> None:
    calls: list[int] = []
    clock = SkippingClock(0)

    def flaky(_: Any) -> int:
        calls.append(clock.now_ms())
        if len(calls) < 3:
            raise ConnectionError
        return len(calls)

    retry = [{"ErrorEquals": ["ConnectionError"], "IntervalSeconds": 10, "BackoffRate": 3}]
    result = run(machine(("A", task("flaky", Retry=retry))), tasks={"flaky": flaky}, clock=clock)

    assert (result.output, calls) == (3, [0, 10_000, 40_000])


def test_a_function_performs_the_tasks_of_an_activity(machine: Machine) -> None:
    activity = "arn:aws:states:us-east-1:000000000000:activity:pack"

    result = run(machine(("Pack", {"Type": "Task", "Resource": activity})), 1, {activity: lambda n: n + 1})

    assert result.output == 2


def test_a_definition_with_problems_is_refused_with_all_of_them() -> None:
    with pytest.raises(DefinitionRefused) as refused:
        run({"StartAt": "Nowhere", "States": {"A": {"Type": "Pass"}}})

    assert len(refused.value.diagnostics) >= 2
