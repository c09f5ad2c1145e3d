"""TestState: one state on its own."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.workflows.engine.server.served import ROLE, Server, machine_of, refusal

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

type Try = Callable[..., dict[str, Any]]

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:guard"
INVOKE = "arn:aws:states:::lambda:invoke"
PARALLEL = {
    "Type": "Parallel",
    "Branches": [{"StartAt": name, "States": {name: {"Type": "Succeed"}}} for name in ("Left", "Right")],
    "End": True,
}
MAP = {
    "Type": "Map",
    "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Item",
        "States": {"Item": {"Type": "Pass", "End": True}},
    },
    "End": True,
}


@pytest.fixture
def attempt(sfn: "SFNClient") -> Try:
    """Test a state, and return the API's answer with parsed JSON."""

    def attempt_state(state: dict[str, Any], given: Any = None, level: str = "INFO", **more: Any) -> dict[str, Any]:
        asked = {
            "definition": json.dumps(state),
            "input": json.dumps({} if given is None else given),
            "inspectionLevel": level,
        }
        answer: dict[str, Any] = dict(sfn.test_state(**{**asked, **more}))
        answer.pop("ResponseMetadata")
        inspection: dict[str, Any] = answer.get("inspectionData", {})
        for values in (answer, inspection):
            values.update({name: json.loads(text) for name, text in values.items() if is_data(name, text)})
        return answer

    return attempt_state


def is_data(name: str, value: Any) -> bool:
    return isinstance(value, str) and (name in ("output", "input", "result", "variables") or name.startswith("after"))


def mock(result: Any, **more: Any) -> dict[str, Any]:
    return {"mock": {"result": json.dumps(result), **more}}


def broken(error: str, cause: str = "It is.") -> dict[str, Any]:
    return {"mock": {"errorOutput": {"error": error, "cause": cause}}}


def test_each_step_of_a_pass_is_inspected(attempt: Try) -> None:
    state = {
        "Type": "Pass",
        "InputPath": "$.guard",
        "Parameters": {"name.$": "$.name"},
        "ResultPath": "$.seen",
        "OutputPath": "$.seen",
        "Next": "Report",
    }

    found = attempt(state, {"guard": {"name": "Guard 1"}}, "DEBUG")

    name = {"name": "Guard 1"}
    assert found == {
        "status": "SUCCEEDED",
        "nextState": "Report",
        "output": name,
        "inspectionData": {
            "input": {"guard": name},
            "afterInputPath": name,
            "afterParameters": name,
            "afterResultSelector": name,
            "afterResultPath": {"guard": name, "seen": name},
        },
    }


def test_null_paths_discard_their_data(attempt: Try) -> None:
    assert attempt({"Type": "Pass", "InputPath": None, "End": True}, {"a": 1})["output"] == {}
    assert attempt({"Type": "Pass", "OutputPath": None, "End": True}, {"a": 1})["output"] == {}
    assert attempt({"Type": "Pass", "Result": 1, "ResultPath": None, "End": True}, {"a": 1})["output"] == {"a": 1}


def test_a_task_calls_its_function_and_selects_its_result(attempt: Try, server: Server) -> None:
    server.functions["guard"] = lambda event: {"name": event["id"], "secret": 1}
    state = {"Type": "Task", "Resource": FUNCTION, "ResultSelector": {"name.$": "$.name"}, "End": True}

    found = attempt(state, {"id": 7}, "TRACE", roleArn=ROLE)

    assert found["output"] == {"name": 7}
    assert found["inspectionData"]["result"] == {"name": 7, "secret": 1}
    assert found["inspectionData"]["afterResultSelector"] == {"name": 7}


def test_a_failed_task_is_reported(attempt: Try, server: Server) -> None:
    def fail(_event: Any) -> None:
        raise LookupError("no guard")

    server.functions["guard"] = fail
    found = attempt({"Type": "Task", "Resource": FUNCTION, "End": True}, roleArn=ROLE)

    assert (found["status"], found["error"]) == ("FAILED", "LookupError")
    assert json.loads(found["cause"])["errorMessage"] == "no guard"


