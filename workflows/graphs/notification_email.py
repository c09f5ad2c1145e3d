"""The notification_email workflow, whose two steps other workflows share: Render Email -> Send Email."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepfunctions.steps import Chain  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts import notification_email as contract
from workflows.graphs.asl import LambdaTask, Retrier, retriers, state_machine


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is a ``SentEmail``."""
    retry = retriers(transient=contract.TRANSIENT_ERRORS, permanent=contract.FATAL_ERRORS)
    chain = Chain([render_email({"payload.$": "$"}, retry), send_email("$", retry)])
    return state_machine("Sends one mail to one user.", chain, timeout_seconds=3600)


def render_email(payload: Mapping[str, str], retry: Sequence[Retrier], **fields: Any) -> LambdaTask:
    """Return the Task that writes a mail to S3. Its result is a ``RenderedEmail``."""
    return LambdaTask("Render Email", payload=payload, answer=contract.RenderedEmail, retry=retry, **fields)


def send_email(email_path: str, retry: Sequence[Retrier], **fields: Any) -> LambdaTask:
    """Return the Task that sends the ``RenderedEmail`` at ``email_path``, at most once."""
    return LambdaTask("Send Email", payload={"email.$": email_path}, answer=contract.SentEmail, retry=retry, **fields)
