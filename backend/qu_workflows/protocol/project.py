"""The project's registration: its catalog, state machines, schedules and time limits.

A project registers itself once per process: in Django in an app's ``ready()``, in the dispatcher's function at import.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any, Protocol

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


@dataclass
class DueRun:
    """The result of a round of due tasks: counts, first error, waiting threads."""

    succeeded: int = 0
    failed: int = 0
    first_error: str = ""
    waiting: list[Thread] = field(default_factory=list)

    def add(self, error: str) -> None:
        """Count a task that has ended, ``error`` being "" if it succeeded."""
        self.succeeded += not error
        self.failed += bool(error)
        self.first_error = self.first_error or error


class TaskRunner(Protocol):
    """Runs recorded tasks in this process without a queue: ``tasks.without_queue``."""

    def input_of(self, record: Any, entry: CatalogEntry) -> Any:
        """Return the input of a task's execution, writing a large payload to storage."""

    def start(self, task_ids: Sequence[str]) -> None:
        """Run tasks whose records are committed, before this returns or in threads."""

    def run_due(self, older_than_seconds: float, limit: int | None = None, deadline: float = float("inf")) -> DueRun:
        """Run the tasks that are due and not claimed. Begins none after ``deadline`` (of ``time.monotonic``)."""


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
_runners: list[TaskRunner] = []
_steps: list[Callable[[], Mapping[str, StepHandler]]] = []


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


def register_runner(runner: TaskRunner) -> None:
    """Register this process's runner. Functions have none: their packages contain no engine."""
    _runners[:] = [runner]


def register_steps(steps: Callable[[], Mapping[str, StepHandler]]) -> None:
    """Register a function that imports the handlers of all steps, by name.

    ``manage.py run_worker`` calls it. A handler takes an event and a context, as on Lambda.
    """
    _steps[:] = [steps]


def registered_steps() -> Mapping[str, StepHandler]:
    """Import and return the handlers of the steps; none where none were registered."""
    return _steps[0]() if _steps else {}


def registered_runner() -> TaskRunner | None:
    """Return this process's runner, or None."""
    return _runners[0] if _runners else None


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read(file: Path) -> dict[str, CatalogEntry]:
    return read_tasks(file.read_text(encoding="utf-8"))