def test_a_task_needs_a_role_or_a_mock(attempt: Try) -> None:
    state = {"Type": "Task", "Resource": FUNCTION, "End": True}

    assert refusal(attempt, state=state) == (
        "ValidationException",
        "RoleArn must be specified when testing a Task state",
    )
    assert attempt(state, **mock({"well": True}))["output"] == {"well": True}


def test_jsonata_sees_input_result_context_and_variables(attempt: Try) -> None:
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": INVOKE,
        "Arguments": {"FunctionName": "guard", "Payload": "{% $states.input.id %}"},
        "Assign": {"last": "{% $states.result.Payload %}"},
        "Output": "{% [$states.result.Payload, $states.context.State.Name, $factor] %}",
        "End": True,
    }

    found = attempt(state, {"id": 7}, "TRACE", variables='{"factor": 2}', **mock({"Payload": 8}))

    assert found["output"] == [8, "StateName", 2]
    assert found["inspectionData"]["afterArguments"] == {"FunctionName": "guard", "Payload": 7}
    assert found["inspectionData"]["variables"] == {"factor": 2, "last": 8}


def test_the_first_matching_rule_is_taken(attempt: Try) -> None:
    state = {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.n", "NumericLessThan": 5, "Next": "Few", "Assign": {"size": "few"}},
            {"Variable": "$.n", "NumericLessThan": 9, "Next": "Some"},
        ],
    }

    few = attempt(state, {"n": 1}, "DEBUG")
    none = attempt(state, {"n": 10})

    assert (few["nextState"], few["output"]) == ("Few", {"n": 1})
    assert few["inspectionData"]["variables"] == {"size": "few"}
    assert attempt(state, {"n": 7})["nextState"] == "Some"
    assert (none["status"], none["error"]) == ("FAILED", "States.NoChoiceMatched")
    assert attempt({**state, "Default": "Many"}, {"n": 10})["nextState"] == "Many"


def test_a_fail_state_gives_its_error_and_cause(attempt: Try) -> None:
    found = attempt({"Type": "Fail", "ErrorPath": "$.error", "Cause": "It is."}, {"error": "Broken"})

    assert found == {"status": "FAILED", "error": "Broken", "cause": "It is."}


def test_a_wait_does_not_wait(attempt: Try) -> None:
    assert attempt({"Type": "Wait", "Seconds": 3600, "Next": "Done"}, {"a": 1}) == {
        "status": "SUCCEEDED",
        "output": {"a": 1},
        "nextState": "Done",
    }
    assert attempt({"Type": "Wait", "SecondsPath": "$.none", "Next": "Done"})["status"] == "FAILED"


