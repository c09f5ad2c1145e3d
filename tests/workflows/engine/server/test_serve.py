"""A served engine whose time a test moves."""

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import boto3
import pytest

from asl_engine.clock import SkippableClock
from asl_engine.runner.listeners import Listener
from asl_engine.store.records import ExecutionRecord
from tests.workflows.engine.server.served import ACCOUNT, ROLE, Server, machine_of

ECHO = "arn:aws:states:::lambda:invoke.waitForTaskToken"
HOUR = 3600


@pytest.fixture(scope="module")
def changes() -> list[ExecutionRecord]:
    return []


@pytest.fixture(scope="module")
def skippable(changes: list[ExecutionRecord]) -> Iterator[Server]:
    listen: Listener = changes.append
    running = Server(clock=SkippableClock(), listeners=[listen])
    running.start()
    yield running
    running.stop()


def skip(server: Server, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/", json.dumps(body), {"X-Amz-Target": "AWSStepFunctions.SkipTime"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def start(server: Server, name: str, definition: str) -> tuple[Any, str]:
    sfn = boto3.client(
        "stepfunctions",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",
    )
    machine = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    return sfn, sfn.start_execution(stateMachineArn=machine, name="one")["executionArn"]


def test_moving_the_time_ends_a_wait_at_the_moved_time(skippable: Server, changes: list[ExecutionRecord]) -> None:
    sfn, arn = start(skippable, "wait", machine_of(Rest={"Type": "Wait", "Seconds": HOUR}))
    began = time.time()

    status, answer = skip(skippable, {"seconds": HOUR - 600})
    assert status == 200
    assert began + HOUR - 660 < answer["now"] < began + HOUR - 540
    assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"
    skip(skippable, {"seconds": 600.5})
    skippable.runner.closed(arn, 10)

    assert time.time() - began < 30
    described = sfn.describe_execution(executionArn=arn)
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert described["status"] == "SUCCEEDED"
    assert described["stopDate"].timestamp() >= described["startDate"].timestamp() + HOUR
    assert events[-1]["timestamp"] == described["stopDate"]
    last = [record for record in changes if record.arn == arn][-1]
    assert (last.status, last.stop_ms) == ("SUCCEEDED", round(described["stopDate"].timestamp() * 1000))


def test_moving_the_time_times_out_a_callback_task(skippable: Server) -> None:
    skippable.functions["ask"] = lambda event: event
    parameters = {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}}
    ask = {"Type": "Task", "Resource": ECHO, "Parameters": parameters, "TimeoutSeconds": 900}
    sfn, arn = start(skippable, "ask", machine_of(Ask=ask))
    events: list[str] = []
    while "TaskSubmitted" not in events:
        events = [event["type"] for event in sfn.get_execution_history(executionArn=arn)["events"]]

    skip(skippable, {"seconds": 901})
    skippable.runner.closed(arn, 10)

    assert sfn.describe_execution(executionArn=arn)["error"] == "States.Timeout"


@pytest.mark.parametrize("body", [{}, {"seconds": -1}, {"seconds": 10**9}, {"seconds": "900"}])
def test_an_invalid_time_to_skip_is_refused(skippable: Server, body: dict[str, Any]) -> None:
    before = skippable.runner.clock.now_ms()

    status, answer = skip(skippable, body)

    assert status == 400
    assert answer["__type"] in ("ValidationException", "SerializationException")
    assert skippable.runner.clock.now_ms() < before + 60_000


def test_a_machines_clock_has_no_skip_time(server: Server) -> None:
    status, answer = skip(server, {"seconds": 1})

    assert (status, answer["__type"]) == (400, "UnknownOperationException")
