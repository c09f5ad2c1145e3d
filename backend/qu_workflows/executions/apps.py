"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExecutionsConfig(AppConfig):
    """Executions."""

    name = "qu_workflows.executions"
    label = "qu_executions"
    verbose_name = _("Operations")
