"""Queries for other apps: registered tasks, task results, skipped runs of schedules."""

from collections.abc import Iterator, Mapping
from typing import Any

from qu_workflows.compat import AnyResult, AnyTask, TaskError, TaskResult, TaskResultStatus
from qu_workflows.protocol.errors import StepError
from qu_workflows.records.models import UNSUCCESSFUL, WAITING, TaskRecord, TaskStatus
from qu_workflows.tasks.registry import RegisteredTask, find_entry, name_of, registered_tasks
from qu_workflows.tasks.scheduled_runs import SKIPPED, run_in_progress

__all__ = [
    "SKIPPED",
    "RegisteredTask",
    "find_entry",
    "name_of",
    "registered_tasks",
    "result_of",
    "run_in_progress",
]

_STATUSES: Mapping[str, TaskResultStatus] = {
    **dict.fromkeys(WAITING, TaskResultStatus.READY),
    TaskStatus.RUNNING: TaskResultStatus.RUNNING,
    TaskStatus.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    **dict.fromkeys(UNSUCCESSFUL, TaskResultStatus.FAILED),
}


def result_of(record: TaskRecord, task: AnyTask) -> AnyResult:
    """Return the result of a record of ``task``."""
    args, kwargs = _arguments_of(record)
    result: AnyResult = TaskResult(
        task=task,
        id=record.pk,
        status=_STATUSES[record.status],
        enqueued_at=record.enqueued_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        last_attempted_at=record.last_attempted_at or record.started_at,
        args=args,
        kwargs=kwargs,
        backend=record.backend,
        errors=_errors(record),
        worker_ids=list(record.worker_ids),
    )
    object.__setattr__(result, "_return_value", record.result)  # frozen, and its __init__ does not take it
    return result


def _arguments_of(record: TaskRecord) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the keyword arguments as the caller gave them."""
    payload: dict[str, Any] = record.payload
    if {"function_name", "module"} <= payload.keys():
        return payload.get("args") or [], payload.get("kwargs") or {}
    entry = find_entry(record.task)
    names = entry.parameter_names[: record.positional_count] if entry else []
    return [payload[name] for name in names], {key: value for key, value in payload.items() if key not in names}


def _errors(record: TaskRecord) -> list[TaskError]:
    errors = [TaskError(**error) for error in record.errors]
    if record.status in UNSUCCESSFUL and not errors:
        errors.append(TaskError(exception_class_path=_class_path(record), traceback=record.cause or record.error))
    return errors


def _class_path(record: TaskRecord) -> str:
    """Return the path of an execution's error class, which the execution has without its module."""
    found = next((one for one in _subclasses(StepError) if one.__name__ == record.error), None)
    if found is None and (record.status == TaskStatus.TIMED_OUT or record.error == "States.Timeout"):
        return "builtins.TimeoutError"
    found = found or StepError
    return f"{found.__module__}.{found.__qualname__}"


def _subclasses(error: type[StepError]) -> Iterator[type[StepError]]:
    for one in error.__subclasses__():
        yield one
        yield from _subclasses(one)
