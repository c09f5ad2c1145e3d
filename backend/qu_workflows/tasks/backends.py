"""The django.tasks backend: a task becomes a record, the record a message, the message an execution."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.core.checks import CheckMessage

from qu_workflows.compat import AnyResult, AnyTask, BaseTaskBackend, InvalidTask, TaskResultDoesNotExist
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.queries import result_of
from qu_workflows.tasks.registry import QueueTask, RegisteredTask, parameters_of, registered_tasks, registration_of
from qu_workflows.tasks.services import TaskRequest, enqueue, sending_problem

if TYPE_CHECKING:
    from qu_workflows.compat import Task, TaskResult


class StepFunctionsBackend(BaseTaskBackend):
    """Sends tasks to the queue, where the dispatcher starts one execution each.

    A task is recorded in the caller's transaction and sent after it commits. Outside of one it is committed
    at once, and when it is enqueued alone a thread sends it some milliseconds later
    (TASK_SEND_IN_BACKGROUND). A record still READY after a minute was lost between the two, or by a process
    that was killed; ``manage.py resend_tasks`` sends it again. With
    ``USE_ASYNC_TASKS`` off, tasks of one step run here and now, as in Django's ImmediateBackend.
    """

    task_class = QueueTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True

    def validate_task(self, task: AnyTask) -> None:
        """Raise InvalidTask for a task that a message cannot carry or that SQS cannot send."""
        super().validate_task(task)
        parameters_of(task.func, takes_context=task.takes_context)
        if isinstance(task, QueueTask):
            problem = sending_problem(task.delay_seconds, task.message_group_id, task.run_after)
            if problem:
                raise InvalidTask(problem)

    def enqueue[**P, R](self, task: "Task[P, R]", args: Sequence[Any], kwargs: dict[str, Any]) -> "TaskResult[P, R]":
        """Record the task now, and have it sent once that is committed.

        Raises InvalidTask for a task that is not registered, TypeError or a MessageRejected for
        arguments that no execution could be given. A queue that is down raises nothing.
        """
        return self.enqueue_many(task, [(args, kwargs)])[0]

    def enqueue_many[**P, R](
        self, task: "Task[P, R]", calls: Iterable[tuple[Sequence[Any], dict[str, Any]]]
    ) -> "list[TaskResult[P, R]]":
        """Record one task per ``(args, kwargs)`` in one statement, and send them ten to a message batch.

        All or nothing is recorded; raises as ``enqueue`` does.
        """
        registered = registration_of(task)
        requests = [self._request_of(registered, task, args, kwargs) for args, kwargs in calls]
        return cast("list[TaskResult[P, R]]", enqueue(registered, task, requests))

    def _request_of(
        self, registered: RegisteredTask, task: AnyTask, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> TaskRequest:
        return TaskRequest(
            entry=registered.entry,
            payload=_named(registered, args, kwargs) if args else kwargs,
            positional_count=len(args),
            run_after=task.run_after,
            delay_seconds=task.delay_seconds if isinstance(task, QueueTask) else 0,
            message_group_id=task.message_group_id if isinstance(task, QueueTask) else "",
            backend=self.alias,
            queue_name=task.queue_name,
        )

    def get_result(self, result_id: str) -> AnyResult:
        """Return what is known of a task. Raises TaskResultDoesNotExist, also when its function is gone."""
        record = TaskRecord.objects.filter(pk=result_id).first()
        registered = registered_tasks().get(record.task) if record else None
        if record is None or registered is None:
            raise TaskResultDoesNotExist(result_id)
        return result_of(record, registered.task)

    def check(self, **_kwargs: Any) -> list[CheckMessage]:
        """Return the problems of the settings and of the catalog, and what to set."""
        from qu_workflows.tasks.checks import check_catalog, check_settings

        return [*check_settings(), *check_catalog()]


def _named(registered: RegisteredTask, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a call's arguments by name. Raises TypeError as the call itself would."""
    names = registered.entry.parameter_names
    if len(args) > len(names) or kwargs.keys() & set(names[: len(args)]):
        raise TypeError(f"{registered.name}({', '.join(names)}) is given an argument too many or twice.")
    return dict(zip(names, args, strict=False)) | kwargs
