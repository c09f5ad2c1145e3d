"""The catalog: which task names exist, which workflow runs each, and what payload fits.

Only names in the catalog run. Workflows with a contract of their own are listed here; every other
registered Django task runs as ``run_task`` and is listed in ``django_tasks.json``, which
``make states`` renders from the functions' signatures, so that the dispatcher needs no Django.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from workflows.contracts.guard_report import GuardReportInput
from workflows.contracts.notification_email import NotificationEmailInput

RUN_TASK = "run_task"
_BUILDING = Lock()
DJANGO_TASKS_FILE = Path(__file__).with_name("django_tasks.json")

# The words of django_tasks.json for a parameter's type.
PARAMETER_TYPES: Mapping[str, Any] = {
    "any": Any,
    "array": list[Any],
    "boolean": bool,
    "integer": int,
    "number": float,
    "object": dict[str, Any],
    "string": str,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a Django task: ``type`` is a key of ``PARAMETER_TYPES``."""

    type: str
    required: bool


@dataclass(frozen=True)
class CatalogEntry:
    """A task name that may run, and the workflow that runs it.

    ``by_reference`` says whether the workflow reads a payload from S3 where it was too large to
    travel inline.
    """

    task: str
    workflow: str
    contract: type[BaseModel] | None = None
    parameters: Mapping[str, Parameter] | None = None
    by_reference: bool = True

    @cached_property
    def payload_model(self) -> type[BaseModel]:
        """The model that a payload of this task has to fit; a payload's names are its fields' aliases."""
        with _BUILDING:  # pydantic builds a deferred model on first use, and two threads at once break it
            model = self.contract or _model_of(self.task, self.parameters or {})
            model.model_rebuild()
        return model

    @cached_property
    def required_by_name(self) -> Mapping[str, bool]:
        """The payload's names in the order of the function's parameters, and whether each must be given."""
        if self.contract is not None:
            return {name: field.is_required() for name, field in self.contract.model_fields.items()}
        return {name: parameter.required for name, parameter in (self.parameters or {}).items()}

    @property
    def parameter_names(self) -> list[str]:
        """The payload's names in the order of the function's parameters."""
        return list(self.required_by_name)

    def execution_input(self, payload: dict[str, Any] | None, payload_key: str | None) -> dict[str, Any]:
        """Return the execution's input: the payload itself, or for run_task the payload beside the task's name."""
        carried = {"payload_key": payload_key} if payload is None else {"payload": payload}
        if self.workflow == RUN_TASK:
            return {"task": self.task, **carried}
        return carried if payload is None else payload


WORKFLOW_TASKS: tuple[CatalogEntry, ...] = (
    CatalogEntry("process_guard_report", "guard_report", GuardReportInput, by_reference=False),
    CatalogEntry("send_notification_email", "notification_email", NotificationEmailInput),
)
WORKFLOWS: tuple[str, ...] = ("guard_report", "notification_email", RUN_TASK)


def _model_of(task: str, parameters: Mapping[str, Parameter]) -> type[BaseModel]:
    # Aliases, since a function may well have a parameter "copy" or "_id", which no model can have as a field.
    fields: dict[str, Any] = {
        f"parameter_{position}": (
            PARAMETER_TYPES[parameter.type],
            Field(alias=name) if parameter.required else Field(default=None, alias=name),
        )
        for position, (name, parameter) in enumerate(parameters.items())
    }
    return create_model(f"Payload of {task}", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def read_django_tasks(text: str) -> dict[str, CatalogEntry]:
    """Return the entries that a ``django_tasks.json`` text lists, by task name."""
    return {
        name: CatalogEntry(
            name,
            RUN_TASK,
            parameters={key: Parameter(**value) for key, value in entry["parameters"].items()},
        )
        for name, entry in json.loads(text).items()
    }


@cache
def catalog() -> Mapping[str, CatalogEntry]:
    """Return every task that may run, by name. Read once per process."""
    workflow_tasks = {entry.task: entry for entry in WORKFLOW_TASKS}
    return read_django_tasks(DJANGO_TASKS_FILE.read_text(encoding="utf-8")) | workflow_tasks
