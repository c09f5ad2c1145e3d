"""The project's registration: its catalog, state machines, schedules and time limits.

A project registers itself once per process: in Django in an app's ``ready()``, in the dispatcher's function at import.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from qu_workflows.protocol.catalog import RUN_TASK, CatalogEntry, read_tasks
from qu_workflows.protocol.schedule import Schedule

type StepHandler = Callable[[Any, Any], Any]


class ProjectNotRegistered(Exception):
    """No project has registered itself with the platform."""

    def __str__(self) -> str:
        return (
            "No project is registered with qu_workflows. "
            "Call qu_workflows.protocol.project.register(Project(…)) in the ready() of one of your apps."
        )


@dataclass(frozen=True)
class SmokeTask:
    """A harmless task that ``manage.py smoke`` runs, and its expected result."""

    task: str
    payload: Mapping[str, Any]
    result: Any


@dataclass(frozen=True)
class Steps:
    """The handlers of a project's steps, and where large payloads are written."""

    handlers: Callable[[], Mapping[str, StepHandler]]
    write_payload: Callable[[str, bytes], object] | None = None


@dataclass(frozen=True)
class Project:
    """A project's workflows and hooks.

    ``folder`` has the rendered files of the catalog, ``workflow_tasks.json`` and ``django_tasks.json``;
    ``state_machines`` the rendered definitions, ``<workflow>.asl.json``. ``timeout_seconds`` has the time limit of
    executions by workflow. ``subject_of`` returns the id of the object that a payload (arguments by name) is about,
    such as an order; any other value than a database id counts as none.
    """

    folder: Path
    state_machines: Path
    schedules: tuple[Schedule, ...] = ()
    timeout_seconds: Mapping[str, int] = field(default_factory=dict)
    subject_of: Callable[[Mapping[str, Any]], object] = lambda _payload: None
    smoke_task: SmokeTask | None = None

    @property
    def django_tasks_file(self) -> Path:
        """The rendered catalog of registered Django tasks."""
        return self.folder / "django_tasks.json"

    @cached_property
    def workflow_tasks(self) -> tuple[CatalogEntry, ...]:
        """The tasks with a workflow of their own. Read once."""
        return tuple(_read(self.folder / "workflow_tasks.json").values())

    @cached_property
    def workflows(self) -> tuple[str, ...]:
        """The names of all workflows."""
        return (*(entry.workflow for entry in self.workflow_tasks), RUN_TASK)

    @cached_property
    def catalog(self) -> Mapping[str, CatalogEntry]:
        """Every task that may run, by name. Read once."""
        return _read(self.django_tasks_file) | {entry.task: entry for entry in self.workflow_tasks}

    @cached_property
    def schedules_by_name(self) -> Mapping[str, Schedule]:
        """The schedules by their names."""
        return MappingProxyType({schedule.name: schedule for schedule in self.schedules})

    def asl_of(self, workflow: str) -> str:
        """Return a workflow's rendered definition. Raises FileNotFoundError if it was never rendered."""
        return _text(self.state_machines / f"{workflow}.asl.json")

    def subject_id_of(self, payload: Mapping[str, Any]) -> int | None:
        """Return the id of a payload's subject, or None."""
        found = self.subject_of(payload)
        return found if isinstance(found, int) and 0 < found < 2**63 else None


_registered: list[Project] = []
_defaults: list[Callable[[], Project]] = []
_steps: list[Steps] = []


def register(project: Project) -> None:
    """Register this process's project; a later call replaces it."""
    _registered[:] = [project]


def set_default_project(make: Callable[[], Project]) -> None:
    """Set the function that makes the project of a process that registers none."""
    _defaults[:] = [make]


def registered_project() -> Project:
    """Return this process's project. Raises ProjectNotRegistered."""
    if not _registered:
        if not _defaults:
            raise ProjectNotRegistered
        register(_defaults[0]())
    return _registered[0]


def register_steps(
    handlers: Callable[[], Mapping[str, StepHandler]], write_payload: Callable[[str, bytes], object] | None = None
) -> None:
    """Register a function that imports the steps' handlers by name, for workflows without AWS.

    A handler takes an event and a context, as on Lambda. ``write_payload`` writes a payload that is too large for an
    execution's input, given its key and bytes, to where the steps read it. Functions register none: their packages
    contain no engine.
    """
    _steps[:] = [Steps(handlers, write_payload)]


def registered_steps() -> Steps | None:
    """Return this process's steps, or None."""
    if not _steps and not _registered and _defaults:
        registered_project()  # the default project registers its steps
    return _steps[0] if _steps else None


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read(file: Path) -> dict[str, CatalogEntry]:
    return read_tasks(file.read_text(encoding="utf-8"))
