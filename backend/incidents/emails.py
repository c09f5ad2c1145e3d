"""The mail that asks a supervisor to acknowledge an incident."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from common.emails import reader_of
from core.models import language_of
from incidents.services import no_inquiry
from reports.emails import compose_report
from reports.links import incident_url, report_url
from reports.models import GuardReport, IncidentInquiry
from reports.presentation import format_clock, incident_title, present
from workflows.contracts.notification_email import EmailDocument
from workflows.errors import RecipientNotFound

TEMPLATE_NAME = "emails/incident.html"


def incident_email(inquiry_id: int) -> EmailDocument:
    """Return the mail of an inquiry, in the person's language.

    Its times count from now, since the turn starts after the mail was sent. Raises TemplateInvalid, and
    RecipientNotFound also if the report is inactive or acknowledged. Safe to retry: nothing is saved.
    """
    inquiry = IncidentInquiry.objects.filter(pk=inquiry_id).first()
    if inquiry is None:
        raise no_inquiry(inquiry_id)
    reader = reader_of(inquiry.user_id)
    report = GuardReport.objects.for_reading().get(pk=inquiry.report_id)
    if not report.is_active:
        raise RecipientNotFound(f"report {report.pk}", "is not active: no mail is sent about it.", "Activate it.")
    if report.acknowledged_at is not None:
        raise RecipientNotFound(f"report {report.pk}", "is already acknowledged.", "No action is needed.")
    with translation.override(language_of(reader)):
        context = {
            "url": incident_url(inquiry.pk),
            "report_url": report_url(report.pk, reader.pk),
            **_times(report, inquiry, timezone.now()),
        }
        return compose_report(reader, incident_title(report), TEMPLATE_NAME, present(report), context)


def _times(report: GuardReport, inquiry: IncidentInquiry, now: datetime) -> dict[str, Any]:
    answer_by = now + (inquiry.answer_by - inquiry.asked_at)
    sign_by = min(now + timedelta(seconds=settings.INCIDENT_HEARTBEAT_SECONDS), answer_by)
    return {"answer_by": format_clock(answer_by, report, now), "sign_by": format_clock(sign_by, report, now)}
