"""The task that sends the outbox, for a schedule that runs every minute."""

from typing import Any

from qu_workflows.tasks.outbox import send_outbox as send
from qu_workflows.tasks.services import async_task


@async_task("send_outbox")
def send_outbox() -> dict[str, Any]:
    """Send the tasks that are recorded and not sent, and return ``{"sent", "failed", "first_error"}``.

    Safe to repeat: a message sent twice starts one execution.
    """
    return send()
