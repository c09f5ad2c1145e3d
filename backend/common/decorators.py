"""The decorators of tasks, where existing code imports them from."""

from collections.abc import Callable

from qu_workflows.tasks.services import AsyncTask, async_task

__all__ = ["async_task", "task"]


def task[**P, R](func: Callable[P, R]) -> AsyncTask[P, R]:
    """Make a function a task that is named by its path, ``<module>.<function>``."""
    decorate: Callable[[Callable[P, R]], AsyncTask[P, R]] = async_task(f"{func.__module__}.{func.__name__}")
    return decorate(func)
