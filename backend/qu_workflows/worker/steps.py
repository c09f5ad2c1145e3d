"""The steps of the project's workflows, and the step of one-step tasks, as functions."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import close_old_connections

from qu_workflows.protocol.errors import TaskNotRegistered
from qu_workflows.protocol.message import fit_payload
from qu_workflows.protocol.project import registered_steps
from qu_workflows.tasks.registry import registered_tasks
from qu_workflows.tasks.running import run_attempt, this_worker
from qu_workflows.tasks.without_queue import Step, steps_of

RUN_TASK_STEP = "run_task"
# For a project that renders no state machine of its own for tasks of one step.
RUN_TASK_DEFINITION: Mapping[str, Any] = {
    "Comment": "Runs one registered Django task.",
    "StartAt": "Run Task",
    "States": {
        "Run Task": {
            "Type": "Task",
            "Resource": "${RunTaskFunctionArn}",
            "Parameters": {"task_id.$": "$$.Execution.Name", "input.$": "$"},
            "Retry": [
                {"ErrorEquals": ["PayloadInvalid", "TaskNotRegistered"], "MaxAttempts": 0},
                {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 3, "MaxDelaySeconds": 60},
            ],
            "OutputPath": "$.return_value",
            "End": True,
        }
    },
}


def worker_steps() -> dict[str, Step]:
    """Return every step by its function's name. Each closes connections that are too old."""
    registered = registered_steps()
    steps = {RUN_TASK_STEP: run_task} | (steps_of(registered.handlers()) if registered else {})
    return {name: partial(_with_connections, step) for name, step in steps.items()}


def run_task(event: Any) -> dict[str, Any]:
    """Run a registered task as one attempt of its execution.

    Safe to retry, as ``run_attempt`` is. Raises TaskNotRegistered, and what the task raises.
    """
    name = event["input"]["task"]
    registered = registered_tasks().get(name)
    if registered is None or not registered.runs_in_one_step:
        raise TaskNotRegistered("task", f"{name!r} is not registered.", "Restart the worker with the code that has it.")
    payload = fit_payload(registered.entry, event["input"].get("payload") or {})
    return {"return_value": run_attempt(event["task_id"], registered, payload, this_worker())}


def _with_connections(step: Step, event: Any) -> Any:
    close_old_connections()
    try:
        return step(event)
    finally:
        close_old_connections()
