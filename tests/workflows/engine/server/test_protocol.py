"""AWS's JSON protocol, without boto3."""

import asyncio
import json
from typing import Any

import pytest

from asl_engine.errors import TaskTimedOut
from asl_engine.server.http import Request, Response
from asl_engine.server.protocol import Api, ApiCall, Operation
from asl_engine.server.routes import OPERATIONS
from asl_engine.server.validation import Account
from tests.workflows.engine.server.served import PASS, ROLE, Server


def ask(
    server: Server, operation: str, body: Any = None, *, more: dict[str, Operation] | None = None, **headers: str
) -> Response:
    api = Api(server.runner, {**OPERATIONS, **(more or {})}, Account("eu-west-1", "000000000000"), draw=lambda: 0.5)
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    request = Request("POST", "/", {"x-amz-target": operation, **headers}, content)
    return asyncio.run(api.handle(request))


def status_and_body(response: Response) -> tuple[int, dict[str, Any]]:
    return response.status, json.loads(response.body)


def test_an_answer_names_its_request_and_its_protocol(server: Server) -> None:
    response = ask(server, "AWSStepFunctions.ListStateMachines")

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert len(response.headers["x-amzn-RequestId"]) == 36


def test_region_and_account_are_those_of_the_credentials(server: Server) -> None:
    def arn(authorization: str, name: str) -> str:
        body = {"name": name, "definition": PASS, "roleArn": ROLE}
        response = ask(server, "AWSStepFunctions.CreateStateMachine", body, authorization=authorization)
        return str(json.loads(response.body)["stateMachineArn"])

    scope = "AWS4-HMAC-SHA256 Credential={}/20261124/us-west-2/states/aws4_request, SignedHeaders=host, Signature=0"
    assert arn(scope.format("222222222222"), "a").startswith("arn:aws:states:us-west-2:222222222222:")
    assert arn(scope.format("AKIAEXAMPLE"), "b").startswith("arn:aws:states:us-west-2:000000000000:")
    assert arn("", "c").startswith("arn:aws:states:eu-west-1:000000000000:")


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("AWSStepFunctions.Nothing", {}, "UnknownOperationException"),
        ("ListStateMachines", {}, "UnknownOperationException"),
        ("", {}, "UnknownOperationException"),
        ("AWSStepFunctions.ListStateMachines", b"{", "SerializationException"),
        ("AWSStepFunctions.ListStateMachines", b"[]", "SerializationException"),
    ],
)
def test_an_invalid_request_is_refused_by_code(server: Server, operation: str, body: Any, code: str) -> None:
    status, answer = status_and_body(ask(server, operation, body))

    assert (status, answer["__type"]) == (400, code)
    assert answer["message"]


def test_an_error_of_the_runner_keeps_its_code(server: Server) -> None:
    def refuse(_call: ApiCall) -> None:
        raise TaskTimedOut

    status, answer = status_and_body(
        ask(server, "AWSStepFunctions.ListActivities", more={"ListActivities": Operation(refuse)})
    )

    assert (status, answer["__type"]) == (400, "TaskTimedOut")


def test_an_engine_fault_is_logged_with_the_request_id(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    def break_down(_call: ApiCall) -> None:
        raise ZeroDivisionError

    response = ask(server, "AWSStepFunctions.ListActivities", more={"ListActivities": Operation(break_down)})

    status, answer = status_and_body(response)
    assert (status, answer["__type"]) == (500, "InternalServerError")
    assert response.headers["x-amzn-RequestId"] in answer["message"]
    assert response.headers["x-amzn-RequestId"] in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/health", 200), ("GET", "/", 405), ("PUT", "/", 405)])
def test_get_is_for_the_health_path_only(server: Server, method: str, path: str, status: int) -> None:
    api = Api(server.runner, OPERATIONS, Account(), draw=lambda: 0.5)

    assert asyncio.run(api.handle(Request(method, path, {}, b""))).status == status
