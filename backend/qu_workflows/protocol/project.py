"""What a project registers with the platform: its catalog, state machines, schedules and time limits.

A project registers itself once, where its process begins: in Django from an app's ``ready()``, in the
dispatcher's function at import.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from qu_workflows.protocol.catalog import RUN_TASK, CatalogEntry, read_tasks
from qu_workflows.protocol.schedule import Schedule


class ProjectNotRegistered(Exception):
    """No project has registered itself with the platform."""

    def __str__(self) -> str:
        return (
            "No project is registered with qu_workflows. "
            "Call qu_workflows.protocol.project.register(Project(…)) in the ready() of one of your apps."
        )


@dataclass(frozen=True)
class Project:
    """A project's workflows.

    ``folder`` holds ``workflow_tasks.json`` and ``django_tasks.json``, the two rendered files of the catalog.
    ``timeout_seconds`` has, by workflow, how long its executions may run.
    """

    folder: Path
    schedules: tuple[Schedule, ...] = ()
    timeout_seconds: Mapping[str, int] = field(default_factory=dict)

    @property
    def django_tasks_file(self) -> Path:
        """The rendered catalog of registered Django tasks."""
        return self.folder / "django_tasks.json"

    @cached_property
    def workflow_tasks(self) -> tuple[CatalogEntry, ...]:
        """The tasks that have a workflow of their own. Read once."""
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


_registered: list[Project] = []


def register(project: Project) -> None:
    """Make a project the one that this process serves; a later call replaces it."""
    _registered[:] = [project]


def registered_project() -> Project:
    """Return the project that this process serves. Raises ProjectNotRegistered."""
    if not _registered:
        raise ProjectNotRegistered
    return _registered[0]


def _read(file: Path) -> dict[str, CatalogEntry]:
    return read_tasks(file.read_text(encoding="utf-8"))
