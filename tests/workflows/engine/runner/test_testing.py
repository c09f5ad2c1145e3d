"""The pytest fixture for state machines."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asl_engine.testing import ScriptedStateMachine, fails, in_turn

type Machine = Callable[..., dict[str, Any]]
type StateMachine = Callable[..., ScriptedStateMachine]

INVOKE = "arn:aws:states:::lambda:invoke"


def invoking(**fields: Any) -> dict[str, Any]:
    parameters = {"FunctionName": "f", "Payload.$": "$"}
    return {"Type": "Task", "Resource": INVOKE, "Parameters": parameters, "OutputPath": "$.Payload", **fields}


def test_each_state_gives_its_answer(state_machine: StateMachine, machine: Machine, task: Machine) -> None:
    definition = machine(("A", task("a")), ("W", {"Type": "Wait", "Seconds": 3600}), ("B", invoking()))

    result = state_machine(definition).run({"n": 1}, {"A": {"a": 2}, "B": lambda payload: payload["a"] + 1})

    result.assert_succeeded()
    assert (result.output, result.path) == (3, ["A", "W", "B"])
    assert result.tasks == {"A": [{"n": 1}], "B": [{"a": 2}]}


def test_attempts_are_answered_in_turn(state_machine: StateMachine, machine: Machine, task: Machine) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 5}]
    answers = in_turn(fails("Busy", "later"), fails("Busy"), "done")

    result = state_machine(machine(("A", task("a", Retry=retry)))).run({}, {"A": answers})

    assert (result.output, len(result.tasks["A"])) == ("done", 3)


def test_the_last_answer_stays(state_machine: StateMachine, machine: Machine, task: Machine) -> None:
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 4}]

    result = state_machine(machine(("A", task("a", Retry=retry)))).run({}, {"A": in_turn(fails("Busy", "no"))})

    result.assert_failed("Busy")
    assert (result.cause, len(result.tasks["A"])) == ("no", 5)


@pytest.mark.parametrize("pattern", [f"{INVOKE}.waitForTaskToken", "arn:aws:states:::states:startExecution.sync"])
def test_a_task_that_ends_later_is_answered_like_any_other(
    state_machine: StateMachine, machine: Machine, pattern: str
) -> None:
    parameters = {"FunctionName": "f", "Payload": {"t.$": "$$.Task.Token"}} if "lambda" in pattern else {"A": "b"}
    definition = machine(("Ask", {"Type": "Task", "Resource": pattern, "Parameters": parameters}))
    if "startExecution" in pattern:
        definition["States"]["Ask"]["Parameters"] = {"StateMachineArn": "m"}

    assert state_machine(definition).run({}, {"Ask": {"approved": True}}).output == {"approved": True}
    assert state_machine(definition).run({}, {"Ask": fails("Refused")}).error == "Refused"


def test_a_functions_exception_is_the_states_error(
    state_machine: StateMachine, machine: Machine, task: Machine
) -> None:
    def refuse(_: Any) -> None:
        raise KeyError("x")

    state_machine(machine(("A", task("a")))).run({}, {"A": refuse}).assert_failed("KeyError")


def test_a_state_without_an_answer_fails_with_a_remedy(
    state_machine: StateMachine, machine: Machine, task: Machine
) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"(?s)'A'.*has no answer.*Add one by .* Given: 'B'"):
        state_machine(machine(("A", task("a")))).run({}, {"B": 1})


def test_an_unexpected_end_shows_the_history(state_machine: StateMachine, machine: Machine, task: Machine) -> None:
    result = state_machine(machine(("A", task("a")), ("B", task("b")))).run({}, {"A": 1, "B": fails("Broken", "it is")})

    with pytest.raises(pytest.fail.Exception, match=r"(?s)ended FAILED, not SUCCEEDED.*A .*B .*Failed: Broken: it is"):
        result.assert_succeeded()
    with pytest.raises(pytest.fail.Exception, match=r"ended FAILED \(Broken\), not FAILED \(Other\)"):
        result.assert_failed("Other")


def test_a_definition_is_given_as_a_file_a_text_or_a_value(
    state_machine: StateMachine, machine: Machine, tmp_path: Path
) -> None:
    text = json.dumps(machine(("A", {"Type": "Pass"})))
    (tmp_path / "one.asl.json").write_text(text)

    for given in (tmp_path / "one.asl.json", str(tmp_path / "one.asl.json"), text, json.loads(text)):
        assert state_machine(given).run(7).output == 7


def test_an_answer_in_turn_needs_one() -> None:
    with pytest.raises(ValueError, match="give one for each attempt"):
        in_turn()


def test_the_fixture_needs_no_import_and_may_be_registered_twice(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["asl_engine.pytest_plugin"]')
    (tmp_path / "test_one.py").write_text(
        "MACHINE = {'StartAt': 'A', 'States': {'A': {'Type': 'Pass', 'End': True}}}\n"
        "def test_one(state_machine):\n    state_machine(MACHINE).run().assert_succeeded()\n"
    )

    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:django",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
