"""Runs one registered Django task, for the "Run Task" state of run_task."""

import os
from typing import Any

from lambdas.shared.runtime.database import database_step, setup_django
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.powertools import logger
from lambdas.shared.storage.objects import object_store
from lambdas.shared.storage.payloads import resolve_payload
from qu_workflows.protocol.message import PayloadDoesNotFit, canonical_json, fit_payload
from workflows.contracts.run_task import RunTaskInput, RunTaskStepInput, TaskReturn
from workflows.errors import PayloadInvalid, TaskNotRegistered

setup_django()

from qu_workflows.tasks.registry import RegisteredTask, registered_tasks  # noqa: E402  needs Django
from qu_workflows.tasks.running import run_attempt, this_worker  # noqa: E402

NEEDS = StepNeeds(
    timeout_seconds=840,
    memory_mb=1024,
    database=True,
    reads=("payloads",),
    writes=("payloads",),
    deletes=("media", "thumbnails"),  # retention_sweep
    enqueues=True,
    watches=True,  # watch_stuck and sample_histories
)
# AWS limits a state's output to 256 KiB, including the JSON around the value.
MAX_ANSWER_BYTES = 248 * 1024


@database_step(RunTaskStepInput)
def lambda_handler(event: RunTaskStepInput) -> TaskReturn:
    """Run the task and return its value.

    Safe to retry: a task that has returned is not run again. The task's exception is raised unchanged, for the retrier.
    Raises TaskNotRegistered, PayloadInvalid, StorageUnavailable, DatabaseUnavailable and TaskStillRunning.
    """
    registered = _registered(event.input.task)
    payload = _payload(event.task_id, registered, event.input)
    worker_id = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME") or this_worker()
    logger.info("attempt", task=registered.name, attempt=event.attempt)
    value = run_attempt(event.task_id, registered, payload, worker_id, event.input.payload_key or "")
    return TaskReturn(return_value=_small_enough(value))


def _registered(name: str) -> RegisteredTask:
    tasks = registered_tasks()
    registered = tasks.get(name)
    if registered is None or not registered.runs_in_one_step:
        problem = f"{name[:80]!r} is none of {', '.join(tasks)}."
        raise TaskNotRegistered("/input/task", problem, "Deploy the code with this task.")
    return registered


def _payload(task_id: str, registered: RegisteredTask, given: RunTaskInput) -> dict[str, Any]:
    inline = given.payload if given.payload is not None or given.payload_key else {}
    payload = resolve_payload(inline, given.payload_key, task_id, object_store())
    try:
        return fit_payload(registered.entry, payload)
    except PayloadDoesNotFit as error:
        raise PayloadInvalid(error.where, error.problem, error.remedy) from None


def _small_enough(value: Any) -> Any:
    """Return a value, None if too large for a state: the task record has it."""
    size_bytes = len(canonical_json(value).encode())
    if size_bytes <= MAX_ANSWER_BYTES:
        return value
    logger.warning("return value left out of the answer", size_bytes=size_bytes)
    return None
