"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TasksConfig(AppConfig):
    """Tasks."""

    name = "qu_workflows.tasks"
    label = "qu_tasks"
    verbose_name = _("Tasks")