def test_a_retrier_takes_an_error_until_its_attempts_are_used_up(attempt: Try) -> None:
    state = {
        "Type": "Task",
        "Resource": FUNCTION,
        "Retry": [
            {"ErrorEquals": ["Other"]},
            {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3, "BackoffRate": 2, "MaxAttempts": 2},
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.problem", "Next": "Fix"}],
        "End": True,
    }

    def tried(retries: int) -> dict[str, Any]:
        configuration = {"retrierRetryCount": retries}
        return attempt(state, {"a": 1}, "DEBUG", stateConfiguration=configuration, **broken("Broken"))

    second, last = tried(1), tried(2)

    assert tried(0)["inspectionData"]["errorDetails"] == {"retryIndex": 1, "retryBackoffIntervalSeconds": 3}
    assert (second["status"], second["error"], second["cause"]) == ("RETRIABLE", "Broken", "It is.")
    assert second["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"] == 6
    assert (last["status"], last["nextState"]) == ("CAUGHT_ERROR", "Fix")
    assert last["output"] == {"a": 1, "problem": {"Error": "Broken", "Cause": "It is."}}
    assert last["inspectionData"]["errorDetails"] == {"catchIndex": 0}


def test_a_retrier_without_attempts_left_is_named(attempt: Try) -> None:
    retry = [{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["Broken"], "MaxAttempts": 1}]
    state = {"Type": "Task", "Resource": FUNCTION, "Retry": retry, "End": True}

    found = attempt(state, None, "DEBUG", stateConfiguration={"retrierRetryCount": 1}, **broken("Broken"))

    assert (found["status"], found["inspectionData"]["errorDetails"]) == ("FAILED", {"retryIndex": 1})


def test_only_a_submitting_task_may_be_given_a_token_in_its_context(attempt: Try) -> None:
    resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    state = {"Type": "Task", "Resource": resource, "Arguments": {"a": "{% $states.context.Task.Token %}"}}

    found = attempt(
        {**state, "QueryLanguage": "JSONata", "End": True},
        None,
        "DEBUG",
        context='{"Task": {"Token": "token"}}',
        **mock({"fieldValidationMode": "NONE"}),
    )

    assert found["inspectionData"]["afterArguments"] == {"a": "token"}


def test_inspection_shows_variables_only_if_there_are_any(attempt: Try) -> None:
    state = {"Type": "Pass", "End": True}

    assert "variables" not in attempt(state, None, "DEBUG", variables="{}")["inspectionData"]
    assert attempt(state, None, "DEBUG", variables='{"a": 1}')["inspectionData"]["variables"] == {"a": 1}


def test_a_jsonata_catcher_shapes_its_output(attempt: Try) -> None:
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": FUNCTION,
        "Catch": [
            {
                "ErrorEquals": ["Broken"],
                "Assign": {"failed": True},
                "Output": "{% $states.errorOutput.Cause %}",
                "Next": "Fix",
            }
        ],
        "End": True,
    }

    found = attempt(state, None, "DEBUG", **broken("Broken"))

    assert (found["output"], found["inspectionData"]["variables"]) == ("It is.", {"failed": True})
    assert attempt(state, **broken("Other"))["status"] == "FAILED"


def test_a_state_is_found_anywhere_in_a_machine(attempt: Try) -> None:
    inner = {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "Output": "{% $states.input * 2 %}", "End": True}}}
    machine = {
        "StartAt": "Each",
        "QueryLanguage": "JSONata",
        "States": {"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}},
    }

    assert attempt(machine, 21, stateName="Item")["output"] == 42
    assert refusal(attempt, state=machine, stateName="None") == (
        "ValidationException",
        "State not found in definition",
    )


@pytest.mark.parametrize(
    ("state", "more", "code", "message"),
    [
        ({"Type": "Pass", "End": True}, mock({}), "ValidationException", "State type 'Pass' is not supported"),
        (PARALLEL, {}, "InvalidDefinition", "does not support Map or Parallel states"),
        (PARALLEL, mock({}), "ValidationException", "Mocked result must be an array."),
        (PARALLEL, mock([1]), "ValidationException", "same number of items"),
        (MAP, mock({}), "ValidationException", "Mocked result must be an array."),
        (
            PARALLEL,
            {"mock": {"result": "[", "fieldValidationMode": "NONE"}},
            "ValidationException",
            "Mocked result must be valid JSON",
        ),
        (
            {"Type": "Pass", "End": True},
            {"context": '{"Task": {"Token": "a"}}'},
            "ValidationException",
            "contains 'Task' when",
        ),
        (
            {"Type": "Pass", "End": True},
            {"context": '{"Map": {}}'},
            "ValidationException",
            "'Map' field is not supported",
        ),
        (
            MAP,
            {"stateConfiguration": {"mapIterationFailureCount": 1}},
            "ValidationException",
            "TestState does not support MapIterationFailureCount when a mock is not specified.",
        ),
        (
            MAP,
            {"input": "[1]", "stateConfiguration": {"mapIterationFailureCount": 2}, **mock([1])},
            "ValidationException",
            "Map iteration failure count must be less than or equal to the number of Map iterations",
        ),
        (
            PARALLEL,
            {"revealSecrets": True, **mock([1, 2])},
            "ValidationException",
            "TestState does not support RevealSecrets when a mock is specified.",
        ),
        (PARALLEL, {"mock": {"result": "[]", "errorOutput": {}}}, "ValidationException", "only one of"),
        ({"Type": "Pass", "End": True}, {"input": "["}, "InvalidExecutionInput", "Invalid State Machine"),
        ({"Type": "Pass", "End": True}, {"variables": "["}, "ValidationException", "variables"),
        (
            {"Type": "Pass", "End": True},
            {"context": '{"Here": 1}'},
            "ValidationException",
            "Field 'Here' is not allowed",
        ),
        (
            {"Type": "Pass", "End": True},
            {"context": '{"State": {"RetryCount": "one"}}'},
            "ValidationException",
            "Invalid Context object provided: State.RetryCount must be a number",
        ),
        (
            {"Type": "Pass", "End": True},
            {"context": '{"Execution": 1}'},
            "ValidationException",
            "Invalid Context object provided: Execution must be an object",
        ),
        ({"Type": "Pass"}, {}, "InvalidDefinition", "Invalid State Machine Definition"),
        ({"Type": "Pas"}, {}, "InvalidDefinition", "at /States/StateName/Type'"),
        (
            {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "guard"}, "End": True},
            mock({"StatusCode": "ok"}),
            "ValidationException",
            "Mock result schema validation error: Field 'StatusCode' must be a number",
        ),
    ],
)
def test_an_invalid_request_is_refused(
    attempt: Try, state: dict[str, Any], more: dict[str, Any], code: str, message: str
) -> None:
    found, shown = refusal(attempt, state=state, **more)

    assert found == code
    assert message in shown


