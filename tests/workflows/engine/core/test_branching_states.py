"""Parallel and inline Map: concurrency, order, failure, and the links between their events."""

import sys

import pytest

from asl_engine.core.commands import StartMapRun
from asl_engine.core.events import Start, TaskFailed, TaskSucceeded
from asl_engine.core.execution import Status
from asl_engine.jsontext import Json
from tests.workflows.engine.core.drive import START_MS, Drive, Failure, machine, task

PASS = {"Type": "Pass"}
DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def parallel(*branches: dict[str, Json], **fields: Json) -> dict[str, Json]:
    return {"Type": "Parallel", "Branches": list(branches), **fields}


def each(*states: tuple[str, dict[str, Json]], **fields: Json) -> dict[str, Json]:
    return {"Type": "Map", "ItemProcessor": machine(*states), **fields}


def test_branches_have_own_event_chains_and_the_last_one_continues() -> None:
    one, other = machine(("A1", PASS), ("A2", PASS)), machine(("B1", PASS | {"Result": "b"}))
    drive = Drive(machine(("Both", parallel(one, other)), ("After", PASS)), {"x": 1}).start()

    assert drive.output == [{"x": 1}, "b"]
    assert drive.types() == [
        "ExecutionStarted",
        "ParallelStateEntered",
        "ParallelStateStarted",
        *["PassStateEntered", "PassStateExited"] * 3,
        "ParallelStateSucceeded",
        "ParallelStateExited",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert drive.links() == [0, 0, 2, 3, 4, 5, 6, 3, 8, 9, 9, 11, 12, 13]


def test_iterations_run_in_turn_with_concurrency_one() -> None:
    drive = Drive(machine(("Each", each(("One", PASS), MaxConcurrency=1))), [7, 8]).start()

    assert drive.output == [7, 8]
    assert drive.types(since=2) == [
        "MapStateStarted",
        *["MapIterationStarted", "PassStateEntered", "PassStateExited", "MapIterationSucceeded"] * 2,
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ]
    assert drive.links() == [0, 0, 2, 3, 4, 5, 6, 6, 8, 9, 10, 11, 11, 13]
    assert [event.details for event in drive.of("MapIterationStarted")] == [
        {"name": "Each", "index": 0},
        {"name": "Each", "index": 1},
    ]


def test_a_map_over_no_items_ends_at_once() -> None:
    drive = Drive(machine(("Each", each(("One", PASS)))), []).start()

    assert drive.links() == [0, 0, 2, 3, 3, 5]
    assert drive.output == []


@pytest.mark.parametrize(("limit", "running"), [(1, 1), (3, 3), (0, 40), (100, 40)])
def test_max_concurrency_limits_iterations(limit: int, running: int) -> None:
    drive = Drive(machine(("Each", each(("Do", task()), MaxConcurrency=limit))), list(range(60)))
    drive.send(Start())

    assert len(drive.invoked) == running
    sent = drive.invoked[0]
    drive.send(TaskSucceeded(sent.branch_id, sent.token, "done"))
    assert len(drive.invoked) == running + 1


def test_results_are_in_the_order_of_the_items() -> None:
    drive = Drive(machine(("Each", each(("Do", task())))), ["a", "b", "c"])
    drive.send(Start())
    for sent in reversed(drive.invoked):
        drive.send(TaskSucceeded(sent.branch_id, sent.token, sent.parameters * 2))

    assert drive.output == ["aa", "bb", "cc"]


@pytest.mark.parametrize("field", ["ItemSelector", "Parameters"])
def test_item_selector_makes_the_input_of_an_iteration(field: str) -> None:
    selector = {"value.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index", "rest.$": "$.rest"}
    state = each(("One", PASS), ItemsPath="$.items", **{field: selector})

    drive = Drive(machine(("Each", state)), {"items": ["x"], "rest": 1}).start()

    assert drive.output == [{"value": "x", "index": 0, "rest": 1}]


def test_items_must_be_an_array() -> None:
    drive = Drive(machine(("Each", each(("One", PASS), ItemsPath="$.items"))), {"items": 1}).start()

    assert drive.last.details["cause"].endswith('Reference path "$.items" must point to array.')


@pytest.mark.parametrize(
    "state",
    [
        {"ItemsPath": "$.items"},
        {"QueryLanguage": "JSONata", "Items": "{% $states.input.items %}"},
        {"QueryLanguage": "JSONata", "Items": {"a": 1, "b": "{% 1 + 1 %}"}},
    ],
)
def test_only_a_distributed_map_iterates_over_an_object(state: dict[str, Json]) -> None:
    definition = machine(("Each", each(("One", PASS), **state)))
    given = {"items": {"a": 1, "b": 2}}

    inline = Drive(definition, given).start()
    definition["States"]["Each"]["ItemProcessor"]["ProcessorConfig"] = DISTRIBUTED
    distributed = Drive(definition, given).start()

    assert inline.status is Status.FAILED
    [command] = [one for one in distributed.commands if isinstance(one, StartMapRun)]
    assert command.items == {"a": 1, "b": 2}


def test_a_jsonata_map_without_items_needs_an_array_as_input() -> None:
    drive = Drive(machine(("Each", each(("One", PASS))), QueryLanguage="JSONata"), {"a": 1}).start()

    assert drive.types(since=2) == ["EvaluationFailed", "MapStateFailed", "ExecutionFailed"]
    [failed] = drive.of("EvaluationFailed")
    assert failed.details["cause"].endswith(
        '(entered at the event id #2). Map state input must be an array but was: {"a":1}'
    )
    assert set(failed.details) == {"error", "cause", "state"}


@pytest.mark.parametrize("text", ["1", "12.5"])
def test_a_tolerated_percentage_can_be_a_number_in_a_text(text: str) -> None:
    processor = {**machine(("One", PASS)), "ProcessorConfig": DISTRIBUTED}
    state = {"Type": "Map", "ToleratedFailurePercentagePath": "$.p", "ItemsPath": "$.i", "ItemProcessor": processor}
    drive = Drive(machine(("Each", state)), {"p": text, "i": [1]})

    drive.start()

    [command] = [one for one in drive.commands if isinstance(one, StartMapRun)]
    assert command.settings.tolerated_failure_percentage == float(text)


@pytest.mark.parametrize("given", ["no", {}, 1.5, None])
def test_a_fractional_concurrency_fails_the_execution(given: Json) -> None:
    drive = Drive(
        machine(("Each", each(("One", PASS), ItemsPath="$.i", MaxConcurrencyPath="$.n"))), {"i": [], "n": given}
    )

    assert "which is not a valid integer: $.n" in drive.start().last.details["cause"]


def test_a_negative_concurrency_fails_the_execution_before_the_map_starts() -> None:
    drive = Drive(machine(("Each", each(("One", PASS), ItemsPath="$.i", MaxConcurrencyPath="$.n"))), {"i": [], "n": -1})

    assert drive.start().types(since=2) == ["ExecutionFailed"]
    assert "Expected non-negative integer for MaxConcurrency, got '-1' instead." in drive.last.details["cause"]


def test_a_failing_item_selector_fails_the_execution_at_any_iteration() -> None:
    state = each(("Do", task()), MaxConcurrency=1, ItemSelector={"v.$": "$$.Map.Item.Value.v"})
    drive = Drive(machine(("Each", state)), [{"v": 1}, {}], tasks={"Do": [1]}).start()

    assert (drive.status, drive.execution.error) == (Status.FAILED, "States.Runtime")
    assert "the state 'Each'" in (drive.execution.cause or "")


def test_a_failing_item_selector_aborts_iterations_and_can_be_caught() -> None:
    catch = [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "After"}]
    state = each(("Do", task()), ItemSelector="{% $states.context.Map.Item.Value.v %}", Catch=catch, End=True)
    definition = machine(("Each", state), ("After", PASS | {"Output": "caught"}), QueryLanguage="JSONata")

    drive = Drive(definition, [{"v": 1}, {"v": 2}, {}, {"v": 4}], tasks={"Do": [1]}).start()
    assert (drive.output, drive.count("Do")) == ("caught", 0)

    definition["States"]["Each"]["MaxConcurrency"] = 2
    drive = Drive(definition, [{"v": 1}, {"v": 2}, {}, {"v": 4}])
    drive.send(Start())
    first, second = drive.invoked
    drive.send(TaskSucceeded(first.branch_id, first.token, 1))
    assert drive.output == "caught"
    assert (second.branch_id, second.token) in drive.cancelled


