"""The django.tasks backend: a task is recorded, sent to SQS, and run by one execution."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.core.checks import CheckMessage

from qu_workflows.compat import AnyResult, AnyTask, BaseTaskBackend, InvalidTask, TaskResultDoesNotExist
from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.queries import result_of
from qu_workflows.tasks.registry import QueueTask, RegisteredTask, parameters_of, registered_tasks, registration_of
from qu_workflows.tasks.services import enqueue, new_record, options_of, sending_problem

if TYPE_CHECKING:
    from qu_workflows.compat import Task, TaskResult


class StepFunctionsBackend(BaseTaskBackend):
    """Sends tasks to the queue; the dispatcher starts one execution for each.

    A task is recorded in the caller's transaction and sent after the commit. Outside a transaction a single task
    is committed at once and sent by a thread within milliseconds (TASK_SEND_IN_BACKGROUND). A record that is
    still READY after a minute was not sent, for example because its process was killed: ``manage.py resend_tasks``
    sends it. With ``USE_ASYNC_TASKS`` off, tasks of one step run at once, as in Django's ImmediateBackend.
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
        """Record the task, and send it after the commit.

        Raises InvalidTask for a task that is not registered, TypeError or a MessageRejected for
        arguments that no execution accepts. A queue that is down raises nothing.
        """
        return self.enqueue_many(task, [(args, kwargs)])[0]

    def enqueue_many[**P, R](
        self, task: "Task[P, R]", calls: Iterable[tuple[Sequence[Any], dict[str, Any]]]
    ) -> "list[TaskResult[P, R]]":
        """Record one task per ``(args, kwargs)``, and send them in batches of ten.

        All or none are recorded; raises as ``enqueue`` does.
        """
        registered = registration_of(task)
        options = options_of(task) | {"backend": self.alias}
        records = [
            new_record(registered.entry, _named(registered, args, kwargs), positional_count=len(args), **options)
            for args, kwargs in calls
        ]
        return cast("list[TaskResult[P, R]]", enqueue(registered, task, records))

    def get_result(self, result_id: str) -> AnyResult:
        """Return the result of a task. Raises TaskResultDoesNotExist, also when its function is gone."""
        record = TaskRecord.objects.filter(pk=result_id).first()
        registered = registered_tasks().get(record.task) if record else None
        if record is None or registered is None:
            raise TaskResultDoesNotExist(result_id)
        return result_of(record, registered.task)

    def check(self, **_kwargs: Any) -> list[CheckMessage]:
        """Return the problems of the settings and of the catalog."""
        from qu_workflows.tasks.checks import check_catalog, check_settings

        return [*check_settings(), *check_catalog()]


def _named(registered: RegisteredTask, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return a call's arguments by name. Raises TypeError as the call itself would."""
    names = registered.entry.parameter_names
    if len(args) > len(names) or kwargs.keys() & set(names[: len(args)]):
        raise TypeError(f"{registered.name}({', '.join(names)}) is given an argument too many or twice.")
    return dict(zip(names, args, strict=False)) | kwargs
