from dataclasses import replace

import pytest

from qu_workflows.protocol import project
from qu_workflows.protocol.schedule import Schedule
from workflows.project import PROJECT


def declare_schedules(monkeypatch: pytest.MonkeyPatch, *schedules: Schedule) -> None:
    """Register a project with these schedules, and no others, for one test."""
    monkeypatch.setattr(project, "_registered", [replace(PROJECT, schedules=schedules)])