def test_a_failure_aborts_the_siblings_and_fails_the_state() -> None:
    one, other = machine(("Do", task())), machine(("Wait", {"Type": "Wait", "Seconds": 60}))
    third = machine(("Long", task()))
    drive = Drive(machine(("All", parallel(one, other, third))), tasks={"Do": [Failure("Bad", "because")]}).start()

    assert drive.types(since=8) == [
        "LambdaFunctionStarted",
        "LambdaFunctionFailed",
        "TaskStateAborted",
        "WaitStateAborted",
        "TaskStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]
    assert drive.of("ParallelStateFailed")[0].previous_id == drive.of("LambdaFunctionFailed")[0].id
    assert drive.execution.error == "Bad"
    long = drive.invoked[1]
    assert (long.branch_id, long.token) in drive.cancelled


def test_a_failed_iteration_fails_the_map_and_aborts_the_others() -> None:
    drive = Drive(machine(("Each", each(("Do", task())))), [1, 2])
    drive.send(Start())
    sent = drive.invoked[0]
    drive.send(TaskFailed(sent.branch_id, sent.token, "Bad", None))

    assert drive.types(since=9)[-6:] == [
        "TaskStateAborted",
        "MapIterationFailed",
        "TaskStateAborted",
        "MapIterationAborted",
        "MapStateFailed",
        "ExecutionFailed",
    ]
    failed = drive.of("LambdaFunctionFailed")[0].id
    assert [drive.of(kind)[0].previous_id for kind in ("MapIterationFailed", "MapStateFailed")] == [failed, failed]


def test_a_retried_map_starts_again_with_all_its_items() -> None:
    state = each(("Do", task()), Retry=[{"ErrorEquals": ["Bad"]}])
    drive = Drive(machine(("Each", state)), [1, 2], tasks={"Do": [Failure("Bad"), "a", "b", "c"]}).start()

    assert len(drive.of("MapStateStarted")) == 2
    assert drive.of("MapStateFailed") == []
    assert drive.output == ["b", "c"]
    assert drive.execution.branches == {}


def test_a_caught_failure_of_a_branch_continues_after_the_parallel() -> None:
    boom = machine(("Boom", {"Type": "Fail", "Error": "Bad", "Cause": "because"}))
    state = parallel(boom, Catch=[{"ErrorEquals": ["Bad"], "Next": "After"}], End=True)

    drive = Drive(machine(("All", state), ("After", PASS))).start()

    assert drive.types(since=4)[:2] == ["ParallelStateFailed", "ParallelStateExited"]
    assert drive.output == {"Error": "Bad", "Cause": "because"}


def test_states_runtime_within_a_branch_ends_the_execution_without_a_failed_state() -> None:
    drive = Drive(machine(("All", parallel(machine(("Bad", PASS | {"Parameters": {"m.$": "$.nope"}})))))).start()

    assert drive.types(since=3) == ["PassStateEntered", "ExecutionFailed"]
    assert drive.links() == [0, 0, 2, 3, 4]
    assert "the state 'Bad' (entered at the event id #4)" in (drive.execution.cause or "")


def test_a_parallel_that_fails_after_its_branches_writes_its_failure() -> None:
    state = parallel(machine(("Ok", PASS)), ResultSelector={"m.$": "$.nope"})
    drive = Drive(machine(("All", state))).start()

    assert drive.types(since=5) == ["ParallelStateSucceeded", "ExecutionFailed"]
    assert drive.links()[-2:] == [5, 6]


def test_a_long_step_stops_and_continues_later() -> None:
    definition = machine(
        ("Add", PASS | {"Parameters": {"n.$": "States.MathAdd($.n, 1)"}}),
        (
            "Enough",
            {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThan": 1500, "Next": "Add"}],
                "Default": "End",
            },
        ),
        ("End", PASS),
    )
    drive = Drive(definition, {"n": 0})
    drive.send(Start())

    assert (drive.status, drive.last.id) == (Status.RUNNING, 2001)
    assert drive.run().output == {"n": 1500}
    assert drive.now_ms == START_MS


def test_nested_maps_in_a_parallel_return_their_results() -> None:
    inner = each(("One", PASS), ItemsPath="$.inner")
    outer = each(("Inner", inner))
    drive = Drive(
        machine(("All", parallel(machine(("Outer", outer)), machine(("Other", PASS))))),
        [{"inner": [1, 2]}, {"inner": []}],
    )

    assert drive.start().output == [[[1, 2], []], [{"inner": [1, 2]}, {"inner": []}]]


def test_the_work_of_a_map_grows_no_faster_than_its_items() -> None:
    def lines_run(items: int) -> int:
        """Count the lines of Python that run, equal on every machine."""
        drive = Drive(machine(("Each", each(("One", PASS)))), list(range(items)), express=True)
        lines = 0

        def trace(_frame: object, event: str, _argument: object) -> object:
            nonlocal lines
            lines += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)  # type: ignore[arg-type]  # it gets a frame, and needs none
        try:
            drive.start()
        finally:
            sys.settrace(before)
        assert drive.status is Status.SUCCEEDED
        return lines

    few, many = lines_run(500), lines_run(2000)
    assert many < 4.5 * few
