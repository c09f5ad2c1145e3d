"""The mail that asks a supervisor to acknowledge an incident."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from common.emails import compose, reader_of
from core.models import language_of
from reports.emails import inline_images, pictures_of
from reports.links import ReportLink, incident_url, report_url
from reports.models import GuardReport, IncidentInquiry
from reports.presentation import incident_title, present, tell_clock
from workflows.contracts.notification_email import EmailDocument
from workflows.errors import RecipientNotFound

TEMPLATE_NAME = "emails/incident.html"


def incident_email(inquiry_id: int) -> EmailDocument:
    """Return the mail of an inquiry, in the language of the person who is asked.

    Its times count from now, since the turn's wait begins right after the mail has left. Raises RecipientNotFound,
    also where nobody need be asked any more, and TemplateInvalid. Safe to retry: nothing is saved.
    """
    inquiry = IncidentInquiry.objects.filter(pk=inquiry_id).first()
    if inquiry is None:  # it went with the person's account
        raise RecipientNotFound(f"inquiry {inquiry_id}", "does not exist.", "Give the id that Choose Person answered.")
    reader = reader_of(inquiry.user_id)
    report = GuardReport.objects.for_reading().get(pk=inquiry.report_id)
    if not report.is_active:
        raise RecipientNotFound(f"report {report.pk}", "is out of use: nobody is told of it.", "Put it in use again.")
    if report.acknowledged_at is not None:
        raise RecipientNotFound(f"report {report.pk}", "is acknowledged: nobody is asked of it.", "Nothing is to do.")
    with translation.override(language_of(reader)):
        shown, subject = present(report), incident_title(report)
        images = inline_images(shown)
        context = {
            "subject": subject,
            "shown": shown,
            "pictures": pictures_of(shown, images),
            "url": incident_url(inquiry.pk),
            "report_url": report_url(ReportLink(report.pk, reader.pk)),
            **_times(report, inquiry, timezone.now()),
        }
        return compose(reader, subject, TEMPLATE_NAME, context, [image for image, _thumbnail in images])


def _times(report: GuardReport, inquiry: IncidentInquiry, now: datetime) -> dict[str, Any]:
    answer_by = now + (inquiry.answer_by - inquiry.asked_at)
    sign_by = min(now + timedelta(seconds=settings.INCIDENT_HEARTBEAT_SECONDS), answer_by)
    return {"answer_by": tell_clock(answer_by, report, now), "sign_by": tell_clock(sign_by, report, now)}
