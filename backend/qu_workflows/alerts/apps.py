"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    """Alerts."""

    name = "qu_workflows.alerts"
    label = "qu_alerts"
    verbose_name = _("Alerts")
