"""This project as the platform knows it."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from qu_workflows.protocol.project import Project, SmokeTask
from workflows.schedules import SCHEDULES
from workflows.timeouts import MACHINE_TIMEOUT_SECONDS

_FOLDER = Path(__file__).parent
_SMOKE = "smoke test"


def report_of(payload: Mapping[str, Any]) -> object:
    """Return the id of the guard report that a payload is about."""
    return payload.get("report_id")


PROJECT = Project(
    folder=_FOLDER,
    state_machines=_FOLDER.parent / "state_machines",
    schedules=SCHEDULES,
    timeout_seconds=MACHINE_TIMEOUT_SECONDS,
    subject_of=report_of,
    smoke_task=SmokeTask(
        "custom_processing",
        {"data": _SMOKE},
        {"size_bytes": len(_SMOKE), "sha256": sha256(_SMOKE.encode()).hexdigest()},
    ),
)
