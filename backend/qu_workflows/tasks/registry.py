"""The registered Django tasks: those in the ``tasks`` modules of the installed apps, by name.

A message's task is looked up here: nothing is ever imported by a name from a message.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, Self, get_origin, get_type_hints

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from qu_workflows.compat import AnyTask, InvalidTask, TaskBase
from qu_workflows.protocol.catalog import RUN_TASK, CatalogEntry, Parameter
from qu_workflows.protocol.project import registered_project

TASKS_MODULE, WORKFLOWS_MODULE = "tasks", "workflows"
_TYPE_WORDS: Mapping[Any, str] = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTask(TaskBase):
    """A task of ``StepFunctionsBackend``.

    ``task_name`` is the name in the catalog, the function's path if empty. ``delay_seconds`` is 0 to 900.
    On a FIFO queue the tasks of one ``message_group_id`` start in order; on a standard queue each
    group gets its fair share.
    """

    task_name: str = ""
    delay_seconds: int = 0
    message_group_id: str = ""

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | None = None,
        backend: str | None = None,
        delay_seconds: int | None = None,
        message_group_id: str | None = None,
    ) -> Self:
        """Return the task with other defaults."""
        changes: dict[str, Any] = {
            "priority": priority,
            "queue_name": queue_name,
            "run_after": run_after,
            "backend": backend,
            "delay_seconds": delay_seconds,
            "message_group_id": message_group_id,
        }
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def name_of(task: AnyTask) -> str:
    """Return a task's name in the catalog."""
    return (task.task_name if isinstance(task, QueueTask) else "") or task.module_path


@dataclass(frozen=True)
class RegisteredTask:
    """A Django task and its catalog entry, derived from the function's signature."""

    task: AnyTask
    entry: CatalogEntry

    @property
    def name(self) -> str:
        """The name in messages, records and the catalog."""
        return self.entry.task

    @property
    def runs_in_one_step(self) -> bool:
        """True if the function is the work, False if a workflow is."""
        return self.entry.workflow == RUN_TASK


@cache
def registered_tasks() -> Mapping[str, RegisteredTask]:
    """Return every Django task by name. Read once per process, after all apps are loaded.

    Raises ImproperlyConfigured when two functions have the same name.
    """
    found: dict[str, RegisteredTask] = {}
    for task in _tasks_of_apps():
        name = name_of(task)
        other = found.get(name)
        if other is not None and other.task.func is not task.func:
            raise ImproperlyConfigured(
                f"{task.module_path} and {other.task.module_path} are both registered as {name!r}. Rename one."
            )
        found[name] = RegisteredTask(task, entry_of(name, task.func, takes_context=task.takes_context))
    return dict(sorted(found.items()))


def find_entry(name: str) -> CatalogEntry | None:
    """Return a task's entry from the registered functions, or else from the catalog's file."""
    registered = registered_tasks().get(name)
    return registered.entry if registered else registered_project().catalog.get(name)


def registration_of(task: AnyTask) -> RegisteredTask:
    """Return a task's registration. Raises InvalidTask for a task that no other process would find."""
    registered = registered_tasks().get(name_of(task))
    if registered is None or registered.task.func is not task.func:
        raise InvalidTask(
            f"{task.module_path} is not registered. Define it in, or import it into, "
            f"the {TASKS_MODULE} or {WORKFLOWS_MODULE} module of an installed app."
        )
    return registered


def entry_of(name: str, func: Callable[..., Any], *, takes_context: bool) -> CatalogEntry:
    """Return a function's catalog entry. Raises InvalidTask when the catalog cannot describe it."""
    parameters = parameters_of(func, takes_context=takes_context)
    for entry in registered_project().workflow_tasks:
        if entry.task == name:
            if list(parameters) != entry.parameter_names:
                raise InvalidTask(
                    f"{name} takes {', '.join(parameters)}, but the contract of {entry.workflow} has "
                    f"{', '.join(entry.parameter_names)}. Give the function the contract's parameters, in its order."
                )
            return entry
    return CatalogEntry(name, RUN_TASK, parameters=parameters)


def parameters_of(func: Callable[..., Any], *, takes_context: bool = False) -> dict[str, Parameter]:
    """Return a function's parameters as ``django_tasks.json`` lists them, without the task context.

    Raises InvalidTask for ``*args``, ``**kwargs`` and positional-only parameters: a payload gives arguments by name.
    """
    parameters = list(inspect.signature(func).parameters.values())
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidTask(
                f"{func.__module__}.{func.__qualname__}: a payload cannot name {parameter}. Name its parameters."
            )
    return {
        parameter.name: Parameter(_type_word(func, parameter.annotation), parameter.default is parameter.empty)
        for parameter in parameters[1 if takes_context else 0 :]
    }


def _type_word(func: Callable[..., Any], annotation: Any) -> str:
    if isinstance(annotation, str):
        holder = SimpleNamespace(__annotations__={"it": annotation})
        try:
            annotation = get_type_hints(holder, inspect.unwrap(func).__globals__)["it"]
        except (AttributeError, NameError, SyntaxError, TypeError):  # a name imported for the type checker alone
            return "any"
    return _TYPE_WORDS.get(get_origin(annotation) or annotation, "any")


def _tasks_of_apps() -> Iterator[AnyTask]:
    autodiscover_modules(TASKS_MODULE, WORKFLOWS_MODULE)
    for app in apps.get_app_configs():
        for name in (TASKS_MODULE, WORKFLOWS_MODULE):
            module = sys.modules.get(f"{app.name}.{name}")
            for value in vars(module).values() if module else ():
                if isinstance(value, QueueTask):
                    yield value
