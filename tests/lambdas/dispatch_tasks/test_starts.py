"""A start: retries, their limit, and errors that are not retried."""

import itertools
import json

import botocore.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.dispatch_tasks.starts import (
    MAX_DELAY_SECONDS,
    RESERVE_SECONDS,
    ExecutionStarter,
    NoTimeLeft,
    StartRefused,
    step_functions,
)
from lambdas.shared.runtime.aws import aws_client
from qu_workflows.protocol.message import ExecutionStart
from tests.lambdas.aws_answers import always_answer
from tests.lambdas.dispatch_tasks.fakes import ARNS, Clock, FakeStepFunctions, client_error, forever, longest

EXECUTION = ExecutionStart("task-1", "process_guard_report", "guard_report", '{"report_id":1}')
ENDPOINT = "https://states.us-east-2.amazonaws.com/"


def starter(client: FakeStepFunctions, clock: Clock, deadline: float = 30.0) -> ExecutionStarter:
    return ExecutionStarter(client, ARNS, deadline, clock.now, clock.sleep, longest)


def failing(*failures: Exception) -> FakeStepFunctions:
    return FakeStepFunctions({EXECUTION.name: iter(failures)})


def test_the_execution_has_the_task_id_and_input() -> None:
    client = FakeStepFunctions()

    assert starter(client, Clock()).start(EXECUTION, "Root=1-2-3") is True
    assert client.started == [
        {
            "stateMachineArn": ARNS["guard_report"],
            "name": "task-1",
            "input": '{"report_id":1}',
            "traceHeader": "Root=1-2-3",
        }
    ]


def test_an_execution_that_exists_is_no_error() -> None:
    client = failing(client_error("ExecutionAlreadyExists"))

    assert starter(client, Clock()).start(EXECUTION) is False


@pytest.mark.parametrize(
    "failure",
    [
        client_error("ThrottlingException"),
        client_error("KmsThrottlingException"),
        client_error("TooManyRequestsException"),
        client_error("ExecutionLimitExceeded"),
        client_error("ServiceUnavailable"),
        client_error("SomethingNew", status=429),
        client_error("SomethingNew", status=500),
        client_error("SomethingNew", status=503),
        botocore.exceptions.EndpointConnectionError(endpoint_url=ENDPOINT),
        botocore.exceptions.ConnectTimeoutError(endpoint_url=ENDPOINT),
        botocore.exceptions.ReadTimeoutError(endpoint_url=ENDPOINT),
        botocore.exceptions.ConnectionClosedError(endpoint_url=ENDPOINT),
    ],
    ids=str,
)
def test_transient_errors_are_retried_with_growing_delays(failure: Exception) -> None:
    client, clock = failing(failure, failure, failure), Clock()

    assert starter(client, clock).start(EXECUTION) is True
    assert clock.slept == pytest.approx([0.2, 0.4, 0.8])


def test_a_throttled_start_ends_before_the_deadline() -> None:
    client, clock = FakeStepFunctions({EXECUTION.name: forever(client_error("ThrottlingException"))}), Clock()

    with pytest.raises(NoTimeLeft, match=r"guard_report: .*task-1.*ThrottlingException.*MaximumConcurrency"):
        starter(client, clock, deadline=30).start(EXECUTION)
    assert 30 - RESERVE_SECONDS - MAX_DELAY_SECONDS <= clock.now() <= 30 - RESERVE_SECONDS


def test_with_little_time_there_is_one_attempt() -> None:
    client, clock = failing(client_error("ThrottlingException")), Clock()

    with pytest.raises(NoTimeLeft):
        starter(client, clock, deadline=1).start(EXECUTION)
    assert (client.attempts, clock.slept) == (["task-1"], [])


@given(st.floats(0, 900), st.integers(0, 60))
def test_no_attempt_starts_without_enough_time(deadline: float, failures: int) -> None:
    clock, began = Clock(), []

    class Watched(FakeStepFunctions):
        def start_execution(self, **request: object) -> object:
            began.append(clock.now())
            return super().start_execution(**request)

    client = Watched({EXECUTION.name: itertools.repeat(client_error("ThrottlingException"), failures)})
    try:
        starter(client, clock, deadline).start(EXECUTION)
    except NoTimeLeft:
        assert failures

    assert all(moment + RESERVE_SECONDS <= deadline for moment in began[1:])


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "StateMachineDoesNotExist", "InvalidExecutionInput", "InvalidName", "InvalidArn"],
)
def test_permanent_errors_are_not_retried(code: str) -> None:
    client, clock = failing(client_error(code)), Clock()

    with pytest.raises(StartRefused, match=rf"guard_report: task-1 was refused: .*{code}.*STATE_MACHINE_ARNS"):
        starter(client, clock).start(EXECUTION)
    assert (client.attempts, clock.slept) == (["task-1"], [])


def test_the_client_does_not_retry() -> None:
    client = step_functions()
    body = json.dumps({"__type": "ThrottlingException", "message": "slow down"}).encode()
    asked = always_answer(client, 400, body)
    clock = Clock()
    try:
        with pytest.raises(NoTimeLeft):
            ExecutionStarter(client, ARNS, 0.0, clock.now, clock.sleep, longest).start(EXECUTION)
    finally:
        aws_client.cache_clear()

    assert len(asked) == 1


def test_the_client_is_created_once() -> None:
    assert step_functions() is step_functions()


@given(st.floats(0.1, 5))
def test_jitter_stays_within_the_delay(delay: float) -> None:
    assert 0 <= ExecutionStarter(FakeStepFunctions(), ARNS, 0.0).jitter(delay) <= delay
