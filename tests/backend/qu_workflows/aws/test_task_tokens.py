"""Task tokens sent back to Step Functions, stubbed where boto3 sends its requests."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from qu_workflows.aws import clients as aws
from qu_workflows.aws.task_tokens import (
    NoLongerAwaited,
    StepFunctionsUnavailable,
    beat,
    end_task,
)


@pytest.fixture
def step_functions() -> Iterator[Stubber]:
    with Stubber(aws.step_functions()) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_an_answer_ends_the_state_with_its_output(step_functions: Stubber) -> None:
    step_functions.add_response("send_task_success", {}, {"taskToken": "token", "output": '{"a":1,"b":"x"}'})

    end_task("token", {"b": "x", "a": 1})


def test_a_sign_of_life_is_a_heartbeat(step_functions: Stubber) -> None:
    step_functions.add_response("send_task_heartbeat", {}, {"taskToken": "token"})

    beat("token")


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_an_unawaited_token_is_distinguished(step_functions: Stubber, code: str) -> None:
    step_functions.add_client_error("send_task_success", code)

    with pytest.raises(NoLongerAwaited, match=code):
        end_task("token", {})


def test_after_a_lost_answer_the_call_is_unavailable(step_functions: Stubber) -> None:
    step_functions.add_client_error("send_task_success", "TaskTimedOut", response_meta={"RetryAttempts": 1})

    with pytest.raises(StepFunctionsUnavailable):
        end_task("token", {})


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_a_call_that_was_not_taken_can_be_tried_again(step_functions: Stubber, code: str) -> None:
    step_functions.add_client_error("send_task_heartbeat", code)

    with pytest.raises(StepFunctionsUnavailable, match=code):
        beat("token")


def test_an_endpoint_that_does_not_answer_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(**_: str) -> None:
        raise ConnectTimeoutError(endpoint_url="https://states.us-east-2.amazonaws.com")

    monkeypatch.setattr(aws.step_functions(), "send_task_success", send)

    with pytest.raises(StepFunctionsUnavailable, match="ConnectTimeoutError"):
        end_task("token", {})
