"""Lambda tasks: requests, results and failures."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from asl_engine.adapters.lambda_ import LambdaPerformer
from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.services import ServiceClients
from tests.workflows.engine.adapters.conftest import LambdaAnswer, LambdaEndpoint, LambdaRequest

ARN = "arn:aws:lambda:us-east-1:111111111111:function:resize:live"
INVOKE = "arn:aws:states:::lambda:invoke"


@pytest.fixture
def performer(lambda_endpoint: LambdaEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaPerformer]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", lambda_endpoint.url)
    with closing(LambdaPerformer(ServiceClients())) as performer:
        yield performer


def invoke(**parameters: Any) -> TaskCall:
    return TaskCall(INVOKE, {"FunctionName": "resize", **parameters})


def error_of(performer: LambdaPerformer, call: TaskCall) -> TaskError:
    with pytest.raises(TaskError) as raised:
        performer.perform(call)
    return raised.value


@pytest.mark.parametrize("value", [{"a": [1, None, "é"]}, "text", 0.5, 7, True, None, []])
def test_a_function_by_its_arn_maps_input_to_result(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint, value: Any
) -> None:
    assert performer.perform(TaskCall(ARN, value)) == value

    request = lambda_endpoint.requests[0]
    assert json.loads(request.body) == value
    assert request.path == f"/2015-03-31/functions/{ARN.replace(':', '%3A')}/invocations"
    assert request.headers["X-Amz-Invocation-Type"] == "RequestResponse"


def test_lambda_invoke_answers_in_an_envelope(performer: LambdaPerformer) -> None:
    result = performer.perform(invoke(Payload={"a": 1}))

    assert list(result) == ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    assert (result["ExecutedVersion"], result["Payload"], result["StatusCode"]) == ("$LATEST", {"a": 1}, 200)
    http = result["SdkHttpMetadata"]
    assert (http["HttpStatusCode"], http["HttpHeaders"]["X-Amz-Executed-Version"]) == (200, "$LATEST")
    assert http["AllHttpHeaders"]["X-Amz-Executed-Version"] == ["$LATEST"]
    assert result["SdkResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        (None, b""),
        ("0.0", b"0.0"),
        ("{}", b"{}"),
        ("plain", b'"plain"'),
        ({"a": None}, b'{"a":null}'),
        (False, b"false"),
    ],
)
def test_a_payload_of_json_text_is_sent_unchanged(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint, payload: Any, sent: bytes
) -> None:
    performer.perform(invoke(Payload=payload))

    assert lambda_endpoint.requests[0].body == sent


def test_qualifier_type_and_client_context_are_sent(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint
) -> None:
    performer.perform(invoke(Qualifier="live", InvocationType="Event", ClientContext={"a": 1}))

    request = lambda_endpoint.requests[0]
    assert request.path.endswith("/invocations?Qualifier=live")
    assert request.headers["X-Amz-Invocation-Type"] == "Event"
    assert request.headers["X-Amz-Client-Context"] == "eyJhIjoxfQ=="


def test_the_log_type_is_sent_and_the_log_returned(performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint) -> None:
    lambda_endpoint.answers({}, headers={"X-Amz-Log-Result": "bG9n"})

    result = performer.perform(invoke(LogType="Tail"))

    assert lambda_endpoint.requests[0].headers["X-Amz-Log-Type"] == "Tail"
    assert (result["LogResult"], result["Payload"]) == ("bG9n", {})
    assert "LogResult" in result


def test_requests_are_signed(performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint) -> None:
    performer.perform(invoke())

    assert "/us-east-2/lambda/aws4_request" in lambda_endpoint.requests[0].headers["Authorization"]


def test_a_connection_is_kept_for_the_next_request(performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint) -> None:
    for _ in range(3):
        performer.perform(invoke())

    assert len(lambda_endpoint.connections) == 1


def test_a_connection_that_the_other_side_closed_is_replaced(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint
) -> None:
    lambda_endpoint.answers({}, headers={"Connection": "close"})
    performer.perform(invoke())
    time.sleep(0.05)

    assert performer.perform(invoke())["Payload"] == {}
    assert len(lambda_endpoint.requests) == 2


@pytest.mark.parametrize("resource", [ARN, INVOKE])
def test_a_functions_exception_fails_the_task_by_its_type(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint, resource: str
) -> None:
    answer = {"errorMessage": "No decoder reads it.", "errorType": "UnreadableImage", "stackTrace": []}
    lambda_endpoint.answers(answer, headers={"X-Amz-Function-Error": "Unhandled"})

    error = error_of(performer, TaskCall(resource, {"FunctionName": "resize"}))

    assert (error.error, json.loads(error.cause or ""), error.phase) == ("UnreadableImage", answer, "run")


def test_a_failure_without_a_type_is_lambda_unknown(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint
) -> None:
    lambda_endpoint.answers({"errorMessage": "Task timed out"}, headers={"X-Amz-Function-Error": "Unhandled"})

    error = error_of(performer, invoke())

    assert error.error == "Lambda.Unknown"
    assert error.cause == (
        "The cause could not be determined because Lambda did not return an error type. "
        'Returned payload: {"errorMessage": "Task timed out"}'
    )


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "ResourceNotFoundException", "Lambda.ResourceNotFoundException"),
        (429, "TooManyRequestsException", "Lambda.TooManyRequestsException"),
        (500, "ServiceException", "Lambda.ServiceException"),
        (403, "AccessDenied", "Lambda.AWSLambdaException"),
    ],
)
def test_a_refusal_of_lambda_has_javas_words(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint, status: int, code: str, expected: str
) -> None:
    headers = {"x-amzn-ErrorType": f"{code}:http://internal", "x-amzn-RequestId": "42"}
    lambda_endpoint.answers({"Type": "User", "Message": "No."}, status=status, headers=headers)

    error = error_of(performer, invoke())

    assert (error.error, error.cause) == (
        expected,
        f"No. (Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: 42; Proxy: null)",
    )


def test_a_refused_call_with_a_task_token_is_a_failed_submission(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint
) -> None:
    lambda_endpoint.answers({"Message": "No."}, status=404, headers={"x-amzn-ErrorType": "ResourceNotFoundException"})

    call = TaskCall(f"{INVOKE}.waitForTaskToken", {"FunctionName": "resize"})

    assert error_of(performer, call).phase == "submit"


def test_an_answer_that_is_not_json_is_a_text(performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint) -> None:
    lambda_endpoint.answer = lambda _: LambdaAnswer(b"<html>")

    assert performer.perform(TaskCall(ARN, {})) == "<html>"


def test_an_unreachable_endpoint_is_a_client_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{taken.getsockname()[1]}")

        error = error_of(LambdaPerformer(ServiceClients()), invoke())

    assert error.error == "Lambda.SdkClientException"
    assert "Unable to execute HTTP request: Connect to http://127.0.0.1" in (error.cause or "")


def test_an_answer_times_out_soon_after_the_state(
    performer: LambdaPerformer, lambda_endpoint: LambdaEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asl_engine.adapters.lambda_.GRACE_SECONDS", 0.05)

    def answer_late(request: LambdaRequest) -> LambdaAnswer:
        time.sleep(1)
        return LambdaAnswer(request.body)

    lambda_endpoint.answer = answer_late

    error = error_of(performer, TaskCall(ARN, {}, timeout_seconds=0.1))

    assert (error.error, error.cause) == (
        "Lambda.SdkClientException",
        "Unable to execute HTTP request: Read timed out",
    )
