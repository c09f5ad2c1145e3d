"""This project as the platform knows it."""

from pathlib import Path

from qu_workflows.protocol.project import Project
from workflows.schedules import SCHEDULES
from workflows.timeouts import MACHINE_TIMEOUT_SECONDS

PROJECT = Project(Path(__file__).parent, SCHEDULES, MACHINE_TIMEOUT_SECONDS)
