from collections.abc import Callable
from dataclasses import replace

import pytest

from qu_workflows.protocol import project
from qu_workflows.protocol.project import StepHandler
from qu_workflows.protocol.schedule import Schedule
from workflows.project import PROJECT


def declare_schedules(monkeypatch: pytest.MonkeyPatch, *schedules: Schedule) -> None:
    """Register a project with these schedules, and no others, for one test."""
    monkeypatch.setattr(project, "_registered", [replace(PROJECT, schedules=schedules)])


def replace_step(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[StepHandler], StepHandler]) -> None:
    """Wrap the handler of a step for one test."""
    steps = project.registered_steps()
    assert steps is not None
    handlers = dict(steps.handlers())
    handlers[name] = make(handlers[name])
    monkeypatch.setattr(project, "_steps", [replace(steps, handlers=lambda: handlers)])


def remove_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a process that runs no workflows, for one test."""
    monkeypatch.setattr(project, "_steps", [])
