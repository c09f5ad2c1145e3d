"""The tasks of this project, enqueued as other Django tasks: ``custom_processing.enqueue("x")``.

To add one, write a function here, name it, and run ``make states``. It runs as an execution of the run_task workflow,
which retries it after any exception except the permanent ones of ``workflows.errors``.
"""

import hashlib
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from qu_workflows.tasks.services import RunsAsWorkflow, async_task

logger = logging.getLogger(__name__)


@async_task("process_guard_report")
def process_guard_report(report_id: int) -> None:  # noqa: ARG001  the contract's parameter
    """Process a guard report and notify its recipients: the guard_report workflow."""
    raise RunsAsWorkflow("guard_report")


@async_task("send_notification_email")
def send_notification_email(
    user_id: int,  # noqa: ARG001  the contract's parameters
    subject: str,  # noqa: ARG001
    template_name: str,  # noqa: ARG001
    context: Mapping[str, Any] = MappingProxyType({}),  # noqa: ARG001
) -> None:
    """Send a user one mail from ``emails/<name>.html``: the notification_email workflow."""
    raise RunsAsWorkflow("notification_email")


@async_task("daily_report_digest")
def daily_report_digest(date: str = "") -> None:  # noqa: ARG001  the contract's parameter
    """Mail each client a digest of a day, such as 2026-11-23; default: yesterday."""
    raise RunsAsWorkflow("daily_report_digest")


@async_task("escalate_incident")
def escalate_incident(report_id: int) -> None:  # noqa: ARG001  the contract's parameter
    """Ask supervisors in turn to acknowledge an incident: the incident_escalation workflow."""
    raise RunsAsWorkflow("incident_escalation")


@async_task("custom_processing")
def custom_processing(data: str) -> dict[str, Any]:
    """Return the size and the digest of a text: an example for other tasks.

    The return value has to be JSON. Exceptions cause a retry, so effects have to be safe to repeat.
    """
    content = data.encode()
    if not content:
        raise ValueError("data is empty. Give a text.")
    facts = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    logger.info("custom processing of %(size_bytes)d bytes, digest %(sha256)s", facts)
    return facts