def test_a_given_context_is_the_whole_context(attempt: Try) -> None:
    state = {"Type": "Pass", "Parameters": {"context.$": "$$"}, "End": True}

    assert attempt(state, context='{"Execution": {"Name": "Guard 1"}}')["output"] == {
        "context": {"Execution": {"Name": "Guard 1"}}
    }


def test_a_map_shows_its_items_and_limits(attempt: Try) -> None:
    state = {
        **MAP,
        "ItemsPath": "$.gates",
        "ItemSelector": {"gate.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index"},
        "ItemBatcher": {"MaxItemsPerBatch": 1, "BatchInput": {"limit.$": "$.limit"}},
        "MaxConcurrencyPath": "$.limit",
        "ToleratedFailurePercentage": 50,
    }

    found = attempt(state, {"gates": [3, 4], "limit": 2}, "DEBUG", **mock(["a", "b"]))

    assert found["output"] == ["a", "b"]
    shown = found["inspectionData"]
    assert shown["afterItemsPath"] == [3, 4]
    assert shown["afterItemSelector"] == [{"gate": 3, "at": 0}, {"gate": 4, "at": 1}]
    assert shown["afterItemBatcher"][1] == {"BatchInput": {"limit": 2}, "Items": [{"gate": 4, "at": 1}]}
    assert (shown["maxConcurrency"], shown["toleratedFailurePercentage"]) == (2, 50.0)


@pytest.mark.parametrize(
    ("limit", "failures", "status"),
    [
        ({}, 4, "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, 1, "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, 2, "FAILED"),
        ({"ToleratedFailurePercentage": 50}, 2, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 50}, 3, "FAILED"),
    ],
)
def test_a_map_fails_beyond_its_tolerated_failures(
    attempt: Try, limit: dict[str, int], failures: int, status: str
) -> None:
    configuration = {"mapIterationFailureCount": failures}

    found = attempt({**MAP, **limit}, [1, 2, 3, 4], stateConfiguration=configuration, **mock([0, 0, 0, 0]))

    assert found["status"] == status
    assert found.get("error") == (None if status == "SUCCEEDED" else "States.ExceedToleratedFailureThreshold")


def test_a_map_needs_a_list(attempt: Try) -> None:
    found = attempt({**MAP, "ItemsPath": "$.gates"}, {"gates": 1}, **mock([]))
    spoken = attempt({**MAP, "QueryLanguage": "JSONata", "Items": "{% 1 %}"}, **mock([]))

    assert spoken["error"] == "States.QueryEvaluationError"
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert found["cause"] == 'Reference path "$.gates" must point to array.'


def test_a_machine_is_not_a_state(attempt: Try) -> None:
    code, _ = refusal(attempt, state=json.loads(machine_of(Done={"Type": "Succeed"})))

    assert code in ("ValidationException", "InvalidDefinition")
