"""Callbacks to a state that waits with a task token: success and heartbeat.

A token that begins with ``local:`` belongs to a workflow that runs in a Django process, which reads the answer from the
database: it needs no call.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from qu_workflows.aws.clients import step_functions
from qu_workflows.protocol.message import canonical_json

_LOCAL = "local:"
# AWS: the token waited, never existed, or is invalid.
_OVER = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class NoLongerAwaited(Exception):
    """The state no longer waits for this token."""


class StepFunctionsUnavailable(Exception):
    """Step Functions was not reached, or its answer was lost. Safe to retry."""


def new_local_token() -> str:
    """Return a token for a state that waits in a Django process."""
    return f"{_LOCAL}{uuid4()}"


def is_local(task_token: str) -> bool:
    """Return whether a token's state waits in a Django process."""
    return task_token.startswith(_LOCAL)


def end_task(task_token: str, output: Mapping[str, Any]) -> None:
    """End the waiting state with its output, once. Raises NoLongerAwaited and StepFunctionsUnavailable."""
    if not is_local(task_token):
        text = canonical_json(output)
        _call(lambda: step_functions().send_task_success(taskToken=task_token, output=text))


def beat(task_token: str) -> None:
    """Send the waiting state a heartbeat. Raises NoLongerAwaited and StepFunctionsUnavailable."""
    if not is_local(task_token):
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
