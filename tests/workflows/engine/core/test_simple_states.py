"""Effects and events of each type of state."""

import pytest

from asl_engine.core.events import Start
from asl_engine.core.execution import Status
from asl_engine.jsontext import Json
from tests.workflows.engine.core.drive import START_MS, Drive, machine, task

PASS = {"Type": "Pass"}


def test_each_state_writes_its_input_and_output() -> None:
    drive = Drive(machine(("One", PASS), ("Two", {"Type": "Pass", "Result": 2})), {"a": 1}).start()

    assert [(event.id, event.previous_id, event.type, event.details) for event in drive.history] == [
        (1, 0, "ExecutionStarted", {"input": '{"a":1}'}),
        (2, 0, "PassStateEntered", {"name": "One", "input": '{"a":1}'}),
        (3, 2, "PassStateExited", {"name": "One", "output": '{"a":1}'}),
        (4, 3, "PassStateEntered", {"name": "Two", "input": '{"a":1}'}),
        (5, 4, "PassStateExited", {"name": "Two", "output": "2"}),
        (6, 5, "ExecutionSucceeded", {"output": "2"}),
    ]
    assert drive.output == 2
    assert drive.execution.branches == {}


def test_starting_twice_starts_once() -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", "Seconds": 5})))
    drive.send(Start())

    assert drive.send(Start()) == []


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"InputPath": "$.a"}, {"b": 1}),
        ({"InputPath": None}, {}),
        ({"Parameters": {"x.$": "$.a.b", "y": 2}}, {"x": 1, "y": 2}),
        ({"InputPath": "$.a", "Result": 7, "ResultPath": "$.r"}, {"a": {"b": 1}, "r": 7}),
        ({"Result": 7, "ResultPath": None}, {"a": {"b": 1}}),
        ({"Result": {"c": [3]}, "OutputPath": "$.c"}, [3]),
        ({"OutputPath": None}, {}),
        ({"QueryLanguage": "JSONata", "Output": {"x": "{% $states.input.a.b + 1 %}"}}, {"x": 2}),
    ],
)
def test_data_flows_by_the_paths_of_the_state(fields: dict[str, Json], output: Json) -> None:
    assert Drive(machine(("One", PASS | fields)), {"a": {"b": 1}}).start().output == output


def test_variables_are_assigned_together_when_the_state_exits() -> None:
    swap = PASS | {"Assign": {"x.$": "$y", "y.$": "$x"}}
    definition = machine(
        ("Set", PASS | {"Assign": {"x": 1, "y": 2}}), ("Swap", swap), ("Show", PASS | {"Parameters": {"x.$": "$x"}})
    )

    drive = Drive(definition).start()

    assert drive.of("PassStateExited")[1].details["assignedVariables"] == {"x": "2", "y": "1"}
    assert drive.output == {"x": 2}


def test_a_branch_sees_outer_variables_and_hides_its_own() -> None:
    inner = machine(("Set", PASS | {"Assign": {"own": 2}}), ("Show", PASS | {"Parameters": {"v.$": "$outer"}}))
    definition = machine(
        ("Set Outer", PASS | {"Assign": {"outer": 1}}),
        ("Both", {"Type": "Parallel", "Branches": [inner]}),
        ("See", PASS | {"Parameters": {"own.$": "$own"}}),
    )

    drive = Drive(definition).start()

    assert drive.of("ParallelStateExited")[0].details["output"] == '[{"v":1}]'
    assert drive.status is Status.FAILED


def test_a_choice_takes_the_first_matching_rule_or_default() -> None:
    rules = [
        {"Variable": "$.n", "NumericGreaterThan": 5, "Next": "Big"},
        {"Variable": "$.n", "NumericEquals": 9, "Next": "B"},
    ]
    definition = machine(
        ("Which", {"Type": "Choice", "Choices": rules, "Default": "Small"}),
        ("Big", PASS | {"Result": "big", "End": True}),
        ("Small", PASS | {"Result": "small", "End": True}),
    )

    assert Drive(definition, {"n": 9}).start().output == "big"
    assert Drive(definition, {"n": 1}).start().output == "small"


def test_a_choice_without_a_match_fails_the_execution() -> None:
    definition = machine(
        ("Which", {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "End"}]}),
        ("End", PASS),
    )

    assert Drive(definition, {"n": 2}).start().last.details == {
        "error": "States.Runtime",
        "cause": "An error occurred while executing the state 'Which' (entered at the event id #2). "
        "Failed to transition out of the state. The state does not point to a next state.",
    }


def test_a_wait_ends_at_its_time_and_not_before() -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", "Seconds": 60})), {"a": 1})
    drive.send(Start())

    assert drive.run(until_ms=START_MS + 59_999).status is Status.RUNNING
    assert drive.run().now_ms == START_MS + 60_000
    assert drive.output == {"a": 1}


