"""What the product adds to the alerts: incidents that nobody acknowledged, and mails in the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.models import language_of
from incidents.queries import ended_escalations
from qu_workflows.alerts.hooks import AlertHooks, AlertKind

UNACKNOWLEDGED = AlertKind(
    name="unacknowledged",
    heading=gettext_lazy("Incidents that nobody acknowledged"),
    title=lambda count: ngettext(
        "%(count)s incident that nobody acknowledged", "%(count)s incidents that nobody acknowledged", count
    ),
    why=gettext_lazy(
        "Nobody is asked any more: everybody was, or the execution failed or was stopped. Acknowledge the report "
        "in the back office, or add a supervisor to the property and redrive the execution: it goes on with "
        "whoever was not asked yet."
    ),
    look=("manage.py executions list --workflow incident_escalation --status FAILED TIMED_OUT ABORTED",),
    fix=lambda task_id: (f"manage.py executions redrive {task_id}",),
    find=lambda _now: ended_escalations(),
)


def describe_report(report_id: int) -> str:
    """Return the report in a few words."""
    return _("report %(id)s") % {"id": report_id}


HOOKS = AlertHooks(
    kinds=(UNACKNOWLEDGED,),
    language_of=language_of,
    describe_subject=describe_report,
    mail_task="send_notification_email",
)
