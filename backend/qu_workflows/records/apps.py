"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from qu_workflows.records.defaults import set_defaults


class RecordsConfig(AppConfig):
    """The tables."""

    name = "qu_workflows.records"
    label = "executions"  # its tables and permissions had this name before they had this app
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = _("Executions")

    def ready(self) -> None:
        """Give the settings that the project does not set their defaults."""
        set_defaults()
