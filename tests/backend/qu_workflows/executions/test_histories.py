import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qu_workflows.executions.histories import History, StateOutcome, read_history
from qu_workflows.executions.step_functions import history_of
from tests.backend.qu_workflows.operated import Operated

START = datetime(2026, 11, 24, 8, tzinfo=UTC)

type Listed = tuple[str, int, dict[str, Any]]


def history(*listed: Listed) -> History:
    """Read events, given as type, previous id and details, one per second."""
    return read_history(
        {"id": number, "previousEventId": previous, "type": kind, "timestamp": at, "someEventDetails": details}
        for number, (kind, previous, details) in enumerate(listed, 1)
        for at in [START + timedelta(seconds=number)]
    )


STARTED: Listed = ("ExecutionStarted", 0, {})


def entered(name: str, previous: int, kind: str = "Task") -> Listed:
    return f"{kind}StateEntered", previous, {"name": name}


def exited(name: str, previous: int, kind: str = "Task") -> Listed:
    return f"{kind}StateExited", previous, {"name": name}


def outcomes(found: History) -> dict[str, str]:
    return {entry.label: entry.outcome.value for entry in found.entries}


def test_a_state_has_its_time_its_tries_and_its_last_error() -> None:
    found = history(
        STARTED,
        entered("Load", 0),
        ("LambdaFunctionScheduled", 2, {}),
        ("LambdaFunctionTimedOut", 3, {}),
        ("LambdaFunctionScheduled", 4, {}),
        ("LambdaFunctionSucceeded", 5, {}),
        exited("Load", 6),
        ("ExecutionSucceeded", 7, {}),
    )

    [entry] = found.entries
    assert (entry.name, entry.kind, entry.tries, entry.outcome) == ("Load", "Task", 2, StateOutcome.SUCCEEDED)
    assert (entry.seconds(START), entry.error) == (5, "States.Timeout")
    assert (found.status, found.running_again) == ("SUCCEEDED", ())


def test_a_caught_error_is_shown_as_caught() -> None:
    found = history(
        STARTED,
        entered("Load", 0),
        ("TaskScheduled", 2, {}),
        ("TaskFailed", 3, {"error": "Broken", "cause": "so"}),
        exited("Load", 4),
        entered("Repair", 5, "Pass"),
        exited("Repair", 6, "Pass"),
        ("ExecutionSucceeded", 7, {}),
    )

    assert outcomes(found) == {"Load": "caught", "Repair": "succeeded"}
    assert (found.entries[0].error, found.entries[0].cause) == ("Broken", "so")


def test_a_task_waiting_for_a_callback_has_its_start_and_limit() -> None:
    call = {"resource": "invoke.waitForTaskToken", "timeoutInSeconds": 600, "heartbeatInSeconds": 60}
    found = history(STARTED, entered("Ask", 0), ("TaskScheduled", 2, call), ("TaskStarted", 3, {}))
    assert outcomes(found) == {"Ask": "running"}

    found = history(
        STARTED, entered("Ask", 0), ("TaskScheduled", 2, call), ("TaskStarted", 3, {}), ("TaskSubmitted", 4, {})
    )

    [entry] = found.waiting
    assert (entry.outcome, entry.waiting_since) == (StateOutcome.WAITING, START + timedelta(seconds=5))
    assert (entry.timeout_seconds, entry.heartbeat_seconds) == (600, 60)
    assert entry.seconds(START + timedelta(seconds=12)) == 10


def test_branches_are_numbered_in_the_order_in_which_they_began() -> None:
    found = history(
        STARTED,
        entered("Both", 0, "Parallel"),
        ("ParallelStateStarted", 2, {}),
        entered("Left", 3),
        entered("Right", 3),
        ("TaskScheduled", 5, {}),
        ("TaskFailed", 6, {"error": "Broken"}),
        ("ParallelStateFailed", 7, {}),
        ("ExecutionFailed", 8, {"error": "Broken"}),
    )

    assert outcomes(found) == {"Both": "failed", "Left (Both 0)": "aborted", "Right (Both 1)": "failed"}
    assert [entry.label for entry in found.running_again] == ["Left (Both 0)", "Right (Both 1)"]


