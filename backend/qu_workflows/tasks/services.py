"""Public actions of tasks: enqueue a task, and send what was recorded.

``send_task`` and a call of an ``@async_task`` go on to ``outbox`` (the record, and the hook after the commit) and to
``sqs_sending``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.db import connection
from django.utils import timezone

from qu_workflows.aws.queues import MAX_DELAY_SECONDS, uses_queue
from qu_workflows.compat import DEFAULT_TASK_BACKEND_ALIAS, AnyResult, AnyTask, TaskResult, task_enqueued
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.execution_names import new_task_id
from qu_workflows.protocol.message import (
    MAX_INLINE_PAYLOAD_BYTES,
    PayloadDoesNotFit,
    PayloadTooLarge,
    UnknownTask,
    fit_payload,
    payload_key_of,
    travels_inline,
)
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.json_values import checked_json
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.outbox import insert_records, send_later, send_outbox
from qu_workflows.tasks.queries import result_of
from qu_workflows.tasks.registry import QueueTask, RegisteredTask, find_entry, name_of, registration_of
from qu_workflows.tasks.running import CallResult, run_inline
from qu_workflows.tasks.sqs_sending import send

__all__ = [
    "AsyncTask",
    "RunsAsWorkflow",
    "async_task",
    "enqueue",
    "new_record",
    "options_of",
    "send",
    "send_later",
    "send_outbox",
    "send_task",
    "sending_problem",
]

_GROUP_ID = re.compile(r"[!-~]{1,128}")  # printable ASCII but the space


class RunsAsWorkflow(Exception):
    """The function only declares a workflow's task and its parameters; the workflow does the work."""

    def __init__(self, workflow: str) -> None:
        super().__init__(workflow)
        self.workflow = workflow

    def __str__(self) -> str:
        return f"The work is done by the workflow {self.workflow}. Call or enqueue the task instead of its function."


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncTask[**P, R](QueueTask):
    """A Django task that can also be called. ``func`` is the plain function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> "R | TaskResult[P, R]":
        """Enqueue the call and return its result so far.

        With USE_ASYNC_TASKS off, run a task of one step here and return the function's value, or raise its exception.
        Raises what ``enqueue`` raises.
        """
        registered = registration_of(self)
        # The form that earlier producers send: the function beside its arguments.
        function = {"function_name": self.func.__name__, "module": self.func.__module__}
        payload = {**function, "args": list(args), "kwargs": kwargs}
        record = new_record(registered.entry, payload, **options_of(self))
        if settings.USE_ASYNC_TASKS or not registered.runs_in_one_step:
            return cast("TaskResult[P, R]", enqueue(registered, self, [record])[0])
        return cast("R", _call_here(registered, self, record))

    # The attributes that the decorator of earlier releases set.

    @property
    def _is_async_task(self) -> bool:
        return True

    @property
    def _task_name(self) -> str:
        return name_of(self)

    @property
    def _original_func(self) -> Callable[P, R]:
        return cast("Callable[P, R]", self.func)


def async_task[**P, R](
    name: str, delay_seconds: int = 0, message_group_id: str | None = None
) -> Callable[[Callable[P, R]], AsyncTask[P, R]]:
    """Make a function a task of the given name.

    ``delay_seconds`` is 0 to 900. The function must be in, or imported into, the ``tasks`` module of an installed
    app, where the process that runs the task finds it. Raises InvalidTask for a function that no message can
    carry, such as one with ``*args``.
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
    """Record a task, send it after the commit, and return its id.

    ``payload`` holds the task's arguments by name; ``delay_seconds`` is 0 to 900. A queue that is down
    raises nothing. Raises UnknownTask for a name that is not in the catalog, ValueError for a delay
    or a group that SQS refuses, TypeError or PayloadDoesNotFit for a payload that does not fit the task.
    """
    entry = find_entry(task_name)
    if entry is None:
        raise UnknownTask("task_name", f"{task_name!r} is not a task.", "Register the task and run make states.")
    group = message_group_id or ""
    problem = sending_problem(delay_seconds, group)
    if problem:
        raise ValueError(problem)
    record = new_record(entry, payload, delay_seconds=delay_seconds, message_group_id=group)
    insert_records([record])
    send_later([record])
    return record.pk


