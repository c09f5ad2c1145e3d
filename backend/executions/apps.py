"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExecutionsConfig(AppConfig):
    """Task records: what was enqueued, and what became of it."""

    name = "executions"
    verbose_name = _("Executions")
