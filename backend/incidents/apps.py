"""App configuration of incidents."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsConfig(AppConfig):
    """Incidents."""

    name = "incidents"
    verbose_name = _("Incidents")

    def ready(self) -> None:
        """Connect the escalation to new reports, and register the hooks of alerts."""
        from incidents.alert_hooks import HOOKS
        from incidents.services import escalate_new_incident
        from qu_workflows.alerts.hooks import register
        from reports.models import report_created

        register(HOOKS)
        report_created.connect(escalate_new_incident, dispatch_uid="escalate_new_incident")
