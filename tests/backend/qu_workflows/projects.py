from dataclasses import replace

import pytest

from qu_workflows.protocol import project
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.tasks.without_queue import InProcessRunner, Threads
from workflows.project import PROJECT


def declare_schedules(monkeypatch: pytest.MonkeyPatch, *schedules: Schedule) -> None:
    """Register a project with these schedules, and no others, for one test."""
    monkeypatch.setattr(project, "_registered", [replace(PROJECT, schedules=schedules)])


def runner() -> InProcessRunner:
    """Return the runner that this project registers."""
    found = project.registered_runner()
    assert isinstance(found, InProcessRunner)
    return found


def take_runner_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a process that runs no workflows, for one test."""
    monkeypatch.setattr(project, "_runners", [])


def run_in_threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """Give the runner threads of one test's own."""
    threads = Threads()
    monkeypatch.setattr(runner(), "threads", threads)
    return threads
