"""The public face of tasks: enqueue one, send what was recorded, and record how a task went.

``send_task`` and a call of an ``@async_task`` lead from here to ``outbox`` (the record, and the hook after the commit)
and on to ``sending`` (SQS).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db import connection
from django.utils import timezone

from qu_workflows.aws.queues import MAX_DELAY_SECONDS
from qu_workflows.compat import DEFAULT_TASK_BACKEND_ALIAS, AnyResult, AnyTask, TaskResult, task_enqueued
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.execution_names import new_task_id
from qu_workflows.protocol.message import PayloadDoesNotFit, UnknownTask, fit_payload
from qu_workflows.protocol.payload_size import (
    MAX_INLINE_PAYLOAD_BYTES,
    PayloadTooLarge,
    payload_key_of,
    travels_inline,
)
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.json_values import checked_json
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.outbox import insert_records, send_later
from qu_workflows.tasks.queries import result_of
from qu_workflows.tasks.registry import QueueTask, RegisteredTask, find_entry, registration_of
from qu_workflows.tasks.resending import send_outbox
from qu_workflows.tasks.running import CallResult, run_inline
from qu_workflows.tasks.sqs_sending import send
from qu_workflows.tasks.without_queue import INLINE

__all__ = [
    "AsyncTask",
    "RunsAsWorkflow",
    "TaskRequest",
    "async_task",
    "enqueue",
    "new_record",
    "send",
    "send_later",
    "send_outbox",
    "send_task",
    "sending_problem",
]

_GROUP_ID = re.compile(r"[!-~]{1,128}")  # printable ASCII but the space


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """A call of a task: function, arguments and options of sending."""

    entry: CatalogEntry
    payload: Mapping[str, Any]
    positional_count: int = 0
    run_after: datetime | None = None
    delay_seconds: int = 0
    message_group_id: str = ""
    backend: str = DEFAULT_TASK_BACKEND_ALIAS
    queue_name: str = "default"


class RunsAsWorkflow(Exception):
    """The function only names a workflow's task and its arguments; the work is the workflow's."""

    def __init__(self, workflow: str) -> None:
        super().__init__(workflow)
        self.workflow = workflow

    def __str__(self) -> str:
        return f"The work is done by the workflow {self.workflow}. Call the task or enqueue it instead of its function."


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncTask[**P, R](QueueTask):
    """A Django task that can also be called. ``func`` is the plain function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> "R | TaskResult[P, R]":
        """Send the call and return its result so far; with USE_ASYNC_TASKS off, run it and return its value.

        A task whose work is a workflow of its own returns its result so far either way. Raises what the
        function raises when it runs here, and what ``enqueue`` raises.
        """
        registered = registration_of(self)
        # The form that earlier producers send: the function beside its arguments.
        function = {"function_name": self.func.__name__, "module": self.func.__module__}
        request = TaskRequest(
            entry=registered.entry,
            payload={**function, "args": list(args), "kwargs": kwargs},
            run_after=self.run_after,
            delay_seconds=self.delay_seconds,
            message_group_id=self.message_group_id,
            backend=self.backend,
            queue_name=self.queue_name,
        )
        if settings.USE_ASYNC_TASKS or not registered.runs_in_one_step:
            return cast("TaskResult[P, R]", enqueue(registered, self, [request])[0])
        return cast("R", _call_here(registered, self, request))


def async_task[**P, R](
    name: str, delay_seconds: int = 0, message_group_id: str | None = None
) -> Callable[[Callable[P, R]], AsyncTask[P, R]]:
    """Make a function a task of the given name: its call sends it to the queue, or runs it when there is none.

    ``delay_seconds`` is 0 to 900. The function has to be in, or imported into, the ``tasks`` module of an installed
    app: there the process that runs the task finds it by its name. Raises InvalidTask for a function that no message
    can carry: with ``*args``, nested, …
    """

    def decorate(func: Callable[P, R]) -> AsyncTask[P, R]:
        return AsyncTask(
            func=func,
            task_name=name,
            delay_seconds=delay_seconds,
            message_group_id=message_group_id or "",
            backend=DEFAULT_TASK_BACKEND_ALIAS,
        )

    return decorate


def send_task(
    task_name: str, payload: Mapping[str, Any], delay_seconds: int = 0, message_group_id: str | None = None
) -> str:
    """Record a task in the caller's transaction, to be sent after it commits, and return its id.

    ``payload`` holds the task's arguments by name; ``delay_seconds`` is 0 to 900. A queue that is down
    raises nothing. Raises UnknownTask for a name that is not in the catalog, ValueError for a delay
    or a group that SQS does not take, TypeError or PayloadDoesNotFit for what does not fit the task.
    """
    entry = find_entry(task_name)
    if entry is None:
        raise UnknownTask("task_name", f"{task_name!r} is no task.", "Register the task and run make states.")
    group = message_group_id or ""
    problem = sending_problem(delay_seconds, group)
    if problem:
        raise ValueError(problem)
    request = TaskRequest(entry=entry, payload=payload, delay_seconds=delay_seconds, message_group_id=group)
    record = new_record(request)
    insert_records([record])
    send_later([record])
    return record.pk


