"""The app's place in Django."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class SchedulesConfig(AppConfig):
    """Schedules."""

    name = "qu_workflows.schedules"
    label = "qu_schedules"
    verbose_name = _("Schedules")

    def ready(self) -> None:
        """Register the check of the schedules."""
        from qu_workflows.schedules.checks import check_schedules

        register(check_schedules)
