"""The Django tasks of guard reports."""

from typing import Any

from qu_workflows.tasks.services import async_task
from reports.retention import sweep


@async_task("retention_sweep")
def retention_sweep() -> dict[str, Any]:
    """Remove what is past its date, and return what was found and removed: see ``reports.retention``.

    Safe to repeat: what is gone is not found again.
    """
    return sweep()
