"""The system check of the declared schedules."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from qu_workflows.compat import InvalidTask
from qu_workflows.protocol.project import registered_project
from qu_workflows.schedules.problems import problems_of_all
from qu_workflows.schedules.queries import scheduled_tasks


def check_schedules(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Yield what is wrong with each schedule, such as a task that does not exist."""
    try:
        tasks = scheduled_tasks()
    except (ImproperlyConfigured, InvalidTask):  # reported by the check of the catalog
        return
    for problem in problems_of_all(registered_project().schedules, tasks):
        yield Error(problem, hint="Correct it in workflows/schedules.py and run make states.", id="executions.E013")
