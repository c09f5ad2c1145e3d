"""Selection of the recorded tasks that are due, and their start on the engine.

A task is claimed by its execution: the engine saves it under the task's id before the record leaves READY, and the
same id again is the same execution. A worker that dies in between starts nothing twice.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import timedelta

from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from asl_engine import EngineError, ExecutionRecord, HostedEngine
from qu_workflows.aws.queues import MAX_DELAY_SECONDS
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.message import canonical_json
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.without_queue import input_of

logger = logging.getLogger(__name__)


def due_tasks(limit: int) -> list[TaskRecord]:
    """Return the recorded tasks that are due, the oldest first."""
    now = timezone.now()
    ready = TaskRecord.objects.filter(status=TaskStatus.READY).order_by("enqueued_at", "id")
    at_once = ready.filter(Q(run_after=None) | Q(run_after__lte=now), delay_seconds=0)
    delayed = ready.filter(delay_seconds__gt=0)
    over = now - timedelta(seconds=MAX_DELAY_SECONDS)
    found = [*at_once[:limit], *delayed.filter(enqueued_at__lte=over)[:limit], *_delays_over(delayed, over)]
    return sorted(found, key=lambda record: (record.enqueued_at, record.pk))[:limit]


def _delays_over(delayed: "QuerySet[TaskRecord]", over: object) -> Iterator[TaskRecord]:
    now = timezone.now()
    return (record for record in delayed.filter(enqueued_at__gt=over).iterator() if record.due_at <= now)


def start_tasks(engine: HostedEngine, records: Sequence[TaskRecord]) -> int:
    """Start one execution per task and return the number started. Safe to repeat.

    A task that no execution can be started for is FAILED, with the reason in its record.
    """
    begun: dict[str, list[tuple[TaskRecord, Future[ExecutionRecord]]]] = {}
    for record in records:
        try:
            execution_input = canonical_json(input_of(record))
        except (MessageRejected, ValueError, TypeError) as error:
            _refuse(record, error)
            continue
        future = engine.start(record.workflow, record.pk, execution_input)
        begun.setdefault(record.workflow, []).append((record, future))
    return sum(_mark_running(engine, workflow, starts) for workflow, starts in begun.items())


def _mark_running(
    engine: HostedEngine, workflow: str, starts: Sequence[tuple[TaskRecord, "Future[ExecutionRecord]"]]
) -> int:
    arn = ""
    started: list[str] = []
    for record, future in starts:
        try:
            arn = future.result().arn
        except EngineError as error:
            known = engine.execution(workflow, record.pk)
            if known is None:
                _refuse(record, error)
                continue
            arn = known.arn
        started.append(record.pk)
    waiting = TaskRecord.objects.filter(pk__in=started, status=TaskStatus.READY)
    now = timezone.now()
    named = Concat(Value(arn.rpartition(":")[0] + ":"), F("id"), output_field=CharField())
    waiting.update(status=TaskStatus.RUNNING, execution_arn=named, sent_at=now, started_at=now)
    return len(started)


def _refuse(record: TaskRecord, error: Exception) -> None:
    logger.error("task %s %s cannot be started: %s", record.task, record.pk, error)
    TaskRecord.objects.filter(pk=record.pk, status=TaskStatus.READY).update(
        status=TaskStatus.FAILED, error=type(error).__name__[:256], cause=str(error), finished_at=timezone.now()
    )
