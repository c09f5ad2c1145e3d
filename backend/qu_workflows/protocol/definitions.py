"""The project's rendered state machines, with functions named like their folders."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from qu_workflows.protocol.project import registered_project

_FUNCTION_ARN = re.compile(r"\$\{(\w+)FunctionArn\}")


def definition_of(workflow: str) -> Mapping[str, Any]:
    """Return a workflow's state machine. Raises FileNotFoundError if it was never rendered."""
    definition: Mapping[str, Any] = json.loads(definition_text(workflow))
    return definition


def definition_text(workflow: str, function_arn_prefix: str = "") -> str:
    """Return a workflow's state machine as JSON, with a prefix before each function's name."""
    return _FUNCTION_ARN.sub(lambda found: function_arn_prefix + _folder_of(found), _text(_path(workflow)))


def functions_of(workflow: str) -> frozenset[str]:
    """Return the folders of the functions that a workflow calls. Raises as above."""
    return frozenset(map(_folder_of, _FUNCTION_ARN.finditer(_text(_path(workflow)))))


def waits_for_token(workflow: str) -> bool:
    """Return whether a state of a workflow waits for a task token, possibly for days."""
    path = _path(workflow)
    return path.is_file() and ".waitForTaskToken" in _text(path)


def _path(workflow: str) -> Path:
    return registered_project().state_machines / f"{workflow}.asl.json"


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _folder_of(resource: re.Match[str]) -> str:
    """Return a function's folder from its resource's name: MakeThumbnails is make_thumbnails."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", resource[1]).lower()
