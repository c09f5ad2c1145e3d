"""Decorators of tasks, for existing imports."""

from collections.abc import Callable

from qu_workflows.tasks.services import AsyncTask, async_task

__all__ = ["async_task", "task"]


def task[**P, R](func: Callable[P, R]) -> AsyncTask[P, R]:
    """Register a function as a task named ``<module>.<function>``."""
    decorate: Callable[[Callable[P, R]], AsyncTask[P, R]] = async_task(f"{func.__module__}.{func.__name__}")
    return decorate(func)
