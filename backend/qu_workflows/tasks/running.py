"""Runs a task's function, inline or as a step of run_task, and records each attempt.

Several processes may try to run one record. Inline, the process that changes READY to RUNNING runs it, once.
As a step, an attempt starts unless the function has returned before, or is running inline.
"""

import logging
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from traceback import format_exception
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from qu_workflows.compat import TaskContext, task_finished, task_started
from qu_workflows.protocol.errors import TaskStillRunning
from qu_workflows.protocol.message import fit_payload
from qu_workflows.records.json_values import checked_json, storable_text
from qu_workflows.records.models import WAITING, TaskRecord, TaskStatus
from qu_workflows.tasks.queries import result_of
from qu_workflows.tasks.registry import RegisteredTask
from qu_workflows.tasks.scheduled_runs import SKIPPED, origin_of, reason_to_skip

# An inline run that takes longer died with its process: no request and no function lasts longer.
INLINE_RUN_SECONDS = 900
MAX_TRACEBACK_CHARACTERS = 20_000
MAX_ERRORS_KEPT = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallResult:
    """The outcome of a task's function: its return value or its exception."""

    value: Any = None
    exception: Exception | None = None


def run_inline(record: TaskRecord, registered: RegisteredTask) -> CallResult | None:
    """Run a recorded task; return None if another process runs it or has run it.

    The function's exception is recorded and returned, not raised. In a transaction the function runs
    in a savepoint, so that a failure rolls back its writes but not its record.
    """
    now = timezone.now()
    claim: dict[str, Any] = {
        "status": TaskStatus.RUNNING,
        "ran_inline": True,
        "started_at": now,
        "last_attempted_at": now,
        "worker_ids": [*record.worker_ids, this_worker()],
    }
    if not TaskRecord.objects.filter(pk=record.pk, status=TaskStatus.READY).update(**claim):
        return None
    _set(record, claim)
    called = _call(record, registered)
    ended = _ended(record, called) | {"finished_at": timezone.now()}
    if called.exception is None:
        ended["status"] = TaskStatus.SUCCEEDED
    else:
        ended |= {
            "status": TaskStatus.FAILED,
            "error": type(called.exception).__name__[:256],
            "cause": storable_text(str(called.exception), MAX_TRACEBACK_CHARACTERS),
        }
    _save(record, ended)
    _announce_finished(record, registered)
    return called


def run_attempt(
    task_id: str, registered: RegisteredTask, payload: dict[str, Any], worker_id: str, payload_key: str = ""
) -> Any:
    """Run a task as one attempt of its execution and return its value as JSON.

    Safe to repeat: once the function has returned, here or inline, its value is returned again without
    running it. The function's exception is recorded and raised. The execution's events set the status, except
    that a waiting record becomes RUNNING here. Raises TaskStillRunning while it runs inline.
    A skipped run of a schedule returns ``{"skipped": why}``; its function does not run.
    """
    skipped = reason_to_skip(task_id)
    if skipped is not None:
        logger.info("task %s is skipped: %s", task_id, skipped)
        return {SKIPPED: skipped}
    record, has_returned = _begin_attempt(task_id, registered, payload, worker_id, payload_key)
    if has_returned:
        logger.info("task %s has returned before: its stored value is returned again", task_id)
        return record.result
    called = _call(record, registered, payload)
    _save(record, _ended(record, called))
    _announce_finished(record, registered)
    if called.exception is not None:
        raise called.exception
    return called.value


def this_worker() -> str:
    """Return this process's worker id, ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _begin_attempt(
    task_id: str, registered: RegisteredTask, payload: dict[str, Any], worker_id: str, payload_key: str
) -> tuple[TaskRecord, bool]:
    now = timezone.now()
    unrecorded = {
        "task": registered.name,
        "workflow": registered.entry.workflow,
        "payload": payload,
        "payload_key": payload_key,
        "status": TaskStatus.SENT,
        "enqueued_at": now,
        **origin_of(task_id),
    }
    with transaction.atomic():
        record, _ = TaskRecord.objects.select_for_update().get_or_create(pk=task_id, defaults=unrecorded)
        if record.returned_at is not None:
            return record, True
        since = record.last_attempted_at or record.enqueued_at
        is_recent = now - since < timedelta(seconds=INLINE_RUN_SECONDS)
        if record.ran_inline and record.status == TaskStatus.RUNNING and is_recent:
            problem = f"{record.worker_ids[-1]} has been running it since {since.isoformat()}."
            raise TaskStillRunning(record.pk, problem, "Wait until it ends.")
        changes: dict[str, Any] = {"last_attempted_at": now, "worker_ids": [*record.worker_ids, worker_id]}
        if record.started_at is None:
            changes["started_at"] = now
        if record.status in WAITING:
            changes["status"] = TaskStatus.RUNNING
        _save(record, changes)
    return record, False


def _call(record: TaskRecord, registered: RegisteredTask, payload: dict[str, Any] | None = None) -> CallResult:
    result = result_of(record, registered.task)
    task_started.send(sender=type(registered.task.get_backend()), task_result=result)
    context = (TaskContext(task_result=result),) if registered.task.takes_context else ()
    try:
        arguments = fit_payload(registered.entry, record.payload if payload is None else payload)
        if connection.in_atomic_block:
            with transaction.atomic():
                returned = registered.task.call(*context, **arguments)
        else:
            returned = registered.task.call(*context, **arguments)
        return CallResult(value=checked_json(returned)[0])
    except Exception as exception:  # noqa: BLE001  any error of the function is recorded, and the caller decides
        return CallResult(exception=exception)


def _ended(record: TaskRecord, called: CallResult) -> dict[str, Any]:
    if called.exception is None:
        return {"result": called.value, "returned_at": timezone.now()}
    kind = type(called.exception)
    error = {
        "exception_class_path": f"{kind.__module__}.{kind.__qualname__}",
        "traceback": storable_text("".join(format_exception(called.exception)), MAX_TRACEBACK_CHARACTERS),
    }
    return {"errors": [*record.errors, error][-MAX_ERRORS_KEPT:]}


def _save(record: TaskRecord, changes: dict[str, Any]) -> None:
    _set(record, changes)
    TaskRecord.objects.filter(pk=record.pk).update(**changes)


def _set(record: TaskRecord, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(record, name, value)


def _announce_finished(record: TaskRecord, registered: RegisteredTask) -> None:
    task_finished.send(sender=type(registered.task.get_backend()), task_result=result_of(record, registered.task))
