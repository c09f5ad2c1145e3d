"""Catalog entries: a task name, the workflow that runs it, and the payload that fits.

Only names in the catalog run. Two rendered files hold it: ``workflow_tasks.json`` has the tasks with a workflow of
their own, ``django_tasks.json`` every other registered Django task, which all run as ``run_task``. So the dispatcher
needs neither Django nor pydantic, which would add a third to its cold start.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

RUN_TASK = "run_task"
# JSON's words for Python's types.
TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
ANY = "any"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a task: ``type`` is a key of ``TYPES``, or ``any``.

    Lengths are in characters. ``pattern`` must match the whole text.
    """

    type: str
    required: bool
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def as_words(self) -> dict[str, Any]:
        """Return the fields that are set, as in the catalog's files."""
        return {word: value for word, value in asdict(self).items() if value is not None}

    def problem_with(self, value: Any) -> str | None:
        """Return why a JSON value does not fit, or None."""
        if self.type == ANY:
            return None
        if not isinstance(value, TYPES[self.type]) or (isinstance(value, bool) and self.type != "boolean"):
            return f"is {json_type(value)}, not {_article(self.type)}"
        if isinstance(value, str):
            return self._problem_with_text(value)
        return self._problem_with_number(value) if isinstance(value, int | float) else None

    def _problem_with_number(self, value: float) -> str | None:
        if self.minimum is not None and value < self.minimum:
            return f"is less than {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"is more than {self.maximum}"
        return None

    def _problem_with_text(self, value: str) -> str | None:
        if self.min_length is not None and len(value) < self.min_length:
            return f"is shorter than {self.min_length}"
        if self.max_length is not None and len(value) > self.max_length:
            return f"is longer than {self.max_length}"
        # fullmatch, since Python's $ also matches before a newline at the end.
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return f"does not match {self.pattern}"
        return None


@dataclass(frozen=True)
class CatalogEntry:
    """A task name that may run, and the workflow that runs it.

    ``by_reference``: the workflow can read a payload from S3 if it is too large to travel inline.
    """

    task: str
    workflow: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    by_reference: bool = True

    @cached_property
    def required_by_name(self) -> Mapping[str, bool]:
        """The payload's names in the function's order, with True for required ones."""
        return {name: parameter.required for name, parameter in self.parameters.items()}

    @property
    def parameter_names(self) -> list[str]:
        """The payload's names in the order of the function's parameters."""
        return list(self.parameters)

    def problems_with(self, payload: Mapping[str, Any]) -> list[str]:
        """Return the problems of arguments by name, each as ``name: problem``."""
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
        return "is not a parameter" if parameter is None else parameter.problem_with(value)

    def execution_input(self, payload: dict[str, Any] | None, payload_key: str | None) -> dict[str, Any]:
        """Return the execution's input: the payload, for run_task beside the task's name."""
        carried = {"payload_key": payload_key} if payload is None else {"payload": payload}
        if self.workflow == RUN_TASK:
            return {"task": self.task, **carried}
        return carried if payload is None else payload


def read_tasks(text: str) -> dict[str, CatalogEntry]:
    """Return the entries of one of the two files, by task name."""
    return {
        name: CatalogEntry(
            name,
            entry.get("workflow", RUN_TASK),
            {key: Parameter(**value) for key, value in entry["parameters"].items()},
            entry.get("by_reference", True),
        )
        for name, entry in json.loads(text).items()
    }


def json_type(value: Any) -> str:
    """Return the JSON type of a value with its article, such as "an object"."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aio' else 'a'} {word}"
