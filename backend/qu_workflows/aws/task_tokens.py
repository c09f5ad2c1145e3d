"""Callbacks to a state that waits with a task token: success and heartbeat.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from collections.abc import Callable, Mapping
from typing import Any

from qu_workflows.aws.clients import step_functions
from qu_workflows.protocol.message import canonical_json

# AWS: the token waited, never existed, or is invalid.
_OVER = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class NoLongerAwaited(Exception):
    """The state no longer waits for this token."""


class StepFunctionsUnavailable(Exception):
    """Step Functions was not reached, or its answer was lost. Safe to retry."""


def end_task(task_token: str, output: Mapping[str, Any]) -> None:
    """End the waiting state with its output, once. Raises NoLongerAwaited and StepFunctionsUnavailable."""
    text = canonical_json(output)
    _call(lambda: step_functions().send_task_success(taskToken=task_token, output=text))


def beat(task_token: str) -> None:
    """Send the waiting state a heartbeat. Raises NoLongerAwaited and StepFunctionsUnavailable."""
    _call(lambda: step_functions().send_task_heartbeat(taskToken=task_token))


def _call(send: Callable[[], object]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        send()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # After a retry, the first attempt may have ended the state although its answer was lost.
        if code in _OVER and not error.response.get("ResponseMetadata", {}).get("RetryAttempts"):
            raise NoLongerAwaited(code) from error
        raise StepFunctionsUnavailable(code) from error
    except BotoCoreError as error:
        raise StepFunctionsUnavailable(type(error).__name__) from error
