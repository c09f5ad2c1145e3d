"""The project's rendered state machines, with functions named like their folders."""

import json
import re
from collections.abc import Mapping
from typing import Any

from qu_workflows.protocol.project import registered_project

_FUNCTION_ARN = re.compile(r"\$\{(\w+)FunctionArn\}")


def definition_of(workflow: str) -> Mapping[str, Any]:
    """Return a workflow's state machine. Raises FileNotFoundError if it was never rendered."""
    definition: Mapping[str, Any] = json.loads(definition_text(workflow))
    return definition


def definition_text(workflow: str, function_arn_prefix: str = "") -> str:
    """Return a workflow's state machine as JSON, with a prefix before each function's name."""
    return _FUNCTION_ARN.sub(
        lambda found: function_arn_prefix + _folder_of(found), registered_project().asl_of(workflow)
    )


def functions_of(workflow: str) -> frozenset[str]:
    """Return the folders of the functions that a workflow calls. Raises as above."""
    return frozenset(map(_folder_of, _FUNCTION_ARN.finditer(registered_project().asl_of(workflow))))


def waits_for_token(workflow: str) -> bool:
    """Return whether a state of a workflow waits for a task token, possibly for days."""
    try:
        return ".waitForTaskToken" in registered_project().asl_of(workflow)
    except FileNotFoundError:
        return False


def _folder_of(resource: re.Match[str]) -> str:
    """Return a function's folder from its resource's name: MakeThumbnails is make_thumbnails."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", resource[1]).lower()
