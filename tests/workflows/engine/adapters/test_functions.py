"""Functions of this process as tasks, and the choice of a performer."""

import json
from typing import Any

import pytest

from asl_engine.adapters.performer import Ended, TaskCall, TaskError
from asl_engine.adapters.registry import Registry

ARN = "arn:aws:lambda:us-east-1:111111111111:function:resize"
INVOKE = "arn:aws:states:::lambda:invoke"


def double(given: Any) -> Any:
    return {"doubled": given["n"] * 2}


@pytest.mark.parametrize("name", ["resize", ARN, f"{ARN}:live"])
def test_a_function_is_found_by_its_arn_or_name(name: str) -> None:
    assert Registry({name: double}).perform(TaskCall(f"{ARN}:live", {"n": 2})) == {"doubled": 4}


@pytest.mark.parametrize("function", ["resize", "resize:live", ARN, f"{ARN}:live"])
def test_lambda_invoke_finds_it_and_adds_the_envelope(function: str) -> None:
    result = Registry({"resize": double}).perform(TaskCall(INVOKE, {"FunctionName": function, "Payload": {"n": 2}}))

    assert (result["Payload"], result["StatusCode"]) == ({"doubled": 4}, 200)
    assert result["SdkHttpMetadata"]["HttpStatusCode"] == 200


def test_any_text_may_name_a_function() -> None:
    assert Registry({"Resize it": double}).perform(TaskCall("Resize it", {"n": 1})) == {"doubled": 2}


def test_a_function_gets_and_returns_copies() -> None:
    kept: dict[str, Any] = {"list": []}

    def change(given: dict[str, Any]) -> dict[str, Any]:
        given["list"].append(1)
        return kept

    given: dict[str, Any] = {"list": []}
    result = Registry({"f": change}).perform(TaskCall("f", given))
    kept["list"].append(2)

    assert (given, result) == ({"list": []}, {"list": []})


def test_a_function_may_end_a_callback_at_once() -> None:
    call = TaskCall(f"{INVOKE}.waitForTaskToken", {"FunctionName": "wait", "Payload": {"n": 2}}, task_token="t")

    assert Registry({"wait": lambda given: Ended(double(given))}).perform(call) == Ended({"doubled": 4})
    assert Registry({"wait": double}).perform(call)["Payload"] == {"doubled": 4}


def test_the_end_of_a_callback_is_json() -> None:
    call = TaskCall(f"{INVOKE}.waitForTaskToken", {"FunctionName": "wait", "Payload": {}}, task_token="t")

    with pytest.raises(TaskError, match=r"Runtime\.MarshalError"):
        Registry({"wait": lambda _: Ended(object())}).perform(call)


def test_an_exception_fails_the_task_as_on_lambda() -> None:
    def fail(_: Any) -> None:
        raise KeyError("missing")

    with pytest.raises(TaskError) as raised:
        Registry({"f": fail}).perform(TaskCall("f", {}))

    cause = json.loads(raised.value.cause or "")
    assert (raised.value.error, raised.value.phase) == ("KeyError", "run")
    assert (cause["errorType"], cause["errorMessage"]) == ("KeyError", "'missing'")
    assert "in fail" in cause["stackTrace"][0]


def test_a_result_that_is_not_json_fails_the_task() -> None:
    with pytest.raises(TaskError) as raised:
        Registry({"f": lambda _: object()}).perform(TaskCall("f", {}))

    assert raised.value.error == "Runtime.MarshalError"


def test_a_task_error_of_a_function_is_unchanged() -> None:
    def fail(_: Any) -> None:
        raise TaskError("Custom.Error", "because")

    with pytest.raises(TaskError, match=r"Custom\.Error: because"):
        Registry({"f": fail}).perform(TaskCall("f", {}))


def test_a_task_without_a_function_fails() -> None:
    with pytest.raises(TaskError, match="There is no function for the resource 'nothing'"):
        Registry({"f": double}).perform(TaskCall("nothing", {}))


@pytest.mark.parametrize("resource", [INVOKE, ARN, "arn:aws:states:::sqs:sendMessage"])
def test_a_local_registry_calls_nothing_outside(resource: str) -> None:
    registry = Registry({"f": double}, local_only=True)

    with pytest.raises(TaskError, match="There is no function for the resource"):
        registry.perform(TaskCall(resource, {"FunctionName": "g"}))


def test_another_execution_is_started_by_the_given_callable() -> None:
    call = TaskCall("arn:aws:states:::states:startExecution.sync:2", {"StateMachineArn": "m"})

    assert Registry(start_execution=lambda asked: {"ExecutionArn": asked.parameters}).perform(call) == {
        "ExecutionArn": {"StateMachineArn": "m"}
    }


def test_without_that_callable_no_execution_can_be_started() -> None:
    with pytest.raises(TaskError, match="No other state machine can be started"):
        Registry().perform(TaskCall("arn:aws:states:::states:startExecution", {"StateMachineArn": "m"}))
