"""Callbacks to a state that waits with a task token: success and heartbeat.

A token that begins with ``local:`` belongs to a workflow which Django runs by itself: what waits there reads
the database, so no call is made.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from qu_workflows.aws.clients import step_functions
from qu_workflows.protocol.message import canonical_json

_LOCAL = "local:"
# AWS has the first two, for one that waited and one that never did, and the third for an invalid token.
_OVER = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class NoLongerAwaited(Exception):
    """The state does not wait for this token any more: it timed out, was ended already, or its execution has closed."""


class StepFunctionsUnavailable(Exception):
    """Step Functions was not reached, or has not said whether it took the call. Safe to try again."""


def new_local_token() -> str:
    """Return a token for a state that waits in a process of this project."""
    return f"{_LOCAL}{uuid4()}"


def is_local(task_token: str) -> bool:
    """Return whether a token's state waits in a process of this project."""
    return task_token.startswith(_LOCAL)


def end_task(task_token: str, output: Mapping[str, Any]) -> None:
    """End the state that waits, with its output. Raises NoLongerAwaited and StepFunctionsUnavailable.

    A token ends its state once: whoever comes second gets NoLongerAwaited.
    """
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
        # After a retry the first attempt may be what has ended the state: its answer was lost.
        if code in _OVER and not error.response.get("ResponseMetadata", {}).get("RetryAttempts"):
            raise NoLongerAwaited(code) from error
        raise StepFunctionsUnavailable(code) from error
    except BotoCoreError as error:
        raise StepFunctionsUnavailable(type(error).__name__) from error