def enqueue(registered: RegisteredTask, task: AnyTask, records: Sequence[TaskRecord]) -> list[AnyResult]:
    """Save, announce and send new records of one task; return their results.

    With USE_ASYNC_TASKS off, a task of one step runs here and now, and a workflow in this process after the
    commit; a result is final if the task has ended by then.
    """
    insert_records(records)
    results = [_announce(record, task) for record in records]
    if settings.USE_ASYNC_TASKS or not registered.runs_in_one_step:
        send_later(records)
        if not settings.USE_ASYNC_TASKS and not connection.in_atomic_block:  # they have run
            for record in records:
                record.refresh_from_db()
    else:
        for record in records:
            run_inline(record, registered)
    return [
        result_of(record, task) if record.ran_inline else result
        for record, result in zip(records, results, strict=True)
    ]


def sending_problem(delay_seconds: int, message_group_id: str, run_after: object = None) -> str | None:
    """Return why SQS would refuse these options of a task, or None."""
    if isinstance(delay_seconds, bool) or not isinstance(delay_seconds, int):
        return f"delay_seconds is {delay_seconds!r}, not an integer."
    if not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
        return f"delay_seconds is {delay_seconds}; SQS takes 0 to {MAX_DELAY_SECONDS}. Use run_after."
    if delay_seconds and run_after is not None:
        return "delay_seconds and run_after are both given. Give one."
    if message_group_id and not _GROUP_ID.fullmatch(message_group_id):
        return "message_group_id is not 1 to 128 ASCII letters, digits and punctuation marks."
    return None


def options_of(task: AnyTask) -> dict[str, Any]:
    """Return a task's options of sending as fields of its record."""
    options: dict[str, Any] = {"backend": task.backend, "queue_name": task.queue_name, "run_after": task.run_after}
    if isinstance(task, QueueTask):
        options |= {"delay_seconds": task.delay_seconds, "message_group_id": task.message_group_id}
    return options


def new_record(entry: CatalogEntry, payload: Mapping[str, Any], **fields: Any) -> TaskRecord:
    """Return an unsaved record of a task; ``fields`` are further fields of TaskRecord.

    Raises TypeError for arguments that are not JSON, PayloadDoesNotFit for arguments that break the task's contract,
    PayloadTooLarge for a payload that neither a message nor S3 carries.
    """
    checked, text = _checked(entry.task, payload)
    arguments = fit_payload(entry, checked)
    task_id = new_task_id()
    size_bytes = len(text.encode())
    inline = travels_inline(entry, size_bytes)
    if not inline and uses_queue() and not settings.AWS_STORAGE_BUCKET_NAME:
        limit = f"{size_bytes:,} bytes; above {MAX_INLINE_PAYLOAD_BYTES:,} it travels through S3."
        raise PayloadTooLarge(f"{entry.task} /payload", limit, "Set AWS_STORAGE_BUCKET_NAME, or send a smaller one.")
    return TaskRecord(
        id=task_id,
        task=entry.task,
        workflow=entry.workflow,
        payload=checked,
        payload_key="" if inline else payload_key_of(task_id),
        subject_id=registered_project().subject_id_of(arguments),
        enqueued_at=timezone.now(),
        **fields,
    )


def _checked(task: str, payload: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    try:
        return checked_json(payload)
    except TypeError as error:
        raise TypeError(
            f"{task}: the arguments are not JSON ({error}). Give strings, numbers, lists and dicts of them."
        ) from None
    except (ValueError, RecursionError) as error:
        raise PayloadDoesNotFit(f"{task} /payload", f"is not JSON ({error}).", "Leave that value out.") from None


def _announce(record: TaskRecord, task: AnyTask) -> AnyResult:
    result = result_of(record, task)
    task_enqueued.send(sender=type(task.get_backend()), task_result=result)
    return result


def _call_here(registered: RegisteredTask, task: AnyTask, record: TaskRecord) -> Any:
    """Run a task of one step; return the function's value or raise its exception."""
    insert_records([record])
    _announce(record, task)
    called = run_inline(record, registered) or CallResult()
    if called.exception is not None:
        raise called.exception
    return called.value