def enqueue(registered: RegisteredTask, task: AnyTask, requests: Sequence[TaskRequest]) -> list[AnyResult]:
    """Record requests of one task, announce and send them, and return their results so far.

    With USE_ASYNC_TASKS off, a task of one step runs here and now instead, and the result has its end;
    a workflow runs in this process after the commit, and the result has its end if it has one by then.
    """
    records = [new_record(request) for request in requests]
    insert_records(records)
    results = [_announce(record, task) for record in records]
    if settings.USE_ASYNC_TASKS or not registered.runs_in_one_step:
        send_later(records)
        if _have_run():
            for record in records:
                record.refresh_from_db()
    else:
        for record in records:
            run_inline(record, registered)
    return [
        result_of(record, task) if record.ran_inline else result
        for record, result in zip(records, results, strict=True)
    ]


def sending_problem(delay_seconds: int, message_group_id: str, run_after: datetime | None = None) -> str | None:
    """Return why SQS could not send a task so, or None."""
    if isinstance(delay_seconds, bool) or not isinstance(delay_seconds, int):
        return f"delay_seconds is {delay_seconds!r}, no whole number."
    if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
        return f"delay_seconds is {delay_seconds}; SQS takes 0 to {MAX_DELAY_SECONDS}. Use run_after."
    if delay_seconds and run_after is not None:
        return "delay_seconds and run_after are both given. Give one."
    if message_group_id and not _GROUP_ID.fullmatch(message_group_id):
        return "message_group_id is not 1 to 128 letters, digits and punctuation marks of ASCII."
    return None


def new_record(request: TaskRequest) -> TaskRecord:
    """Return the record of a request, not saved yet.

    A caller's mistake is an exception here and not a dead letter: raises TypeError for arguments that are not JSON,
    PayloadDoesNotFit for ones that break the task's contract, PayloadTooLarge for ones that no way of travelling
    takes.
    """
    entry = request.entry
    payload, text = _checked(request)
    arguments = fit_payload(entry, payload)
    task_id = new_task_id()
    size_bytes = len(text.encode())
    inline = travels_inline(entry, size_bytes)
    if not inline and settings.USE_ASYNC_TASKS and not settings.AWS_STORAGE_BUCKET_NAME:
        limit = f"{size_bytes:,} bytes; above {MAX_INLINE_PAYLOAD_BYTES:,} it travels through S3."
        raise PayloadTooLarge(f"{entry.task} /payload", limit, "Set AWS_STORAGE_BUCKET_NAME, or give less.")
    return TaskRecord(
        id=task_id,
        task=entry.task,
        workflow=entry.workflow,
        payload=payload,
        payload_key="" if inline else payload_key_of(task_id),
        positional_count=request.positional_count,
        subject_id=registered_project().subject_id_of(arguments),
        backend=request.backend,
        queue_name=request.queue_name,
        message_group_id=request.message_group_id,
        run_after=request.run_after,
        delay_seconds=request.delay_seconds,
        enqueued_at=timezone.now(),
    )


def _checked(request: TaskRequest) -> tuple[dict[str, Any], str]:
    task = request.entry.task
    try:
        return checked_json(request.payload)
    except TypeError as error:
        raise TypeError(
            f"{task}: the arguments are no JSON ({error}). Give texts, numbers, lists and dicts of them."
        ) from None
    except (ValueError, RecursionError) as error:
        raise PayloadDoesNotFit(f"{task} /payload", f"is no JSON ({error}).", "Leave that value out.") from None


def _announce(record: TaskRecord, task: AnyTask) -> AnyResult:
    result = result_of(record, task)
    task_enqueued.send(sender=type(task.get_backend()), task_result=result)
    return result


def _have_run() -> bool:
    """Return whether workflows that were to be sent or run have run by now."""
    runs_here = not settings.USE_ASYNC_TASKS and settings.IN_PROCESS_WORKFLOWS == INLINE
    return runs_here and not connection.in_atomic_block


def _call_here(registered: RegisteredTask, task: AnyTask, request: TaskRequest) -> Any:
    """Record and run a task of one step here and now; return the function's value or raise its exception."""
    record = new_record(request)
    insert_records([record])
    _announce(record, task)
    called = run_inline(record, registered) or CallResult()
    if called.exception is not None:
        raise called.exception
    return called.value
