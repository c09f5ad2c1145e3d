"""Redrive, following AWS's page.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import pytest

from asl_engine.core.commands import RedriveMapRun, SetTimer, StartMapRun
from asl_engine.core.events import MapRunEnded, Redrive, Start, Stop, TaskSucceeded
from asl_engine.core.execution import Status
from asl_engine.jsontext import Json
from tests.workflows.engine.core.drive import START_MS, Drive, Failure, machine, task

PASS = {"Type": "Pass"}
DAY_MS = 86_400_000
LAUNCHED_MS = 1_700_006_400_000


def parallel(*branches: dict[str, Json], **fields: Json) -> dict[str, Json]:
    return {"Type": "Parallel", "Branches": list(branches), **fields}


def redriven(drive: Drive) -> list[str]:
    """Redrive an execution and return the types of the new events."""
    before = drive.last.id
    drive.send(Redrive())
    drive.run()
    return drive.types(since=before)


# --- what reruns ---


def test_the_failed_task_runs_again_and_finished_states_do_not() -> None:
    definition = machine(
        ("First", task(ResultPath="$.first")), ("Second", task(ResultPath="$.second")), ("After", PASS)
    )
    drive = Drive(definition, {}, tasks={"First": ["a"], "Second": [Failure("Bad"), "b"]}).start()
    failed = drive.last

    assert redriven(drive) == [
        "ExecutionRedriven",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert drive.output == {"first": "a", "second": "b"}
    assert (drive.count("First"), drive.count("Second")) == (1, 2)
    event = drive.of("ExecutionRedriven")[0]
    assert (event.id, event.previous_id, event.details) == (failed.id + 1, failed.id, {"redriveCount": 1})
    assert (drive.execution.redrive_count, drive.execution.error) == (1, None)


def test_each_redrive_is_counted() -> None:
    drive = Drive(machine(("Do", task())), tasks={"Do": [Failure("Bad"), Failure("Bad"), 1]}).start()
    redriven(drive)
    redriven(drive)

    assert [event.details["redriveCount"] for event in drive.of("ExecutionRedriven")] == [1, 2]
    assert drive.output == 1


def test_the_context_object_has_the_redrive() -> None:
    state = task(Parameters={"count.$": "$$.Execution.RedriveCount"})
    drive = Drive(machine(("Do", state)), tasks={"Do": [Failure("Bad"), 1]}).start()
    redriven(drive)

    assert [command.parameters["count"] for command in drive.invoked] == [0, 1]


def test_retriers_count_from_zero() -> None:
    retry = [{"ErrorEquals": ["Bad"], "MaxAttempts": 1}]
    drive = Drive(machine(("Do", task(Retry=retry))), tasks={"Do": [Failure("Bad")] * 3 + [1]}).start()
    assert drive.count("Do") == 2

    redriven(drive)

    assert (drive.count("Do"), drive.output) == (4, 1)


def test_timeouts_restart() -> None:
    drive = Drive(machine(("Do", task(TimeoutSeconds=20)), TimeoutSeconds=30))
    drive.start()
    assert drive.execution.stop_ms == START_MS + 20_000
    at_ms = drive.now_ms = START_MS + 1_000_000
    drive.send(Redrive())

    timers = [command.at_ms for command in drive.commands if isinstance(command, SetTimer)]
    assert timers[-2:] == [at_ms + 30_000, at_ms + 20_000]
    assert drive.run().execution.stop_ms == at_ms + 20_000


def test_a_fail_state_is_entered_again_and_fails_again() -> None:
    drive = Drive(machine(("No", {"Type": "Fail", "Error": "Bad"}))).start()

    assert redriven(drive) == ["ExecutionRedriven", "FailStateEntered", "ExecutionFailed"]


def test_the_rules_of_a_choice_are_evaluated_again() -> None:
    drive = Drive(
        machine(
            ("Which", {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "End"}]}),
            ("End", PASS),
        ),
        {"n": 2},
    ).start()

    assert redriven(drive) == ["ExecutionRedriven", "ExecutionFailed"]


@pytest.mark.parametrize(("later_ms", "ends_ms"), [(1000, 60_000), (90_000, 90_000)])
def test_a_wait_keeps_its_end_even_if_that_is_past(later_ms: int, ends_ms: int) -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", "Seconds": 60})))
    drive.send(Start())
    drive.send(Stop())
    drive.due.clear()
    drive.now_ms = START_MS + later_ms

    assert redriven(drive) == ["ExecutionRedriven", "WaitStateExited", "ExecutionSucceeded"]
    assert drive.execution.stop_ms == START_MS + ends_ms


def test_a_state_stopped_in_its_back_off_runs_at_once() -> None:
    retry = [{"ErrorEquals": ["Bad"], "IntervalSeconds": 1000}]
    drive = Drive(
        machine(("Do", task(Retry=retry)), ("Wait", {"Type": "Wait", "Seconds": 60})), tasks={"Do": [Failure("Bad"), 1]}
    )
    drive.send(Start())
    drive.run(until_ms=START_MS + 10)
    drive.send(Stop())
    drive.due.clear()
    redriven(drive)

    assert drive.execution.stop_ms == START_MS + 10 + 1 + 60_000


def test_an_execution_that_was_stopped_between_two_states_enters_the_next() -> None:
    loop = machine(("Loop", PASS | {"Next": "Loop"}))
    drive = Drive(loop)
    drive.send(Start())
    drive.send(Stop())
    before = drive.last.id
    drive.send(Redrive())

    assert drive.types(since=before)[:2] == ["ExecutionRedriven", "PassStateEntered"]


def test_only_the_branches_that_failed_or_were_aborted_rerun() -> None:
    branches = [machine((name, task())) for name in ("Done", "Bad", "Slow")]
    drive = Drive(machine(("All", parallel(*branches))), tasks={"Done": ["a"], "Bad": [Failure("Bad"), "b"]})
    drive.start()
    redriven_at = drive.last.id + 1
    drive.send(Redrive())
    drive.run()
    slow = drive.invoked[-1]
    assert slow.state == "Slow"
    drive.send(TaskSucceeded(slow.branch_id, slow.token, "c"))

    assert drive.output == ["a", "b", "c"]
    assert [drive.count(name) for name in ("Done", "Bad", "Slow")] == [1, 2, 2]
    assert {event.previous_id for event in drive.of("LambdaFunctionScheduled")[3:]} == {redriven_at}
    assert len(drive.of("ParallelStateStarted")) == 1


def test_failed_iterations_rerun_and_pending_ones_follow() -> None:
    failing = [Failure("Bad")]

    def answer(item: int) -> int:
        if item == 1 and failing:
            raise failing.pop()
        return item * 10

    state = {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": machine(("Do", task()))}
    drive = Drive(machine(("Each", state)), [0, 1, 2, 3], tasks={"Do": [answer]}).start()
    assert drive.status is Status.FAILED

    redriven(drive)

    assert drive.output == [0, 10, 20, 30]
    assert sorted(command.parameters for command in drive.invoked) == [0, 1, 1, 2, 2, 3]
    assert drive.execution.branches == {}


def test_all_branches_rerun_if_their_results_were_too_large() -> None:
    big = "x" * 150_000
    branches = [machine((name, task())) for name in ("One", "Other")]
    drive = Drive(machine(("All", parallel(*branches))), tasks={"One": [big], "Other": [big, "small"]}).start()
    assert drive.execution.error == "States.DataLimitExceeded"

    redriven(drive)

    assert [drive.count(name) for name in ("One", "Other")] == [2, 2]
    assert drive.output == [big, "small"]


def test_a_parallel_that_failed_after_its_branches_does_not_rerun_them() -> None:
    branches = [machine((name, task())) for name in ("One", "Other")]
    state = parallel(*branches, ResultSelector={"v.$": "$.missing"})
    drive = Drive(machine(("All", state)), tasks={"One": [1], "Other": [2]}).start()

    assert redriven(drive) == ["ExecutionRedriven", "ParallelStateSucceeded", "ExecutionFailed"]
    assert [drive.count(name) for name in ("One", "Other")] == [1, 1]


def test_an_inner_branch_reruns_from_its_failed_state() -> None:
    inner = machine(("First", task()), ("Second", task()))
    outer = machine(("Inner", parallel(inner)))
    drive = Drive(machine(("All", parallel(outer))), tasks={"First": [1], "Second": [Failure("Bad"), 2]}).start()

    redriven(drive)

    assert (drive.count("First"), drive.count("Second"), drive.output) == (1, 2, [[2]])


def test_a_state_that_failed_by_states_runtime_reruns() -> None:
    drive = Drive(machine(("All", parallel(machine(("Bad", PASS | {"Parameters": {"v.$": "$.nope"}})))))).start()

    assert redriven(drive) == ["ExecutionRedriven", "ExecutionFailed"]


# --- Map Runs ---

DISTRIBUTED = {
    "Type": "Map",
    "ItemProcessor": machine(("Do", task()), ProcessorConfig={"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}),
}


def of_map_run(**fields: Json) -> tuple[Drive, StartMapRun]:
    drive = Drive(machine(("Each", DISTRIBUTED | fields)), [1, 2])
    drive.send(Start())
    started = drive.commands[-1]
    assert isinstance(started, StartMapRun)
    return drive, started


def test_a_failed_map_run_is_redriven_under_its_arn() -> None:
    drive, started = of_map_run()
    drive.send(MapRunEnded(started.branch_id, started.token, error="Bad", cause="because"))

    assert redriven(drive) == ["ExecutionRedriven", "MapRunRedriven"]
    command = drive.commands[-1]
    assert isinstance(command, RedriveMapRun)
    assert command.map_run_arn == started.map_run_arn
    assert drive.last.details == {"mapRunArn": started.map_run_arn, "redriveCount": 1}
    drive.send(MapRunEnded(command.branch_id, command.token, [3, 4]))
    assert drive.output == [3, 4]


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({}, {"error": "States.DataLimitExceeded"}),
        ({"ResultSelector": {"v.$": "$.missing"}}, {"output": [1, 2]}),
    ],
)
def test_a_new_map_run_starts_without_children_to_rerun(fields: dict[str, Json], end: dict[str, Json]) -> None:
    drive, started = of_map_run(**fields)
    drive.send(MapRunEnded(started.branch_id, started.token, **end))

    assert redriven(drive) == ["ExecutionRedriven", "MapStateStarted", "MapRunStarted"]
    command = drive.commands[-1]
    assert isinstance(command, StartMapRun)
    assert command.map_run_arn != started.map_run_arn
