"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsConfig(AppConfig):
    """Incidents."""

    name = "incidents"
    verbose_name = _("Incidents")

    def ready(self) -> None:
        """Escalate each report that is created as an incident."""
        from incidents.services import escalate_new_incident
        from reports.signals import report_created

        report_created.connect(escalate_new_incident, dispatch_uid="escalate_new_incident")
