"""Recording of executions' status changes in the task records."""

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections, connections, transaction

from asl_engine import ExecutionRecord
from asl_engine.adapters.status_events import detail_of
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.status import ForeignExecution, apply_status_change

MAX_BATCH = 200
RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class StatusRecorder:
    """Records status changes in a thread, retrying while the database is unavailable."""

    def __init__(self) -> None:
        self._changes: queue.SimpleQueue[ExecutionRecord | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="record-status", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def publish(self, record: ExecutionRecord) -> None:
        """Queue a change; the engine's listener."""
        self._changes.put(record)

    def close(self, timeout_seconds: float = 10) -> None:
        """Record what is queued and stop; the rest is recorded at the next start."""
        self._changes.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        self._stop.set()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch = [self._changes.get()]
            while len(batch) < MAX_BATCH and not self._changes.empty():
                batch.append(self._changes.get())
            is_open = None not in batch
            # Of one execution only the last change matters: a record moves forward alone.
            latest = {record.arn: record for record in batch if record is not None}
            self._record([detail_of(record) for record in latest.values()])
        connections.close_all()

    def _record(self, details: Sequence[dict[str, Any]]) -> None:
        while details and not self._stop.is_set():
            try:
                close_old_connections()
                with transaction.atomic():
                    for detail in details:
                        _apply(detail)
            except DatabaseError as error:
                logger.warning("%d status changes are recorded later: %s", len(details), error)
                connections.close_all()
                self._stop.wait(RETRY_SECONDS)
            else:
                return


def unfinished_records() -> list[TaskRecord]:
    """Return the records of executions that have not ended, as far as the database knows."""
    return list(TaskRecord.objects.filter(status=TaskStatus.RUNNING).exclude(execution_arn=""))


def _apply(detail: dict[str, Any]) -> None:
    try:
        apply_status_change(detail)
    except ForeignExecution:  # of a workflow that was removed from the project, or started by hand
        logger.warning("no task: %s", detail["executionArn"])