def test_a_retried_container_drops_the_states_of_its_first_attempt() -> None:
    found = history(
        STARTED,
        entered("Each", 0, "Map"),
        ("MapStateStarted", 2, {"length": 1}),
        ("MapIterationStarted", 3, {"name": "Each", "index": 0}),
        entered("Work", 4),
        ("TaskScheduled", 5, {}),
        ("TaskFailed", 6, {"error": "Broken"}),
        ("MapIterationFailed", 7, {"name": "Each", "index": 0}),
        ("MapStateFailed", 8, {}),
        ("MapStateStarted", 9, {"length": 1}),
        ("MapIterationStarted", 10, {"name": "Each", "index": 0}),
        entered("Work", 11),
    )

    assert [(entry.label, entry.outcome) for entry in found.entries] == [
        ("Each", StateOutcome.RUNNING),
        ("Work (Each 0)", StateOutcome.FAILED),
        ("Work (Each 0)", StateOutcome.RUNNING),
    ]
    assert found.entries[0].tries == 2
    assert [entry.entered_at for entry in found.running_again] == [START + timedelta(seconds=12)]


def test_after_the_data_limit_a_map_runs_again_as_a_whole() -> None:
    limit = {"error": "States.DataLimitExceeded"}
    found = history(
        STARTED,
        entered("Each", 0, "Map"),
        ("MapStateStarted", 2, {"length": 2}),
        ("MapIterationStarted", 3, {"name": "Each", "index": 0}),
        entered("Work", 4),
        ("TaskScheduled", 5, {}),
        ("TaskFailed", 6, limit),
        ("MapIterationFailed", 7, {"name": "Each", "index": 0}),
        ("MapStateFailed", 8, {}),
        ("ExecutionFailed", 9, limit),
    )

    assert [entry.label for entry in found.running_again] == ["Each"]


def test_an_expression_that_fails_is_of_the_state_it_names() -> None:
    found = history(
        STARTED,
        entered("Pick", 0, "Pass"),
        ("EvaluationFailed", 0, {"state": "Pick", "error": "States.QueryEvaluationError", "cause": "undefined"}),
        ("ExecutionFailed", 3, {"error": "States.QueryEvaluationError"}),
    )

    assert outcomes(found) == {"Pick": "failed"}
    assert found.entries[0].cause == "undefined"


@pytest.mark.parametrize(("closing", "outcome"), [("TimedOut", "timed out"), ("Aborted", "aborted")])
def test_what_ran_when_the_execution_was_ended_ended_with_it(closing: str, outcome: str) -> None:
    found = history(STARTED, entered("Later", 0, "Wait"), (f"Execution{closing}", 2, {}))

    assert outcomes(found) == {"Later": outcome}
    assert [entry.label for entry in found.running_again] == ["Later"]
    assert found.entries[0].ended_at == START + timedelta(seconds=3)


def test_a_redriven_fail_state_is_one_entry() -> None:
    failing: list[Listed] = [STARTED, entered("Broken", 0, "Fail"), ("ExecutionFailed", 2, {"error": "Broken"})]
    found = history(
        *failing,
        ("ExecutionRedriven", 3, {"redriveCount": 1}),
        entered("Broken", 4, "Fail"),
        ("ExecutionFailed", 5, {"error": "Broken"}),
    )

    assert [(entry.label, entry.redrives, entry.outcome) for entry in found.entries] == [("Broken", 1, "failed")]
    assert (found.status, found.redrives) == ("FAILED", 1)