def test_a_wait_until_a_past_time_continues_at_once() -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", "Timestamp": "2016-03-14T01:59:00Z"})))
    drive.send(Start())

    assert drive.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("fields", "data", "cause"),
    [
        ({"SecondsPath": "$.s"}, {}, "The SecondsPath parameter does not reference an input value: $.s"),
        (
            {"SecondsPath": "$.s"},
            {"s": "1.5"},
            "The SecondsPath parameter cannot be parsed as a long value: $.s == 1.5",
        ),
        ({"SecondsPath": "$.s"}, {"s": "-1"}, "The SecondsPath parameter references a negative value: $.s == -1"),
        ({"SecondsPath": "$.s"}, {"s": 1.5}, "The SecondsPath parameter cannot be parsed as a long value: $.s == 1.5"),
        ({"SecondsPath": "$.s"}, {"s": -1}, "The SecondsPath parameter references a negative value: $.s == -1"),
        (
            {"TimestampPath": "$.s"},
            {"s": "tomorrow"},
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: "
            "$.s == tomorrow",
        ),
    ],
)
def test_a_wait_with_an_invalid_time_fails_the_execution(fields: dict[str, Json], data: Json, cause: str) -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", **fields})), data).start()

    head = "An error occurred while executing the state 'Wait' (entered at the event id #2). "
    assert drive.last.details == {"error": "States.Runtime", "cause": head + cause}


def test_a_fail_state_ends_the_execution_by_its_error_and_cause() -> None:
    drive = Drive(machine(("No", {"Type": "Fail", "Error": "Bad", "Cause": "because"}))).start()

    assert drive.types() == ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]
    assert (drive.execution.error, drive.execution.cause) == ("Bad", "because")
    assert Drive(machine(("No", {"Type": "Fail"}))).start().last.details == {}


def test_a_jsonata_error_is_written_before_it_fails_the_state() -> None:
    definition = machine(("One", PASS | {"Output": "{% $states.input.missing %}"}), QueryLanguage="JSONata")

    drive = Drive(definition).start()

    cause = (
        "An error occurred while executing the state 'One' (entered at the event id #2). "
        "The JSONata expression '$states.input.missing' specified for the field 'Output' returned nothing (undefined)."
    )
    error = {"error": "States.QueryEvaluationError", "cause": cause}
    assert drive.history[2].details == error | {"location": "Output", "state": "One"}
    assert drive.last.details == error
    assert drive.links() == [0, 0, 0, 3]


def test_the_context_object_has_execution_state_machine_state_and_token() -> None:
    definition = machine(
        ("Ask", task("arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters={"all.$": "$$"})),
    )
    drive = Drive(definition, {"a": 1}, role_arn="arn:aws:iam::111111111111:role/r")
    drive.send(Start())

    context = drive.invoked[0].parameters["all"]
    assert context["Execution"] == {
        "Id": drive.execution.arn,
        "Input": {"a": 1},
        "Name": "one",
        "RoleArn": "arn:aws:iam::111111111111:role/r",
        "StartTime": "2025-06-15T15:06:40.000Z",
        "RedriveCount": 0,
    }
    assert context["StateMachine"] == {"Id": drive.execution.state_machine_arn, "Name": "machine"}
    assert context["State"] == {"Name": "Ask", "EnteredTime": "2025-06-15T15:06:40.000Z", "RetryCount": 0}
    assert context["Task"] == {"Token": drive.invoked[0].task_token}


@pytest.mark.parametrize("kind", ["Pass", "Task"])
def test_only_states_that_can_be_retried_have_a_retry_count(kind: str) -> None:
    state = task() if kind == "Task" else PASS
    drive = Drive(
        machine(("One", {**state, "Parameters": {"state.$": "$$.State"}})), tasks={"One": [lambda sent: sent]}
    )

    assert ("RetryCount" in drive.start().output["state"]) is (kind == "Task")


def test_the_context_of_an_express_execution_has_no_redrive_count() -> None:
    definition = machine(("Show", PASS | {"Parameters": {"execution.$": "$$.Execution"}}))

    assert "RedriveCount" in Drive(definition).start().output["execution"]
    assert "RedriveCount" not in Drive(definition, express=True).start().output["execution"]


def test_the_seconds_of_a_wait_can_be_a_number_in_a_text() -> None:
    drive = Drive(machine(("Wait", {"Type": "Wait", "SecondsPath": "$.s"})), {"s": "7"}).start()

    assert drive.status is Status.SUCCEEDED
    assert drive.now_ms == START_MS + 7000


def test_the_context_object_of_an_iteration_has_its_item() -> None:
    inner = machine(("Show", PASS | {"Parameters": {"item.$": "$$.Map.Item"}}))
    each = machine(("Both", {"Type": "Parallel", "Branches": [inner]}))
    definition = machine(("Each", {"Type": "Map", "ItemProcessor": each}))

    output = Drive(definition, ["x"]).start().output

    assert output == [[{"item": {"Index": 0, "Value": "x"}}]]


def test_too_large_an_output_fails_the_state() -> None:
    big = "States.StringSplit(States.Format('{}', $.text), ' ')"
    grow = PASS | {"Parameters": {"a.$": "$.text", "b.$": big}}

    drive = Drive(machine(("Grow", grow)), {"text": "x" * 200_000}).start()

    assert drive.last.details == {
        "error": "States.DataLimitExceeded",
        "cause": "The state/task 'Grow' returned a result with a size exceeding "
        "the maximum number of bytes service limit.",
    }
