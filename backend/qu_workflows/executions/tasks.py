"""The task that keeps samples of histories, for a schedule that runs it every few minutes."""

from typing import Any

from qu_workflows.executions.services import sample_histories as sample
from qu_workflows.tasks.services import async_task


@async_task("sample_histories")
def sample_histories() -> dict[str, Any]:
    """Keep samples of what ended executions did, and return how many: see ``qu_workflows.executions.samples``.

    Safe to repeat: an execution that has a sample is not read again.
    """
    return sample()
