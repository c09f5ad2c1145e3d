"""The alerts' task, run by a schedule every few minutes."""

from typing import Any

from qu_workflows.alerts.services import watch
from qu_workflows.tasks.services import async_task


@async_task("watch_stuck")
def watch_stuck() -> dict[str, Any]:
    """Mail operations about stuck tasks, and return what was found as ``services.watch`` does.

    Safe to repeat: an open alert is not mailed again.
    """
    return watch()
