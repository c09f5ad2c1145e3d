"""The mail that notifies a person of a guard report."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _

from common.emails import compose, reader_of
from core.models import Property, language_of
from reports.contradictions import sentences_beside_files
from reports.links import report_url
from reports.models import GuardReport, Thumbnail
from reports.presentation import PresentedFile, PresentedReport, present, title
from workflows.contracts.guard_report import Recipient, RecipientRole
from workflows.contracts.notification_email import EmailDocument, InlineImage
from workflows.errors import RecipientNotFound, ReportNotFound

TEMPLATE_NAME = "emails/guard_report.html"
PICTURE_SIZE = "medium"
PICTURE_TYPE = "image/jpeg"  # some mail programs do not support WebP
_OLD_PICTURE_SIZE = "email"  # of files processed before each size had a JPEG
MAX_PICTURE_WIDTH = 536  # a mail's column
MAX_PICTURES = 6  # mail programs truncate long mails; the link shows all


def report_email(report_id: int, recipient: Recipient) -> EmailDocument:
    """Return the mail for one recipient of a report, in the recipient's language.

    Raises ReportNotFound, RecipientNotFound and TemplateInvalid. Safe to retry: nothing is saved.
    RecipientNotFound also for an inactive report.
    """
    reader = reader_of(recipient.user_id)
    report = GuardReport.objects.for_reading().filter(pk=report_id).first()
    if report is None:
        raise ReportNotFound(f"report {report_id}", "does not exist.", "Enqueue the id of a saved report.")
    if not report.is_active:
        raise RecipientNotFound(f"report {report_id}", "is not active: no mail is sent about it.", "Activate it.")
    with translation.override(language_of(reader)):
        context = {
            "url": report_url(report.pk, reader.pk),
            "link_days": settings.REPORT_LINK_DAYS,
            "why": _why(recipient.role, report.property),
        }
        shown = present(report, sentences_beside_files(report))
        return compose_report(reader, title(report), TEMPLATE_NAME, shown, context)


def compose_report(
    reader: User, subject: str, template_name: str, shown: PresentedReport, context: dict[str, Any]
) -> EmailDocument:
    """Return a mail about a report, with its first pictures. Raises TemplateInvalid."""
    files = shown.pictures[:MAX_PICTURES]
    pictures = [{"file": file, "width": min(email_thumbnail(file).width, MAX_PICTURE_WIDTH)} for file in files]
    context |= {"subject": subject, "shown": shown, "pictures": pictures}
    return compose(reader, subject, template_name, context, [inline_image(file) for file in files])


def email_thumbnail(file: PresentedFile) -> Thumbnail:
    """Return the thumbnail for mails: the medium JPEG, or the one closest to it."""
    jpegs, stills = file.stills(PICTURE_TYPE), file.stills()
    by_size = {made.size: made for made in jpegs}
    narrow = [made for made in jpegs or stills if made.width <= MAX_PICTURE_WIDTH]
    return (
        by_size.get(PICTURE_SIZE) or by_size.get(_OLD_PICTURE_SIZE) or (narrow[-1] if narrow else (jpegs or stills)[0])
    )


def inline_image(file: PresentedFile) -> InlineImage:
    """Return a picture as an attachment of a mail."""
    thumbnail = email_thumbnail(file)
    return InlineImage(
        content_id=f"file-{file.file.pk}", key=thumbnail.key, media_type=thumbnail.media_type, alt=file.name
    )


def _why(role: RecipientRole, place: Property | None) -> str:
    if role is RecipientRole.CLIENT and place:
        return _("You receive this mail because %(place)s is your property.") % {"place": place.name}
    return _("You receive this mail because you supervise the guards of QU Security.")
