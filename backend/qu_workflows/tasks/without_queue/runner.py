"""Runs recorded tasks in this process: a function as it is, a workflow by the embedded engine.

For USE_ASYNC_TASKS off, and for TASK_FALLBACK=sync.

A workflow's record goes READY -> SENT by the process that claims it, once; from there on by the same status changes
that EventBridge would bring. What a process leaves unfinished when it dies is claimed by the next one, or by
``manage.py resend_tasks``: every step is safe to repeat.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from asl_engine import Clock, ExecutionRecord, SystemClock, run
from asl_engine.adapters.status_events import detail_of
from asl_engine.jsontext import Json, dumps, loads
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.definitions import definition_of, waits_for_token
from qu_workflows.protocol.message import canonical_json, fit_payload
from qu_workflows.protocol.project import DueRun
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import find_entry, registered_tasks
from qu_workflows.tasks.running import run_inline, this_worker
from qu_workflows.tasks.status import apply_status_change
from qu_workflows.tasks.without_queue import INLINE
from qu_workflows.tasks.without_queue.steps import Step, StepHandler, steps_of
from qu_workflows.tasks.without_queue.threads import Threads

ACCOUNT_ARN = "arn:aws:states:local:000000000000"

logger = logging.getLogger(__name__)


class InProcessRunner:
    """The runner for ``protocol.project.register_runner``.

    ``handlers`` imports and returns the handlers of the workflows' functions, by the functions' names in snake case;
    it is called once, when the first workflow runs. ``write_payload`` puts a payload that is too large for an
    execution's input where the steps read it: it is given a key and the bytes.
    """

    def __init__(
        self, handlers: Callable[[], Mapping[str, StepHandler]], write_payload: Callable[[str, bytes], object]
    ) -> None:
        self._handlers, self._write_payload = handlers, write_payload
        self.threads = Threads()

    @cached_property
    def steps(self) -> dict[str, Step]:
        """The steps of all workflows, by the names that state machines have for them."""
        return steps_of(self._handlers())

    def start(self, task_ids: Sequence[str]) -> None:
        """Run tasks whose records are committed, before this returns or beside the caller."""
        for task_id in task_ids:
            if settings.IN_PROCESS_WORKFLOWS == INLINE:
                self.run(task_id)
            else:
                if not self.threads.have_begun:
                    self.threads.do(self.run_abandoned)
                self.threads.do(partial(self._run_beside, task_id))

    def run(self, task_id: str, clock: Clock | None = None) -> TaskRecord | None:
        """Run a recorded task to its end and return its record; None where another process has claimed it.

        A function runs once, as it does where it is called; a workflow with all its retriers. Raises nothing
        of the task's: how it ended is in the record. A fault of the engine's own leaves it FAILED too.
        """
        record = TaskRecord.objects.get(pk=task_id)
        if record.due_at > timezone.now():
            logger.info("task %s %s is not due yet: manage.py resend_tasks runs it then", record.task, record.pk)
            return None
        registered = registered_tasks().get(record.task)
        if registered is None or not registered.runs_in_one_step:
            return self._run_workflow(record, clock or SystemClock())
        called = run_inline(record, registered)
        if called is not None and called.exception is not None:
            logger.error("task %s %s failed here", record.task, record.pk, exc_info=called.exception)
        return record if called is not None else None

    def run_abandoned(self) -> None:
        """Run the workflows that a process of this machine left unfinished when it died."""
        for task_id in _release_abandoned():
            self._run_beside(task_id)

    def run_due(self, older_than_seconds: float, limit: int | None = None, deadline: float = float("inf")) -> DueRun:
        """Run the tasks that are due and not claimed, the oldest first, and workflows that died with their process.

        Begins none after ``deadline`` (of ``time.monotonic``). One that waits for an answer gets a thread.
        """
        _release_abandoned()
        done = DueRun()
        for task_id in _due_tasks(older_than_seconds)[:limit]:
            if time.monotonic() >= deadline:
                break
            if _may_wait(task_id):
                done.waiting.append(self.threads.do_aside(partial(self.run, task_id)))
            elif (record := self.run(task_id)) is not None:
                done.add(f"{record.error}: {record.cause}" if record.status != TaskStatus.SUCCEEDED else "")
        return done

    def _run_beside(self, task_id: str) -> None:
        """Run a task in this thread of the background; one that may wait for days in a thread of its own."""
        if _may_wait(task_id):
            self.threads.do_aside(partial(self.run, task_id))
        else:
            self.run(task_id)

    def _run_workflow(self, record: TaskRecord, clock: Clock) -> TaskRecord | None:
        if not _claim(record):
            return None
        entry = find_entry(record.task)
        if entry is None:
            raise LookupError(f"{record.task} is not in the catalog. Run make states.")
        running = ExecutionRecord(
            arn=f"{ACCOUNT_ARN}:execution:{record.workflow}:{record.pk}",
            state_machine_arn=f"{ACCOUNT_ARN}:stateMachine:{record.workflow}",
            name=record.pk,
            status=TaskStatus.RUNNING,
            start_ms=clock.now_ms(),
            input=dumps(self._input_of(record, entry)),
            definition="",
        )
        apply_status_change(detail_of(running))
        return apply_status_change(detail_of(self._ended(running, record.workflow, clock)))

    def _input_of(self, record: TaskRecord, entry: CatalogEntry) -> Json:
        payload = fit_payload(entry, record.payload)
        if record.payload_key:
            self._write_payload(record.payload_key, canonical_json(payload).encode())
            return entry.execution_input(None, record.payload_key)
        return entry.execution_input(payload, None)

    def _ended(self, running: ExecutionRecord, workflow: str, clock: Clock) -> ExecutionRecord:
        try:
            result = run(
                definition_of(workflow),
                loads(running.input),
                tasks=self.steps,
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


def _may_wait(task_id: str) -> bool:
    """Return whether a recorded task's workflow has a state that waits here for an answer."""
    if settings.IN_PROCESS_WORKFLOWS == INLINE:
        return False
    return waits_for_token(TaskRecord.objects.values_list("workflow", flat=True).get(pk=task_id))


def _claim(record: TaskRecord) -> bool:
    """Make the record this process's; return False when it is another's, or ended."""
    now = timezone.now()
    claim = {"ran_inline": True, "last_attempted_at": now, "worker_ids": [*record.worker_ids, this_worker()]}
    ready = TaskRecord.objects.filter(pk=record.pk, status=TaskStatus.READY)
    return bool(ready.update(status=TaskStatus.SENT, sent_at=now, **claim))


def _due_tasks(older_than_seconds: float) -> list[str]:
    now = timezone.now()
    ready = TaskRecord.objects.filter(
        status=TaskStatus.READY, enqueued_at__lte=now - timedelta(seconds=older_than_seconds)
    )
    return [record.pk for record in ready.order_by("enqueued_at", "id") if record.due_at <= now]


def _release_abandoned() -> list[str]:
    """Make the workflows that a process of this machine left unfinished ready again; return their ids."""
    begun = TaskRecord.objects.filter(ran_inline=True).filter(
        Q(status=TaskStatus.SENT) | Q(status=TaskStatus.RUNNING, execution_arn__startswith=ACCOUNT_ARN)
    )
    abandoned = [record.pk for record in begun if not _is_alive(record.worker_ids[-1])]
    TaskRecord.objects.filter(pk__in=abandoned).update(status=TaskStatus.READY)
    return abandoned


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
