"""Runs recorded tasks without a queue: a function directly, a workflow on the embedded engine.

For USE_ASYNC_TASKS off, and for TASK_FALLBACK=sync. The rest of the platform does not import this module, so that the
packages of the functions do not contain the engine.

A workflow's record changes from READY to SENT in the process that claims it, and then by the same status events
that EventBridge would deliver. A workflow whose process died is claimed by the next process, or by
``manage.py resend_tasks``: every step is safe to repeat.
"""

import atexit
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connections
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
from qu_workflows.tasks.outbox import INLINE
from qu_workflows.tasks.registry import find_entry, registered_tasks
from qu_workflows.tasks.running import run_inline, this_worker
from qu_workflows.tasks.status import apply_status_change

ACCOUNT_ARN = "arn:aws:states:local:000000000000"
THREADS = 2
WAIT_AT_EXIT_SECONDS = 10

type Job = Callable[[], object]
type StepHandler = Callable[[Any, Any], Any]
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


class Threads:
    """Runs jobs in order, in daemon threads that start with the first job.

    At exit, jobs get a short time to finish.
    """

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._lock = threading.Lock()
        self.have_begun = False

    def do(self, job: Job) -> None:
        """Run a job soon. An exception of it is logged."""
        self._jobs.put(job)
        with self._lock:
            if not self.have_begun:
                self.have_begun = True
                for number in range(THREADS):
                    threading.Thread(target=self._work, name=f"background-{number}", daemon=True).start()
                atexit.register(self.wait, WAIT_AT_EXIT_SECONDS)

    def do_aside(self, job: Job) -> threading.Thread:
        """Run a job that may wait for hours in a thread that ``wait`` ignores."""
        thread = threading.Thread(target=_run_job, args=[job], name="background-aside", daemon=True)
        thread.start()
        return thread

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until all jobs are done; return False on timeout."""
        with self._jobs.all_tasks_done:
            return self._jobs.all_tasks_done.wait_for(lambda: not self._jobs.unfinished_tasks, timeout_seconds)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                _run_job(job)
            finally:
                self._jobs.task_done()


class InProcessRunner:
    """The runner for ``protocol.project.register_runner``.

    ``handlers`` returns the handlers of the workflows' functions by name in snake case; it is called once, when the
    first workflow runs. ``write_payload`` writes a payload that is too large for an execution's input, given its key
    and bytes, to where the steps read it.
    """

    def __init__(
        self, handlers: Callable[[], Mapping[str, StepHandler]], write_payload: Callable[[str, bytes], object]
    ) -> None:
        self._handlers, self._write_payload = handlers, write_payload
        self.threads = Threads()

    @cached_property
    def steps(self) -> dict[str, Step]:
        """The steps of all workflows by function name."""
        return steps_of(self._handlers())

    def start(self, task_ids: Sequence[str]) -> None:
        """Run committed tasks, here or in a thread as IN_PROCESS_WORKFLOWS says."""
        for task_id in task_ids:
            if settings.IN_PROCESS_WORKFLOWS == INLINE:
                self.run(task_id)
            else:
                if not self.threads.have_begun:
                    self.threads.do(self.run_abandoned)
                self.threads.do(partial(self._run_beside, task_id))

    def run(self, task_id: str, clock: Clock | None = None) -> TaskRecord | None:
        """Run a recorded task and return its record; None if another process has it.

        A function runs once, a workflow with all its retriers. An error of the task is in its record and is not
        raised; an error of the engine makes the record FAILED too.
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
        """Run the workflows that a dead process of this machine left unfinished."""
        for task_id in _release_abandoned():
            self._run_beside(task_id)

    def run_due(self, older_than_seconds: float, limit: int | None = None, deadline: float = float("inf")) -> DueRun:
        """Run due, unclaimed tasks and workflows of dead processes, the oldest first.

        Begins none after ``deadline`` (of ``time.monotonic``). A workflow that waits for an answer gets a thread.
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
            input=dumps(self.input_of(record, entry)),
            definition="",
        )
        apply_status_change(detail_of(running))
        return apply_status_change(detail_of(self._ended(running, record.workflow, clock)))

    def input_of(self, record: TaskRecord, entry: CatalogEntry) -> Json:
        """Return the input of a task's execution, writing a large payload to storage."""
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
    """Return whether a task's workflow may wait in this process for an answer."""
    if settings.IN_PROCESS_WORKFLOWS == INLINE:
        return False
    return waits_for_token(TaskRecord.objects.values_list("workflow", flat=True).get(pk=task_id))


def _claim(record: TaskRecord) -> bool:
    """Claim a READY record for this process; return False if it is not READY."""
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
    """Make the workflows of this machine's dead processes READY; return their ids."""
    begun = TaskRecord.objects.filter(ran_inline=True).filter(
        Q(status=TaskStatus.SENT) | Q(status=TaskStatus.RUNNING, execution_arn__startswith=ACCOUNT_ARN)
    )
    abandoned = [record.pk for record in begun if not _is_alive(record.worker_ids[-1])]
    TaskRecord.objects.filter(pk__in=abandoned).update(status=TaskStatus.READY)
    return abandoned


def _is_alive(worker: str) -> bool:
    """Return whether a worker may still run; always True for another machine's."""
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


def steps_of(handlers: Mapping[str, StepHandler]) -> dict[str, Step]:
    """Return the steps that call these handlers, by function name."""
    return {name: partial(_call, name, handler) for name, handler in handlers.items()}


def _call(name: str, handler: StepHandler, event: Any) -> Any:
    return handler(event, StepContext(name))


def _run_job(job: Job) -> None:
    try:
        job()
    except Exception:
        logger.exception("a background job failed")
    finally:
        connections.close_all()
