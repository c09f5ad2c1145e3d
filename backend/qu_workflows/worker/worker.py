"""Runs the worker: recorded tasks become executions, and executions change their records."""

import logging
from pathlib import Path
from threading import Event

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from asl_engine import EngineError, HostedEngine
from qu_workflows.protocol.catalog import RUN_TASK
from qu_workflows.protocol.definitions import definition_text, functions_of
from qu_workflows.protocol.project import registered_project
from qu_workflows.worker.claiming import due_tasks, start_tasks
from qu_workflows.worker.firing import Scheduler
from qu_workflows.worker.recording import StatusRecorder, unfinished_records
from qu_workflows.worker.steps import RUN_TASK_DEFINITION, RUN_TASK_STEP, worker_steps
from qu_workflows.worker.waking import Waker

ACCOUNT = "000000000000"
STARTED_AT_ONCE = 200
RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class WorkerRefused(Exception):
    """The worker cannot begin; the text says why and what to do."""


class Worker:
    """A worker on a file of executions, which one process opens at a time.

    Raises StoreInUse while another worker has the file, WorkerRefused for a workflow that cannot run here.
    """

    def __init__(self, database: Path, concurrency: int) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        self._concurrency = concurrency
        self._recorder = StatusRecorder()
        self._steps = worker_steps()
        self._engine = HostedEngine(
            database,
            self._steps,
            self._recorder.publish,
            concurrency=concurrency,
            region=settings.AWS_REGION,
            account=ACCOUNT,
        )

    def open(self, host: str, port: int) -> str:
        """Resume what an earlier worker left, and answer the Step Functions API; return its URL."""
        for workflow in registered_project().workflows:
            self._put(workflow)
        self._report_ends()
        self._recorder.start()
        return self._engine.open(host, port)

    def run(self, stop: Event) -> None:
        """Start recorded tasks as they come, until ``stop`` is set."""
        waker, scheduler = Waker(stop), Scheduler()
        try:
            while not stop.is_set():
                self._turn(waker, scheduler, stop)
        finally:
            connections.close_all()

    def _turn(self, waker: Waker, scheduler: Scheduler, stop: Event) -> None:
        try:
            scheduler.fire()
            started = self._start_due()
        except DatabaseError:
            logger.exception("the database was not reached: trying again")
            connections.close_all()
            stop.wait(RETRY_SECONDS)
        else:
            if not started:
                waker.wait()

    def close(self) -> None:
        """Stop the engine and record what has ended."""
        self._engine.close()
        self._recorder.close()

    def _start_due(self) -> int:
        # What waits in the table costs no memory; what waits in the engine does.
        if self._engine.unfinished_tasks >= 4 * self._concurrency:
            return 0
        records = due_tasks(STARTED_AT_ONCE)
        return start_tasks(self._engine, records) if records else 0

    def _put(self, workflow: str) -> None:
        prefix = f"arn:aws:lambda:{settings.AWS_REGION}:{ACCOUNT}:function:"
        try:
            missing = functions_of(workflow) - self._steps.keys()
            text = definition_text(workflow, prefix)
        except FileNotFoundError as error:
            if workflow != RUN_TASK:
                raise WorkerRefused(f"{error.filename}: there is no state machine of {workflow}. Add it.") from None
            missing, text = frozenset(), _default_run_task(prefix)
        if missing:
            named = ", ".join(sorted(missing))
            raise WorkerRefused(f"{workflow} calls {named}, for which there is no step. Add it to the project's steps.")
        try:
            self._engine.put_state_machine(workflow, text)
        except EngineError as error:
            raise WorkerRefused(f"The state machine of {workflow} is refused: {error}") from error

    def _report_ends(self) -> None:
        """Publish the ends that the last worker could not record."""
        for record in unfinished_records():
            execution = self._engine.execution(record.workflow, record.pk)
            if execution is not None and execution.status != "RUNNING":
                self._recorder.publish(execution)


def _default_run_task(prefix: str) -> str:
    import json

    return json.dumps(RUN_TASK_DEFINITION).replace("${RunTaskFunctionArn}", prefix + RUN_TASK_STEP)
