"""The task class of the queue: a Django task that knows how it is sent."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.tasks import Task

if TYPE_CHECKING:
    type AnyTask = Task[..., Any]
    _Task = Task[..., Any]
else:  # generic only in the stubs
    AnyTask = _Task = Task


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTask(_Task):
    """A task of ``StepFunctionsBackend``.

    ``task_name`` is the name in the catalog, the function's path if empty. ``delay_seconds`` is 0 to 900.
    On a FIFO queue the tasks of one ``message_group_id`` start in order; on a standard queue each
    group gets its fair share.
    """

    task_name: str = ""
    delay_seconds: int = 0
    message_group_id: str = ""

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | None = None,
        backend: str | None = None,
        delay_seconds: int | None = None,
        message_group_id: str | None = None,
    ) -> Self:
        """Return the task with other defaults."""
        changes: dict[str, Any] = {
            "priority": priority,
            "queue_name": queue_name,
            "run_after": run_after,
            "backend": backend,
            "delay_seconds": delay_seconds,
            "message_group_id": message_group_id,
        }
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def name_of(task: AnyTask) -> str:
    """Return the name under which the catalog lists a task."""
    return (task.task_name if isinstance(task, QueueTask) else "") or task.module_path
