"""Distributed Map: its parent, and the Map Run as a state machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.core.commands import CancelTask, StartMapRun
from asl_engine.core.events import MapRunEnded, Start, Stop
from asl_engine.core.execution import Status
from asl_engine.core.items import Items
from asl_engine.core.map_run import MapRun, children_of
from asl_engine.core.saved import map_run_from_row, map_run_to_row
from asl_engine.definition.program import MapState
from asl_engine.errors import StateFailed
from asl_engine.jsontext import Json, dumps, loads
from tests.workflows.engine.core.drive import START_MS, Drive, machine

PASS = {"Type": "Pass"}
CONFIG = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}


def of(data: Json = None, **fields: Json) -> Drive:
    state = {"Type": "Map", "ItemProcessor": machine(("One", PASS), ProcessorConfig=CONFIG), **fields}
    drive = Drive(machine(("Each", state)), [1, 2] if data is None else data)
    drive.send(Start())
    return drive


def started(drive: Drive) -> StartMapRun:
    command = drive.commands[-1]
    assert isinstance(command, StartMapRun), drive.last
    return command


def test_a_distributed_map_starts_a_map_run_and_leaves_with_its_results() -> None:
    drive = of(Label="Work")
    command = started(drive)
    assert command.items == [1, 2]
    assert command.map_run_arn.startswith("arn:aws:states:us-east-1:111111111111:mapRun:machine/Work:")
    drive.send(MapRunEnded(command.branch_id, command.token, ["a", "b"]))

    assert drive.types(since=2) == [
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ]
    assert drive.links() == [0, 0, 2, 3, 4, 5, 5, 7]
    assert drive.output == ["a", "b"]


def test_a_failed_map_run_fails_the_state() -> None:
    drive = of()
    command = started(drive)
    drive.send(MapRunEnded(command.branch_id, command.token, error="States.ItemReaderFailed", cause="because"))

    assert drive.types(since=4) == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    assert drive.last.details == {"error": "States.ItemReaderFailed", "cause": "because"}


def test_a_retried_map_starts_a_map_run_of_its_own() -> None:
    drive = of(Retry=[{"ErrorEquals": ["Bad"]}])
    first = started(drive)
    drive.send(MapRunEnded(first.branch_id, first.token, error="Bad"))
    drive.run()

    assert started(drive).map_run_arn != first.map_run_arn
    assert drive.send(MapRunEnded(first.branch_id, first.token, [1])) == []


def test_stopping_the_parent_cancels_its_map_run() -> None:
    drive = of()
    command = started(drive)
    drive.send(Stop())

    assert CancelTask(command.branch_id, command.token) in drive.commands


@pytest.mark.parametrize(
    ("fields", "given", "cause"),
    [
        ({"ToleratedFailureCountPath": "$.n"}, -1, "ToleratedFailureCount cannot be negative."),
        ({"ToleratedFailurePercentagePath": "$.n"}, 100.1, "ToleratedFailurePercentage must be between 0 and 100."),
        ({"ToleratedFailurePercentagePath": "$.n"}, -1, "ToleratedFailurePercentage must be between 0 and 100."),
    ],
)
def test_an_invalid_tolerance_fails_the_execution_after_map_state_started(
    fields: dict[str, Json], given: Json, cause: str
) -> None:
    drive = of({"items": [1], "n": given}, ItemsPath="$.items", **fields)

    assert drive.types(since=2) == ["MapStateStarted", "ExecutionFailed"]
    assert drive.last.details["cause"].endswith(cause)


def test_the_settings_are_evaluated_once_and_survive_being_saved() -> None:
    drive = of(
        {"bucket": "b", "n": 2, "items": [1]},
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "MaxItemsPath": "$.n"},
            "Parameters": {"Bucket.$": "$.bucket"},
        },
        ItemBatcher={"MaxItemsPerBatchPath": "$.n", "BatchInput": {"b.$": "$.bucket"}},
        ResultWriter={"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket.$": "$.bucket"}},
        ToleratedFailureCount=3,
        MaxConcurrency=7,
    )
    command = started(drive)
    settings = command.settings

    assert command.items is None
    assert drive.of("MapStateStarted")[0].details == {"length": 0}
    assert settings.reader == {
        "resource": "arn:aws:states:::s3:getObject",
        "parameters": {"Bucket": "b"},
        "config": {"InputType": "CSV", "MaxItems": 2},
    }
    assert settings.batcher is not None
    assert (settings.batcher.max_items, settings.batcher.batch_input) == (2, {"b": "b"})
    assert settings.writer is not None
    assert settings.writer["parameters"] == {"Bucket": "b"}
    assert (settings.tolerated_failure_count, settings.max_concurrency, settings.express) == (3, 7, True)
    assert map_run_from_row(loads(dumps(map_run_to_row(settings)))) == settings


# --- children's inputs ---


def children(drive: Drive, items: Items) -> list[Json]:
    state = drive.program.states["Each"]
    assert isinstance(state, MapState)
    return [child.input for child in children_of(state, started(drive).settings, items, lambda: 0.5, START_MS)]


def test_a_child_gets_its_item_or_the_selected_input() -> None:
    assert children(of(), ["a", "b"]) == ["a", "b"]
    selector = {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "in.$": "$[0]"}
    assert children(of(ItemSelector=selector), ["a"]) == [{"v": "a", "i": 0, "in": 1}]


def test_a_child_gets_a_pair_of_an_object() -> None:
    assert children(of(), {"a": 1, "b": 2}) == [{"Key": "a", "Value": 1}, {"Key": "b", "Value": 2}]
    assert children(of(ItemSelector={"k.$": "$$.Map.Item.Key"}), {"a": 1}) == [{"k": "a"}]


@pytest.mark.parametrize(
    ("reader", "source"),
    [
        ({}, "STATE_DATA"),
        ({"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k.csv"}}, "s3://b/k.csv"),
        ({"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b", "Prefix": "p"}}, "s3://b"),
    ],
)
def test_an_item_has_its_source(reader: dict[str, Json], source: str) -> None:
    fields = {"ItemReader": reader} if reader else {}
    selector = {"from.$": "$$.Map.Item.Source"}

    assert children(of(ItemSelector=selector, **fields), ["a"]) == [{"from": source}]


def test_items_are_put_together_into_batches() -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"c": 1}}

    assert children(of(ItemBatcher=batcher), [1, 2, 3]) == [
        {"BatchInput": {"c": 1}, "Items": [1, 2]},
        {"BatchInput": {"c": 1}, "Items": [3]},
    ]


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(200, 400))
def test_batches_are_within_their_limit_and_lose_no_item(items: list[str], limit: int) -> None:
    batches = children(of(ItemBatcher={"MaxInputBytesPerBatch": limit}), items)

    assert [item for batch in batches for item in batch["Items"]] == items
    assert all(len(dumps(batch).encode()) <= limit for batch in batches)


def test_an_item_larger_than_a_batch_is_refused() -> None:
    with pytest.raises(StateFailed, match="larger than a batch"):
        children(of(ItemBatcher={"MaxInputBytesPerBatch": 20}), ["x" * 30])


# --- the Map Run itself ---


def run_of(children: int, *, limit: int = 0, count: int | None = None, percentage: float | None = None) -> MapRun:
    return MapRun(limit, count, percentage, [1] * children)


def test_the_concurrency_limit_holds_and_the_next_child_follows() -> None:
    run = run_of(4, limit=2)

    assert run.begin() == ([0, 1], [], None)
    assert run.child_ended(1, "SUCCEEDED") == ([2], [], None)
    assert run.child_ended(1, "SUCCEEDED") == ([], [], None)
    assert run.child_ended(0, "SUCCEEDED") == ([3], [], None)
    assert run.child_ended(2, "SUCCEEDED") == ([], [], None)
    assert run.child_ended(3, "SUCCEEDED").ended is Status.SUCCEEDED
    assert run.counts()[0] == {
        "pending": 0, "pendingRedrive": 0, "running": 0,
        "succeeded": 4, "failed": 0, "timedOut": 0, "aborted": 0, "total": 4,
    }  # fmt: skip


def test_a_map_run_without_children_succeeds_at_once() -> None:
    assert run_of(0).begin().ended is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("tolerance", "failures", "status"),
    [
        ({}, 1, "FAILED"),
        ({"count": 1}, 1, "SUCCEEDED"),
        ({"count": 1}, 2, "FAILED"),
        ({"percentage": 50}, 2, "SUCCEEDED"),
        ({"percentage": 49.9}, 2, "FAILED"),
        ({"count": 3, "percentage": 10}, 1, "FAILED"),
        ({"percentage": 100}, 4, "SUCCEEDED"),
    ],
)
def test_failures_are_tolerated_up_to_count_and_percentage(
    tolerance: dict[str, float], failures: int, status: str
) -> None:
    run = run_of(4, limit=1, **tolerance)  # type: ignore[arg-type]  # a percentage is a float, a count an int
    step = run.begin()
    number = 0
    while step.ended is None:
        step = run.child_ended(number, "FAILED" if number < failures else "SUCCEEDED")
        number += 1

    assert step.ended == status


def test_too_many_failures_stop_running_children_and_start_no_more() -> None:
    run = run_of(5, limit=3)
    run.begin()

    assert run.child_ended(1, "FAILED") == ([], [0, 2], None)
    assert run.child_ended(0, "ABORTED").ended is None
    assert run.child_ended(2, "SUCCEEDED").ended is Status.FAILED
    assert run.counts()[1]["pending"] == 2


def test_an_aborted_map_run_stops_its_children() -> None:
    run = run_of(2)
    run.begin()

    assert run.abort() == ([], [0, 1], None)
    run.child_ended(0, "ABORTED")
    assert run.child_ended(1, "ABORTED").ended is Status.ABORTED


@given(st.lists(st.sampled_from(["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]), max_size=20), st.integers(0, 5))
def test_a_map_run_resumes_from_the_statuses_of_its_children(statuses: list[str], limit: int) -> None:
    run = MapRun(limit, 100, None, [1] * len(statuses), statuses=list(statuses))
    step = run.begin()
    done = {number for number, status in enumerate(statuses) if status in ("SUCCEEDED", "FAILED")}
    running = [number for number, status in enumerate(statuses) if status == "RUNNING"] + step.start
    while running:
        assert step.ended is None
        number = running.pop()
        assert number not in done
        done.add(number)
        step = run.child_ended(number, "SUCCEEDED")
        running += step.start

    assert step.ended is Status.SUCCEEDED
    assert done == set(range(len(statuses)))


def test_a_child_can_have_each_status_of_an_execution() -> None:
    run = run_of(1)
    run.begin()

    assert run.child_ended(0, Status.SUCCEEDED.value).ended is not None
