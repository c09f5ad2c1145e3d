"""The project as registered with the platform, its timeouts and the names of its steps."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from qu_workflows.protocol.project import Project, SmokeTask
from workflows.schedules import SCHEDULES

_FOLDER = Path(__file__).parent
_SMOKE = "smoke test"


def _timeout_seconds() -> Mapping[str, int]:
    """Return TimeoutSeconds of each workflow's state machine, as ``make states`` rendered them."""
    timeouts: dict[str, int] = json.loads((_FOLDER / "workflow_timeouts.json").read_text(encoding="utf-8"))
    return MappingProxyType(timeouts)


def resource_name(state: str) -> str:
    """Return the resource of a state's function in the SAM template: "Run Task" is RunTaskFunction."""
    return f"{state.replace(' ', '')}Function"


def folder_name(state: str) -> str:
    """Return the folder of a state's function below lambdas/: "Run Task" is run_task."""
    return state.replace(" ", "_").lower()


def function_arn(state: str) -> str:
    """Return the substitution that the SAM template replaces with the ARN of a state's function."""
    return f"${{{resource_name(state)}Arn}}"


def report_of(payload: Mapping[str, Any]) -> object:
    """Return the id of the guard report that a payload is about."""
    return payload.get("report_id")


PROJECT = Project(
    folder=_FOLDER,
    state_machines=_FOLDER.parent / "state_machines",
    schedules=SCHEDULES,
    timeout_seconds=_timeout_seconds(),
    subject_of=report_of,
    smoke_task=SmokeTask(
        "custom_processing",
        {"data": _SMOKE},
        {"size_bytes": len(_SMOKE), "sha256": sha256(_SMOKE.encode()).hexdigest()},
    ),
)
