"""Runs recorded tasks in the caller's process.

A function runs directly, a workflow on the embedded engine. For USE_ASYNC_TASKS off, and for TASK_FALLBACK=sync.
Nothing is kept of a workflow whose process dies: it is restarted by hand. The rest of the platform does not import this
module, so that the packages of the functions do not contain the engine.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from django.utils import timezone

from asl_engine import Clock, ExecutionRecord, SkippingClock, SystemClock, run
from asl_engine.adapters.status_events import detail_of
from asl_engine.jsontext import Json, dumps, loads
from qu_workflows.protocol.definitions import definition_of, waits_for_token
from qu_workflows.protocol.message import UnknownTask, canonical_json, fit_payload
from qu_workflows.protocol.project import StepHandler, registered_steps
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import find_entry, registered_tasks
from qu_workflows.tasks.running import run_inline, this_worker
from qu_workflows.tasks.status import apply_status_change

ACCOUNT_ARN = "arn:aws:states:local:000000000000"

type Step = Callable[[Any], Any]

logger = logging.getLogger(__name__)


class StepContext:
    """The part of the Lambda context that handlers may use."""

    memory_limit_in_mb = 0
    function_version = "$LATEST"

    def __init__(self, function_name: str) -> None:
        self.function_name = function_name
        self.invoked_function_arn = f"arn:aws:lambda:local:000000000000:function:{function_name}"
        self.aws_request_id = str(uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Return Lambda's maximum: nothing ends a step of this process from outside."""
        return 900_000


def run_recorded(task_id: str, clock: Clock | None = None) -> TaskRecord | None:
    """Run a recorded task and return its record.

    Returns None if it is not due, or another process has it. A function runs once, a workflow with all its retriers.
    The caller waits for no answer: a state with a task token times out at once. An error of the task is in its record
    and is not raised; an error of the engine makes the record FAILED too.
    """
    record = TaskRecord.objects.get(pk=task_id)
    if record.due_at > timezone.now():
        logger.info("task %s %s is not due yet: manage.py resend_tasks runs it then", record.task, record.pk)
        return None
    registered = registered_tasks().get(record.task)
    if registered is None or not registered.runs_in_one_step:
        waits = waits_for_token(record.workflow)
        return _run_workflow(record, clock or (SkippingClock() if waits else SystemClock()))
    called = run_inline(record, registered)
    if called is not None and called.exception is not None:
        logger.error("task %s %s failed here", record.task, record.pk, exc_info=called.exception)
    return record if called is not None else None


def input_of(record: TaskRecord) -> Json:
    """Return the input of a task's execution.

    A payload that is too large is written to where the steps read it. Raises UnknownTask for a task that is not in the
    catalog, PayloadDoesNotFit and TypeError for its payload.
    """
    entry = find_entry(record.task)
    if entry is None:
        raise UnknownTask("task", f"{record.task!r} is not in the catalog.", "Register it and run render_tasks.")
    payload = fit_payload(entry, record.payload)
    steps = registered_steps()
    if not record.payload_key or steps is None or steps.write_payload is None:
        return entry.execution_input(payload, None)
    steps.write_payload(record.payload_key, canonical_json(payload).encode())
    return entry.execution_input(None, record.payload_key)


def steps_of(handlers: Mapping[str, StepHandler]) -> dict[str, Step]:
    """Return the steps that call these handlers, by function name."""
    return {name: partial(_call, name, handler) for name, handler in handlers.items()}


def _run_workflow(record: TaskRecord, clock: Clock) -> TaskRecord | None:
    if not _claim(record):
        return None
    running = ExecutionRecord(
        arn=f"{ACCOUNT_ARN}:execution:{record.workflow}:{record.pk}",
        state_machine_arn=f"{ACCOUNT_ARN}:stateMachine:{record.workflow}",
        name=record.pk,
        status=TaskStatus.RUNNING,
        start_ms=clock.now_ms(),
        input=dumps(input_of(record)),
        definition="",
    )
    apply_status_change(detail_of(running))
    return apply_status_change(detail_of(_ended(running, record.workflow, clock)))


def _ended(running: ExecutionRecord, workflow: str, clock: Clock) -> ExecutionRecord:
    steps = registered_steps()
    try:
        result = run(
            definition_of(workflow),
            loads(running.input),
            tasks=steps_of(steps.handlers()) if steps else {},
            clock=clock,
            name=running.name,
            state_machine=workflow,
        )
    except Exception as error:
        logger.exception("workflow %s %s could not be run", workflow, running.name)
        failed = replace(running, status=TaskStatus.FAILED, error=type(error).__name__, cause=str(error))
        return replace(failed, stop_ms=clock.now_ms())
    logger.info("workflow %s %s: %s", workflow, running.name, result.status)
    return replace(
        running,
        status=str(result.status),
        stop_ms=clock.now_ms(),
        output=dumps(result.output) if result.status == TaskStatus.SUCCEEDED else None,
        error=result.error,
        cause=result.cause,
    )


def _claim(record: TaskRecord) -> bool:
    """Claim a READY record for this process; return False if it is not READY."""
    now = timezone.now()
    claim = {"ran_inline": True, "last_attempted_at": now, "worker_ids": [*record.worker_ids, this_worker()]}
    ready = TaskRecord.objects.filter(pk=record.pk, status=TaskStatus.READY)
    return bool(ready.update(status=TaskStatus.SENT, sent_at=now, **claim))


def _call(name: str, handler: StepHandler, event: Any) -> Any:
    return handler(event, StepContext(name))
