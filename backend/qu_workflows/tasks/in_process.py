"""Runs tasks in this process, workflows by the embedded engine: no queue, no Lambda, no Step Functions.

For USE_ASYNC_TASKS off, and for TASK_FALLBACK=sync.

A workflow's record goes READY -> SENT by whoever takes it on, once; from there on by the same status changes that
EventBridge would bring. What a process leaves unfinished when it dies is taken on again by the next one, or
by ``manage.py resend_tasks``: every step is safe to repeat.
"""

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Thread

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from asl_engine import Clock, ExecutionRecord, SystemClock, run
from asl_engine.adapters.status_events import detail_of
from asl_engine.jsontext import Json, dumps, loads
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.definitions import definition_of, waits_for_token
from qu_workflows.protocol.message import canonical_json, fit_payload
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.background import background
from qu_workflows.tasks.registry import find_entry, registered_tasks
from qu_workflows.tasks.running import run_inline, this_worker
from qu_workflows.tasks.status import apply_status_change
from qu_workflows.tasks.steps import steps_of, write_payload
from qu_workflows.tasks.without_queue import INLINE

ACCOUNT_ARN = "arn:aws:states:local:000000000000"

logger = logging.getLogger(__name__)


def run_recorded(task_id: str) -> TaskRecord | None:
    """Run a recorded task to its end, whichever kind it is, unless somebody else has taken it on: then None.

    A function runs once, as it does where it is called; a workflow with all its retriers. Raises nothing
    of the task's: how it ended is in the record.
    """
    record = TaskRecord.objects.get(pk=task_id)
    registered = registered_tasks().get(record.task)
    if registered is None or not registered.runs_in_one_step:
        return run_workflow(task_id)
    if not _is_due(record):
        return None
    attempt = run_inline(record, registered)
    if attempt is not None and attempt.exception is not None:
        logger.error("task %s %s failed here", record.task, record.pk, exc_info=attempt.exception)
    return record if attempt is not None else None


def run_workflow(task_id: str, clock: Clock | None = None) -> TaskRecord | None:
    """Run a recorded workflow to its end, unless somebody else has taken it on: then None.

    Raises nothing of the workflow's: how it ended is in the record. A fault of the engine's own leaves
    the record as failed too.
    """
    record = _take_on(task_id)
    if record is None:
        return None
    entry = find_entry(record.task)
    if entry is None:
        raise LookupError(f"{record.task} is not in the catalog. Run make states.")
    clock = clock or SystemClock()
    running = ExecutionRecord(
        arn=f"{ACCOUNT_ARN}:execution:{record.workflow}:{record.pk}",
        state_machine_arn=f"{ACCOUNT_ARN}:stateMachine:{record.workflow}",
        name=record.pk,
        status=TaskStatus.RUNNING,
        start_ms=clock.now_ms(),
        input=dumps(_input_of(record, entry)),
        definition="",
    )
    apply_status_change(detail_of(running))
    return apply_status_change(detail_of(_ended(running, record.workflow, clock)))


def waits_for_somebody(task_id: str) -> bool:
    """Return whether a recorded task's workflow has a state that waits here for somebody's answer."""
    if settings.IN_PROCESS_WORKFLOWS == INLINE:
        return False
    return waits_for_token(TaskRecord.objects.values_list("workflow", flat=True).get(pk=task_id))


def run_each(task_ids: Iterable[str]) -> Iterator[TaskRecord | Thread]:
    """Run recorded tasks one after the other: yield each that has ended, or the thread in which it waits for somebody.

    What somebody else has taken on is left out.
    """
    for task_id in task_ids:
        if waits_for_somebody(task_id):
            yield background.do_aside(partial(run_recorded, task_id))
        elif (record := run_recorded(task_id)) is not None:
            yield record


def take_up_abandoned() -> list[str]:
    """Make the workflows that a process of this machine left unfinished ready again; return their ids."""
    begun = TaskRecord.objects.filter(ran_inline=True).filter(
        Q(status=TaskStatus.SENT) | Q(status=TaskStatus.RUNNING, execution_arn__startswith=ACCOUNT_ARN)
    )
    abandoned = [record.pk for record in begun if not _is_alive(record.worker_ids[-1])]
    TaskRecord.objects.filter(pk__in=abandoned).update(status=TaskStatus.READY)
    return abandoned


def waiting_tasks(older_than_seconds: float) -> list[str]:
    """Return the ids of recorded tasks that are due and that nobody has taken on, the oldest first."""
    now = timezone.now()
    records = TaskRecord.objects.filter(
        status=TaskStatus.READY, enqueued_at__lte=now - timedelta(seconds=older_than_seconds)
    )
    return [record.pk for record in records.order_by("enqueued_at", "id") if record.due_at <= now]


def _take_on(task_id: str) -> TaskRecord | None:
    """Make the record this process's; return None when it is another's, ended, or not due."""
    record = TaskRecord.objects.get(pk=task_id)
    if not _is_due(record):
        return None
    now = timezone.now()
    claim = {"ran_inline": True, "last_attempted_at": now, "worker_ids": [*record.worker_ids, this_worker()]}
    ready = TaskRecord.objects.filter(pk=task_id, status=TaskStatus.READY)
    return record if ready.update(status=TaskStatus.SENT, sent_at=now, **claim) else None


def _is_due(record: TaskRecord) -> bool:
    if record.due_at <= timezone.now():
        return True
    logger.info("task %s %s is not due yet: manage.py resend_tasks runs it then", record.task, record.pk)
    return False


def _input_of(record: TaskRecord, entry: CatalogEntry) -> Json:
    payload = fit_payload(entry, record.payload)
    if record.payload_key:
        write_payload(record.payload_key, canonical_json(payload).encode())
        return entry.execution_input(None, record.payload_key)
    return entry.execution_input(payload, None)


def _ended(running: ExecutionRecord, workflow: str, clock: Clock) -> ExecutionRecord:
    try:
        result = run(
            definition_of(workflow),
            loads(running.input),
            tasks=steps_of(workflow),
            clock=clock,
            name=running.name,
            state_machine=workflow,
        )
    except Exception as error:
        logger.exception("workflow %s %s could not be run", workflow, running.name)
        why = str(error)
        return replace(running, status=TaskStatus.FAILED, stop_ms=clock.now_ms(), error=type(error).__name__, cause=why)
    logger.info("workflow %s %s: %s", workflow, running.name, result.status)
    output = dumps(result.output) if result.status == TaskStatus.SUCCEEDED else None
    return replace(
        running,
        status=str(result.status),
        stop_ms=clock.now_ms(),
        output=output,
        error=result.error,
        cause=result.cause,
    )


def _is_alive(worker: str) -> bool:
    """Return whether a worker may still be there: one of another machine may."""
    host, _, pid = worker.rpartition(":")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
