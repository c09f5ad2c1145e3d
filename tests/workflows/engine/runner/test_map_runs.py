"""Map Runs: child executions, tolerance, redrive and restart."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto import mock_aws

from asl_engine.clock import SystemClock
from asl_engine.store.records import ExecutionFilter

type Machine = Callable[..., dict[str, Any]]


def distributed(processor: dict[str, Any], kind: str = "STANDARD", **fields: Any) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    return {"Type": "Map", "Label": "Each", "ItemProcessor": {**processor, "ProcessorConfig": config}, **fields}


def map_run_arn(bench: Any, arn: str) -> str:
    [document] = bench.store.documents("map_run", arn)
    return str(document.key)


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
@pytest.mark.parametrize("workers", [0, 4])
def test_every_item_runs_in_a_child_execution_of_its_own(
    bench: Any, machine: Machine, task: Machine, kind: str, workers: int
) -> None:
    runner = bench.runner_with({"double": lambda n: n * 2}, workers=workers)

    record = bench.run(machine(("Map", distributed(machine(("D", task("double"))), kind))), given=[1, 2, 3])

    assert (record.status, record.output) == ("SUCCEEDED", "[2,4,6]")
    arn = map_run_arn(bench, record.arn)
    described = runner.map_runs.describe(arn)
    assert (described["status"], described["executionArn"]) == ("SUCCEEDED", record.arn)
    assert {name: count for name, count in described["itemCounts"].items() if count} == {"succeeded": 3, "total": 3}
    children = bench.store.executions(ExecutionFilter(map_run_arn=arn))
    assert {child.state_machine_arn for child in children} == {f"{bench.place}:stateMachine:orders/Each"}
    assert {bench.store.history_length(child.arn) > 0 for child in children} == {kind == "STANDARD"}


def test_a_map_run_without_items_ends_at_once(bench: Any, machine: Machine, task: Machine) -> None:
    bench.runner_with()

    assert bench.run(machine(("Map", distributed(machine(("D", task("any")))))), given=[]).output == "[]"


def test_max_concurrency_limits_children(bench: Any, machine: Machine, task: Machine) -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def count(_: Any) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    bench.runner_with({"count": count}, workers=8)

    record = bench.run(
        machine(("Map", distributed(machine(("C", task("count"))), MaxConcurrency=2))), given=list(range(10))
    )

    assert (record.status, most[0]) == ("SUCCEEDED", 2)


def failing(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


def test_tolerated_failures_are_not_in_the_results(bench: Any, machine: Machine, task: Machine) -> None:
    bench.runner_with({"failing": failing})
    definition = machine(("Map", distributed(machine(("F", task("failing"))), ToleratedFailureCount=2)))

    record = bench.run(definition, given=[0, 1, 2, 3])

    assert (record.status, record.output) == ("SUCCEEDED", "[0,2]")


def test_more_failures_than_are_tolerated_fail_the_map(bench: Any, machine: Machine, task: Machine) -> None:
    bench.runner_with({"failing": failing})
    definition = machine(("Map", distributed(machine(("F", task("failing"))), ToleratedFailureCount=1)))

    record = bench.run(definition, given=[0, 1, 2, 3])

    assert (record.status, record.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert record.cause == "The specified tolerated failure threshold was exceeded"
    assert bench.runner.map_runs.describe(map_run_arn(bench, record.arn))["status"] == "FAILED"
    assert "MapRunFailed" in bench.types(record.arn)


def test_the_results_that_a_writer_wrote_are_counted(
    bench: Any, machine: Machine, task: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "results"}}
    state = distributed(machine(("D", task("half"))), ResultWriter=writer, ToleratedFailureCount=1)

    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="results")
        runner = bench.runner_with({"half": lambda n: 1 / n})
        record = bench.run(machine(("Map", state)), given=[1, 0, 2])

    described = runner.map_runs.describe(map_run_arn(bench, record.arn))
    assert described["itemCounts"]["resultsWritten"] == described["executionCounts"]["resultsWritten"] == 3


def test_unreadable_items_fail_the_map(bench: Any, machine: Machine, task: Machine) -> None:
    bench.runner_with()
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "PARQUET"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }

    record = bench.run(machine(("Map", distributed(machine(("D", task("any"))), ItemReader=reader))))

    assert (record.status, record.error) == ("FAILED", "States.ItemReaderFailed")


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_redrive_runs_the_failed_children_again_and_no_others(
    bench: Any, machine: Machine, task: Machine, kind: str
) -> None:
    calls: Counter[int] = Counter()

    def once_failing(number: int) -> int:
        calls[number] += 1
        if number == 2 and calls[2] == 1:
            raise ValueError("not yet")
        return number

    runner = bench.runner_with({"f": once_failing}, workers=1)
    record = bench.run(machine(("Map", distributed(machine(("F", task("f"))), kind))), given=[1, 2, 3])
    assert record.status == "FAILED"
    done = Counter(calls)

    runner.redrive(record.arn)
    again = runner.closed(record.arn, 10)

    assert (again.status, again.output) == ("SUCCEEDED", "[1,2,3]")
    assert (calls[1], calls[2]) == (1, done[2] + 1)
    described = runner.map_runs.describe(map_run_arn(bench, record.arn))
    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)
    assert bench.types(record.arn).count("MapRunRedriven") == 1


def test_stopping_an_execution_stops_its_map_run(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    runner = bench.runner_with({"hold": lambda _: release.wait(10)})
    record = bench.start(machine(("Map", distributed(machine(("H", task("hold")))))), given=[1, 2])
    arn = map_run_arn(bench, record.arn)
    while len(bench.store.executions(ExecutionFilter(map_run_arn=arn))) < 2:
        time.sleep(0.01)

    runner.stop(record.arn)
    release.set()

    children = bench.store.executions(ExecutionFilter(map_run_arn=arn))
    assert {runner.closed(child.arn, 10).status for child in children} == {"ABORTED"}
    for _ in range(500):
        if runner.map_runs.describe(arn)["status"] == "ABORTED":
            break
        time.sleep(0.01)
    assert runner.map_runs.describe(arn)["status"] == "ABORTED"


def test_a_map_run_resumes_without_rerunning_finished_children(bench: Any, machine: Machine, task: Machine) -> None:
    calls: Counter[int] = Counter()
    release = threading.Event()

    def hold_some(number: int) -> int:
        calls[number] += 1
        if number >= 2:
            release.wait(20)
        return number

    bench.runner_with({"f": hold_some}, workers=4, clock=SystemClock())
    record = bench.start(
        machine(("Map", distributed(machine(("F", task("f"))), MaxConcurrency=3))), given=list(range(6))
    )
    arn = map_run_arn(bench, record.arn)
    while bench.runner.map_runs.describe(arn)["itemCounts"]["succeeded"] < 2:
        time.sleep(0.01)

    runner = bench.restart({"f": lambda number: calls.update([number]) or number}, clock=SystemClock())

    assert runner.closed(record.arn, 10).output == json.dumps(list(range(6)), separators=(",", ":"))
    assert (calls[0], calls[1]) == (1, 1)
    release.set()


def test_failures_count_across_a_restart(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()

    def fail_or_hold(number: int) -> int:
        if number == 1:
            raise ValueError("no")
        release.wait(20)
        return number

    bench.runner_with({"f": fail_or_hold}, clock=SystemClock())
    definition = machine(("Map", distributed(machine(("F", task("f"))), ToleratedFailureCount=1)))
    record = bench.start(definition, given=[0, 1, 2])
    arn = map_run_arn(bench, record.arn)
    while bench.runner.map_runs.describe(arn)["itemCounts"]["failed"] < 1:
        time.sleep(0.01)

    runner = bench.restart({"f": failing}, clock=SystemClock())

    assert runner.closed(record.arn, 10).output == "[0,2]"
    assert runner.map_runs.describe(arn)["itemCounts"]["failed"] == 1
    release.set()


def test_the_concurrency_of_a_running_map_run_can_be_raised(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    runner = bench.runner_with({"hold": lambda number: release.wait(10) and number})
    record = bench.start(machine(("Map", distributed(machine(("H", task("hold"))), MaxConcurrency=1))), given=[1, 2, 3])
    arn = map_run_arn(bench, record.arn)
    while not runner.map_runs.update(arn, max_concurrency=3):
        time.sleep(0.01)

    counts = runner.map_runs.describe(arn)["executionCounts"]
    assert (counts["running"], counts["pending"]) == (3, 0)
    release.set()
    assert (
        runner.closed(record.arn, 10).output == "[true,true,true]" or runner.closed(record.arn, 1).output == "[1,2,3]"
    )
    assert not runner.map_runs.update(arn, max_concurrency=3)


def test_an_unknown_map_run_is_not_described(bench: Any) -> None:
    assert bench.runner_with().map_runs.describe("nothing") is None


def test_updated_limits_of_a_map_run_survive_a_restart(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    held = {"f": lambda _: release.wait(20)}
    runner = bench.runner_with(held, clock=SystemClock())
    record = bench.start(machine(("Map", distributed(machine(("F", task("f"))), MaxConcurrency=1))), given=[1, 2])
    arn = map_run_arn(bench, record.arn)
    while not runner.map_runs.update(arn, max_concurrency=2, tolerated_failure_percentage=50):
        time.sleep(0.01)

    again = bench.restart(held, clock=SystemClock())
    release.set()
    again.closed(record.arn, 10)

    described = again.map_runs.describe(arn)
    assert (described["maxConcurrency"], described["toleratedFailurePercentage"]) == (2, 50)


def test_a_redrive_waits_for_children_that_are_being_stopped(bench: Any, machine: Machine, task: Machine) -> None:
    def slow(number: int) -> int:
        time.sleep(0.01)
        return number

    runner = bench.runner_with({"f": slow}, clock=SystemClock(), workers=8)
    items = list(range(800))  # more than are stopped in one turn
    record = bench.start(machine(("Map", distributed(machine(("F", task("f")))))), given=items)
    arn = map_run_arn(bench, record.arn)
    while not bench.store.executions(ExecutionFilter(map_run_arn=arn, status="SUCCEEDED"), limit=1):
        time.sleep(0.01)

    runner.stop(record.arn)
    runner.redrive(record.arn)

    assert runner.closed(record.arn, 20).output == json.dumps(items, separators=(",", ":"))
    described = runner.map_runs.describe(arn)
    assert (described["status"], described["executionCounts"]["succeeded"]) == ("SUCCEEDED", 800)


def test_a_restart_stops_children_of_a_stopped_map_run(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    runner = bench.runner_with({"f": lambda _: release.wait(20)}, clock=SystemClock())
    record = bench.start(machine(("Map", distributed(machine(("F", task("f")))))), given=[1, 2])
    arn = map_run_arn(bench, record.arn)
    while len(bench.store.executions(ExecutionFilter(map_run_arn=arn))) < 2:
        time.sleep(0.01)
    save = bench.store.save

    def save_no_child(saves: Any) -> Any:
        if any(one.record.map_run_arn for one in saves):
            raise OSError("The power is cut.")
        return save(saves)

    bench.store.save = save_no_child
    runner.stop(record.arn)
    runner._thread.join(10)
    release.set()
    bench.store.save = save
    calls: list[int] = []
    again = bench.restart({"f": calls.append}, clock=SystemClock())

    children = bench.store.executions(ExecutionFilter(map_run_arn=arn))
    assert {again.closed(child.arn, 10).status for child in children} == {"ABORTED"}
    assert again.map_runs.describe(arn)["status"] == "ABORTED"
    assert calls == []
