"""The task of the alerts, for a schedule that runs it every few minutes."""

from typing import Any

from qu_workflows.alerts.services import watch
from qu_workflows.tasks.services import async_task


@async_task("watch_stuck")
def watch_stuck() -> dict[str, Any]:
    """Mail operations about what is older than it should be, and return it: see ``qu_workflows.alerts.services``.

    Safe to repeat: an open alert is not mailed again.
    """
    return watch()