def test_a_redriven_distributed_map_is_one_entry() -> None:
    listed: list[Listed] = [
        STARTED,
        entered("Each", 0, "Map"),
        ("MapStateStarted", 2, {}),
        ("MapRunStarted", 3, {"mapRunArn": "arn"}),
        ("MapRunFailed", 4, {"error": "States.ExceedToleratedFailureThreshold"}),
        ("MapStateFailed", 5, {}),
        ("ExecutionFailed", 6, {"error": "States.ExceedToleratedFailureThreshold"}),
        ("ExecutionRedriven", 7, {"redriveCount": 1}),
        ("MapRunRedriven", 8, {"mapRunArn": "arn", "redriveCount": 1}),
    ]
    assert outcomes(history(*listed[:7])) == {"Each": "failed"}
    assert outcomes(history(*listed)) == {"Each": "running"}

    found = history(*listed, ("MapRunSucceeded", 9, {}), ("MapStateSucceeded", 10, {}), exited("Each", 11, "Map"))

    assert [(entry.label, entry.redrives, entry.outcome) for entry in found.entries] == [("Each", 1, "succeeded")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rounds", [[], [{2}], [{1, 2, 3}], [{1, 3}, {3}], [{1, 2}, {1, 2}, {2}]])
def test_each_iteration_of_a_redriven_map_has_its_own_attempts(operated: Operated, rounds: list[set[int]]) -> None:
    """A failure aborts concurrent iterations, some of which were never called."""
    record = operated.run(*(rounds[0] if rounds else ()))
    for broken in [*rounds[1:], set[int]()] if rounds else []:
        operated.broken = broken
        operated.sfn.redrive_execution(executionArn=record.execution_arn)
        operated.followed(record)

    found = history_of(record.execution_arn)

    work = [entry for entry in found.entries if entry.name == "Work"]
    assert {entry.place for entry in work} == {(("Process", number),) for number in range(3)}
    calls = Counter(
        json.loads(event.details["input"])["item"]
        for event in found.events
        if event.type == "LambdaFunctionScheduled" and event.details["input"].startswith('{"item"')
    )
    assert {entry.place[0][1] + 1: entry.tries for entry in work} == calls
    assert found.redrives == len(rounds)
    assert (found.status, found.running_again) == ("SUCCEEDED", ())
    assert {entry.outcome for entry in found.entries} == {StateOutcome.SUCCEEDED}


def redriven_map(length: int, rounds: int, *, inputs_differ: bool, ends: bool) -> list[Listed]:
    """A Map that fails and is redriven, with all its iterations under way at once."""
    listed: list[Listed] = [STARTED, entered("Each", 0, "Map"), ("MapStateStarted", 2, {"length": length})]
    calls = [{"input": f'{{"item":{number * inputs_differ}}}'} for number in range(length)]
    for number, call in enumerate(calls):
        listed += [
            ("MapIterationStarted", 3, {"name": "Each", "index": number}),
            entered("Work", len(listed) + 1),
            ("LambdaFunctionScheduled", len(listed) + 2, call),
        ]
    last = [6 + 3 * number for number in range(length)]
    for count in range(1, rounds + 1):
        failed = last[0]
        listed += [
            ("LambdaFunctionFailed", failed, {"error": "Broken"}),
            ("MapIterationFailed", len(listed) + 1, {"name": "Each", "index": 0}),
            ("MapStateFailed", len(listed) + 2, {}),
            ("ExecutionFailed", len(listed) + 3, {"error": "Broken"}),
            ("ExecutionRedriven", len(listed) + 4, {"redriveCount": count}),
        ]
        redriven = len(listed)
        last = [redriven + 1 + number for number in range(length)]
        listed += [("LambdaFunctionScheduled", redriven, call) for call in calls[::-1]]
    for number in range(length) if ends else ():
        listed += [
            ("LambdaFunctionSucceeded", last[-1 - number] if rounds else last[number], {}),
            exited("Work", len(listed) + 1),
            ("MapIterationSucceeded", len(listed) + 2, {"name": "Each", "index": number}),
        ]
    return listed


@pytest.mark.parametrize("inputs_differ", [True, False])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_the_work_of_reading_grows_with_the_events_and_no_faster(
    rounds: int, *, ends: bool, inputs_differ: bool
) -> None:
    def work(length: int) -> int:
        listed, calls = redriven_map(length, rounds, inputs_differ=inputs_differ, ends=ends), 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        before = sys.getprofile()
        sys.setprofile(count)
        found = history(*listed)
        sys.setprofile(before)
        assert [(entry.tries, entry.redrives) for entry in found.entries[1:]] == [(1 + rounds, rounds)] * length
        return calls

    assert work(400) < 5 * work(100)
