"""The run_task workflow: any registered Django task, in one step with retries."""

from typing import Annotated, Any

from pydantic import Field

from qu_workflows.protocol.contract import Contract, TaskId
from workflows.errors import (
    DatabaseUnavailable,
    PayloadInvalid,
    StepError,
    StorageUnavailable,
    TaskNotRegistered,
    TaskStillRunning,
)

TRANSIENT_ERRORS: tuple[type[StepError], ...] = (DatabaseUnavailable, StorageUnavailable, TaskStillRunning)
FATAL_ERRORS: tuple[type[StepError], ...] = (PayloadInvalid, TaskNotRegistered)


class RunTaskInput(Contract):
    """The execution's input: the task's name beside its payload, since one machine runs them all.

    ``payload_key`` stands in for ``payload`` when that was too large to travel inline.
    """

    task: str
    payload: dict[str, Any] | None = None
    payload_key: str | None = None


class RunTaskStepInput(Contract):
    """What "Run Task" is given. ``attempt`` counts from 0, as the context object's RetryCount does."""

    task_id: TaskId
    attempt: Annotated[int, Field(ge=0)] = 0
    input: RunTaskInput


class TaskReturn(Contract):
    """What "Run Task" answers: the function's return value as JSON."""

    return_value: Any = None
