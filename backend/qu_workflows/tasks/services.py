"""What the rest of the backend may do with tasks: record them, send them, and record what became of them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.tasks.signals import task_enqueued

from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.outbox import send_after_commit, send_recorded
from qu_workflows.tasks.queue_task import AnyTask
from qu_workflows.tasks.registry import RegisteredTask
from qu_workflows.tasks.requests import TaskRequest, new_record
from qu_workflows.tasks.results import AnyResult, result_of
from qu_workflows.tasks.running import Attempt, run_attempt, run_inline
from qu_workflows.tasks.sending import Sending
from qu_workflows.tasks.statements import insert_records
from qu_workflows.tasks.status import apply_status_change
from qu_workflows.tasks.without_queue import refresh_if_run, run_after_commit

__all__ = [
    "apply_status_change",
    "call_inline",
    "enqueue_requests",
    "record_task",
    "record_tasks",
    "run_attempt",
    "send_later",
    "send_records",
]


def record_task(request: TaskRequest) -> TaskRecord:
    """Record a task in the caller's transaction, to be sent after it commits."""
    return record_tasks([request])[0]


def record_tasks(requests: Sequence[TaskRequest]) -> list[TaskRecord]:
    """Record tasks with one statement in the caller's transaction, to be sent after it commits.

    With USE_ASYNC_TASKS off they run in this process then. Raises for arguments that no execution could be
    given before anything is stored.
    """
    records = _insert([new_record(request) for request in requests])
    send_later(records)
    return records


def enqueue_requests(registered: RegisteredTask, task: AnyTask, requests: Sequence[TaskRequest]) -> list[AnyResult]:
    """Record requests of one task, announce and send them, and return their results so far.

    With USE_ASYNC_TASKS off, a task of one step runs here and now instead, and the result has its end;
    a workflow runs in this process after the commit, and the result has its end if it has one by then.
    """
    records = _insert([new_record(request) for request in requests])
    results = [result_of(record, task) for record in records]
    sender = type(task.get_backend())
    for result in results:
        task_enqueued.send(sender=sender, task_result=result)
    if settings.USE_ASYNC_TASKS or not registered.runs_in_one_step:
        send_later(records)
        refresh_if_run(records)
    else:
        for record in records:
            run_inline(record, registered)
    return [
        result_of(record, task) if record.ran_inline else result
        for record, result in zip(records, results, strict=True)
    ]


def call_inline(registered: RegisteredTask, task: AnyTask, request: TaskRequest) -> Any:
    """Record and run a task of one step here and now; return the function's value or raise its exception."""
    record = _insert([new_record(request)])[0]
    task_enqueued.send(sender=type(task.get_backend()), task_result=result_of(record, task))
    attempt = run_inline(record, registered) or Attempt()
    if attempt.exception is not None:
        raise attempt.exception
    return attempt.value


def send_records(records: Sequence[TaskRecord]) -> Sending:
    """Send recorded tasks now and record what became of it. Safe to repeat."""
    return send_recorded(records)


def _insert(records: list[TaskRecord]) -> list[TaskRecord]:
    insert_records(records)
    return records


def send_later(records: Sequence[TaskRecord]) -> None:
    """Send recorded tasks once the transaction commits; with USE_ASYNC_TASKS off, run them then."""
    if settings.USE_ASYNC_TASKS:
        send_after_commit(records)
    else:
        run_after_commit(records)
