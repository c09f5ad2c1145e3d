"""The Django tasks of guard reports."""

from typing import Any

from qu_workflows.tasks.services import async_task
from reports.retention import sweep


@async_task("retention_sweep")
def retention_sweep() -> dict[str, Any]:
    """Remove expired reports and task records: see ``reports.retention.sweep``. Safe to retry."""
    return sweep()
