"""The app's configuration, with the system check of the declared schedules."""

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class SchedulesConfig(AppConfig):
    """Schedules."""

    name = "qu_workflows.schedules"
    label = "qu_schedules"
    verbose_name = _("Schedules")

    def ready(self) -> None:
        """Register the check of the schedules."""
        register(check_schedules)


def check_schedules(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Yield the problems of each schedule, such as an unknown task."""
    from qu_workflows.compat import InvalidTask
    from qu_workflows.protocol.project import registered_project
    from qu_workflows.schedules.problems import problems_of_all
    from qu_workflows.schedules.queries import scheduled_tasks

    try:
        tasks = scheduled_tasks()
    except (ImproperlyConfigured, InvalidTask):  # reported by the check of the catalog
        return
    for problem in problems_of_all(registered_project().schedules, tasks):
        yield Error(problem, hint="Correct it in workflows/schedules.py and run make states.", id="executions.E013")
