"""Hooks of alerts: unacknowledged incidents, and mails in the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.models import language_of
from incidents.queries import ended_escalations
from qu_workflows.alerts.hooks import AlertHooks, AlertKind

UNACKNOWLEDGED = AlertKind(
    name="unacknowledged",
    heading=gettext_lazy("Unacknowledged incidents"),
    title=lambda count: ngettext("%(count)s unacknowledged incident", "%(count)s unacknowledged incidents", count),
    why=gettext_lazy(
        "All supervisors were asked, or the execution failed or was stopped. Acknowledge the report in the back "
        "office, or add a supervisor to the property and redrive the execution: it asks those not asked yet."
    ),
    look=("manage.py executions list --workflow incident_escalation --status FAILED TIMED_OUT ABORTED",),
    fix=lambda task_id: (f"manage.py executions redrive {task_id}",),
    find=lambda _now: ended_escalations(),
)


HOOKS = AlertHooks(
    kinds=(UNACKNOWLEDGED,),
    language_of=language_of,
    describe_subject=lambda report_id: _("report %(id)s") % {"id": report_id},
    mail_task="send_notification_email",
)
