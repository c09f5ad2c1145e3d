"""``@async_task``: a plain function whose call sends it to the queue, or runs it when there is none.

The function has to be in, or imported into, the ``tasks`` module of an installed app: there the
process that runs the task finds it by its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.tasks.base import DEFAULT_TASK_BACKEND_ALIAS

from qu_workflows.tasks.queue_task import QueueTask
from qu_workflows.tasks.registry import registration_of
from qu_workflows.tasks.requests import TaskRequest
from qu_workflows.tasks.services import call_inline, enqueue_requests

if TYPE_CHECKING:
    from django.tasks import TaskResult


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
        request = self._request(args, kwargs)
        if settings.USE_ASYNC_TASKS or not registered.runs_in_one_step:
            return cast("TaskResult[P, R]", enqueue_requests(registered, self, [request])[0])
        return cast("R", call_inline(registered, self, request))

    def _request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskRequest:
        """Return the request in the form that earlier producers send: the function beside its arguments."""
        decorated = {
            "function_name": self.func.__name__,
            "module": self.func.__module__,
            "args": list(args),
            "kwargs": kwargs,
        }
        return TaskRequest(
            entry=registration_of(self).entry,
            payload=decorated,
            run_after=self.run_after,
            delay_seconds=self.delay_seconds,
            message_group_id=self.message_group_id,
            backend=self.backend,
            queue_name=self.queue_name,
        )


def async_task[**P, R](
    name: str, delay_seconds: int = 0, *, message_group_id: str = ""
) -> Callable[[Callable[P, R]], AsyncTask[P, R]]:
    """Make a function a task of the given name; ``delay_seconds`` is 0 to 900.

    Raises InvalidTask for a function that no message can carry: with ``*args``, nested, …
    """

    def decorate(func: Callable[P, R]) -> AsyncTask[P, R]:
        return AsyncTask(
            func=func,
            task_name=name,
            delay_seconds=delay_seconds,
            message_group_id=message_group_id,
            backend=DEFAULT_TASK_BACKEND_ALIAS,
        )

    return decorate
