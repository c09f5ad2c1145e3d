"""The task of the outbox, for a schedule that runs it each minute."""

from typing import Any

from qu_workflows.tasks.resending import send_outbox as send
from qu_workflows.tasks.services import async_task


@async_task("send_outbox")
def send_outbox() -> dict[str, Any]:
    """Send the tasks that were recorded and never left, and return how many: ``{"sent", "failed", "first_error"}``.

    Safe to repeat: a message sent twice starts one execution.
    """
    return send()
