"""App configuration of the tasks of this project."""

from collections.abc import Mapping

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

# What a redrive and a restart of each workflow repeat, for operators.
REPEATED_EFFECTS: Mapping[str, str] = {
    "daily_report_digest": "A client who was sent the day's digest is not sent it again either way.",
    "guard_report": "A mail about the report that was sent is not sent again either way.",
    "incident_escalation": "Until the incident is acknowledged, a redrive continues with the current turn; a restart "
    "asks all supervisors again.",
    "notification_email": "A redrive does not send the mail again; a restart does.",
    "run_task": "A redrive does not call a function again that has returned; a restart does.",
}


class CommonConfig(AppConfig):
    """The tasks of this project."""

    name = "common"
    verbose_name = _("Common")

    def ready(self) -> None:
        """Register this project with the platform."""
        from qu_workflows.executions import hooks
        from qu_workflows.protocol.project import register
        from workflows.project import PROJECT

        register(PROJECT)
        hooks.register(hooks.ExecutionHooks(subject="report", repeated_effects=REPEATED_EFFECTS))
