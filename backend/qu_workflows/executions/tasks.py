"""The task that samples histories, run by a schedule every few minutes."""

from typing import Any

from qu_workflows.executions.services import sample_histories as sample
from qu_workflows.tasks.services import async_task


@async_task("sample_histories")
def sample_histories() -> dict[str, Any]:
    """Save samples of ended executions, and return counts: see ``executions.samples.Sampling``.

    Safe to repeat: an execution with a sample is not read again.
    """
    return sample()
