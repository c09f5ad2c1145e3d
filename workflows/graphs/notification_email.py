"""The notification_email workflow: Render Email -> Send Email."""

from typing import Any

from stepfunctions.steps import Chain  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts.notification_email import FATAL_ERRORS, TRANSIENT_ERRORS
from workflows.graphs.asl import state_machine
from workflows.graphs.email import render_email, send_email
from workflows.graphs.retries import retriers


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is a ``SentEmail``."""
    retry = retriers(transient=TRANSIENT_ERRORS, permanent=FATAL_ERRORS)
    chain = Chain([render_email({"payload.$": "$"}, retry), send_email("$", retry)])
    return state_machine("notification_email", "Sends one mail to one user.", chain)
