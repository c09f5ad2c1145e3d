"""The run_task workflow: any registered Django task in one step with retries."""

from typing import Annotated, Any

from pydantic import Field

from qu_workflows.protocol.contract import Contract, TaskId
from workflows import errors

TRANSIENT_ERRORS = (errors.DatabaseUnavailable, errors.StorageUnavailable, errors.TaskStillRunning)
FATAL_ERRORS = (errors.PayloadInvalid, errors.TaskNotRegistered)


class RunTaskInput(Contract):
    """The execution's input. One state machine runs all tasks, so it names the task.

    ``payload_key`` replaces a ``payload`` that was too large to be sent inline.
    """

    task: str
    payload: dict[str, Any] | None = None
    payload_key: str | None = None


class RunTaskStepInput(Contract):
    """Input of "Run Task". ``attempt`` counts from 0, like RetryCount of the context object."""

    task_id: TaskId
    attempt: Annotated[int, Field(ge=0)] = 0
    input: RunTaskInput


class TaskReturn(Contract):
    """Output of "Run Task": the function's return value as JSON."""

    return_value: Any = None
