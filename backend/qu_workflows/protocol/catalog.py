"""Catalog entries: a task name, the workflow that runs it, and the payload that fits.

Only names in the catalog run. Two rendered files hold it, so that the dispatcher needs neither Django
nor pydantic: ``workflow_tasks.json`` has the tasks with a workflow of their own, ``django_tasks.json``
every other registered Django task, each of which runs as ``run_task``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from qu_workflows.protocol.parameters import Parameter

RUN_TASK = "run_task"


@dataclass(frozen=True)
class CatalogEntry:
    """A task name that may run, and the workflow that runs it.

    ``by_reference`` says whether the workflow reads a payload from S3 where it was too large to
    travel inline.
    """

    task: str
    workflow: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    by_reference: bool = True

    @cached_property
    def required_by_name(self) -> Mapping[str, bool]:
        """The payload's names in the order of the function's parameters, and whether each must be given."""
        return {name: parameter.required for name, parameter in self.parameters.items()}

    @property
    def parameter_names(self) -> list[str]:
        """The payload's names in the order of the function's parameters."""
        return list(self.parameters)

    def problems_with(self, payload: Mapping[str, Any]) -> list[str]:
        """Return what keeps arguments by name from fitting this task, each problem after its name."""
        missing = [
            f"{name}: is missing"
            for name, parameter in self.parameters.items()
            if parameter.required and name not in payload
        ]
        unfit = [
            f"{name[:80]}: {problem}" for name, value in payload.items() if (problem := self._problem(name, value))
        ]
        return missing + unfit

    def _problem(self, name: str, value: Any) -> str | None:
        parameter = self.parameters.get(name)
        return "is no parameter" if parameter is None else parameter.problem_with(value)

    def execution_input(self, payload: dict[str, Any] | None, payload_key: str | None) -> dict[str, Any]:
        """Return the execution's input: the payload itself, or for run_task the payload beside the task's name."""
        carried = {"payload_key": payload_key} if payload is None else {"payload": payload}
        if self.workflow == RUN_TASK:
            return {"task": self.task, **carried}
        return carried if payload is None else payload


def read_tasks(text: str) -> dict[str, CatalogEntry]:
    """Return the entries that one of the two files lists, by task name."""
    return {
        name: CatalogEntry(
            name,
            entry.get("workflow", RUN_TASK),
            {key: Parameter(**value) for key, value in entry["parameters"].items()},
            entry.get("by_reference", True),
        )
        for name, entry in json.loads(text).items()
    }
