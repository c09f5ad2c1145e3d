"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RecordsConfig(AppConfig):
    """The tables."""

    name = "qu_workflows.records"
    label = "executions"  # its tables and permissions had this name before they had this app
    verbose_name = _("Executions")
