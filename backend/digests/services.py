"""The daily digest: who gets one, and the mail that tells a client of one day at all the client's properties."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.emails import compose, reader_of
from core.models import Property, language_of
from digests.days import check_ended, day_to_tell, happened_on
from digests.parts import DigestDay, DigestLimits, DigestProperty, clock_time, line_of, places_of
from qu_workflows.tasks.scheduled_runs import reason_to_skip
from reports.contradictions import Kind, contradictions_of
from reports.emails import email_thumbnail, inline_image
from reports.models import FileState, GuardReport
from workflows.contracts.daily_report_digest import MAX_DIGESTS, Digest, DigestList
from workflows.contracts.notification_email import EmailDocument, InlineImage
from workflows.errors import RecipientNotFound, TooManyDigests

TEMPLATE_NAME = "emails/digest.html"
MAX_HTML_BYTES = 100_000  # Gmail cuts a mail off at 102 KB and shows "Message clipped"
MAX_INCIDENTS = 8
MAX_QUIET = 20
# From all that a mail may tell to what always fits.
LIMITS = (
    DigestLimits(30, 60, 40),
    DigestLimits(15, 40, 30),
    DigestLimits(6, 20, 20),
    DigestLimits(2, 10, 15),
    DigestLimits(0, 0, 10),
)


def list_digests(task_id: str, asked: str = "") -> DigestList:
    """Return one digest for each active client with a report on the day, in the order of the clients.

    Safe to repeat: it only reads, and a scheduled run that is to be skipped gets the same reason. Raises
    PayloadInvalid for a day that is none or has not ended everywhere, TooManyDigests.
    """
    day = day_to_tell(task_id, asked)
    time_zones = list(Property.objects.order_by().values_list("time_zone", flat=True).distinct())
    check_ended(task_id, day, time_zones)
    skipped = reason_to_skip(task_id)
    clients = [] if skipped else _clients_with_reports(day, time_zones)
    if len(clients) > MAX_DIGESTS:
        raise TooManyDigests(
            f"digests of {day}",
            f"more than {MAX_DIGESTS:,} clients have reports, and one execution writes to no more.",
            "Make Send Digests a distributed Map, then raise MAX_DIGESTS in the contract.",
        )
    digests = [Digest(client_id=client, user_id=user, date=f"{day}") for client, user in clients]
    return DigestList(date=f"{day}", digests=digests, skipped=skipped)


def digest_email(digest: Digest) -> EmailDocument:
    """Return a client's mail about one day, in the client's language.

    Raises RecipientNotFound for a client who is out of use or has nothing to read of that day any more, and
    TemplateInvalid. Safe to retry: nothing is saved.
    """
    reader = reader_of(digest.user_id)
    properties = list(Property.objects.filter(owner=digest.client_id, owner__user=reader, owner__is_active=True))
    told = date.fromisoformat(digest.date)
    reports = _reports_of(properties, told)
    if not reports:
        raise RecipientNotFound(
            f"client {digest.client_id}",
            f"is out of use, or has no reports of {told} any more.",
            "Put the client or the reports in use again, and restart the execution.",
        )
    with translation.override(language_of(reader)):
        day = DigestDay(reader.pk, reports, contradictions_of(reports))
        subject = _subject(properties, reports, told)
        for limits in LIMITS:
            places, more_places = places_of(day, limits)
            images = _images(places)
            context = _context(day, properties, told) | {
                "subject": subject,
                "places": places,
                "more_places": more_places,
            }
            mail = compose(reader, subject, TEMPLATE_NAME, context, images)
            if len(mail.html.encode()) <= MAX_HTML_BYTES:
                break
    return mail


def _clients_with_reports(day: date, time_zones: Sequence[str]) -> list[tuple[int, int]]:
    """Return the ids of the clients and of their users, one more than an execution can write to at most."""
    reports = GuardReport.objects.active().filter(
        happened_on(day, time_zones), property__owner__is_active=True, property__owner__user__is_active=True
    )
    clients = reports.exclude(property__owner__user__email="").order_by("property__owner_id")
    return list(clients.values_list("property__owner_id", "property__owner__user_id").distinct()[: MAX_DIGESTS + 1])


def _reports_of(properties: Sequence[Property], day: date) -> list[GuardReport]:
    """Return the reports of a day, by the property's name and then by time."""
    of_day = happened_on(day, [place.time_zone for place in properties])
    reports = GuardReport.objects.active().filter(of_day, property__in=properties)
    return list(
        reports.for_reading()
        .select_related("acknowledged_by")
        .order_by("property__name", "property_id", "report_datetime", "pk")
    )


def _subject(properties: Sequence[Property], reports: Sequence[GuardReport], day: date) -> str:
    incidents = sum(report.is_incident for report in reports)
    counts = [ngettext("%(count)d report", "%(count)d reports", len(reports)) % {"count": len(reports)}]
    if incidents:
        counts.append(ngettext("%(count)d incident", "%(count)d incidents", incidents) % {"count": incidents})
    text = f"{_headline(_watched(properties, reports), day)}: {', '.join(counts)}"
    return " ".join(text.split())[:200]


def _headline(places: Sequence[Property], day: date) -> str:
    """Return what the mail is about, such as "Yesterday at your 3 properties"."""
    is_yesterday = day == timezone.localdate() - timedelta(days=1)
    # Translators: a date format of Django, for a date.
    words = {"day": date_format(day, _("j M Y"), use_l10n=False), "count": len(places), "place": f"{places[0]}"[:100]}
    if len(places) == 1:
        return (_("Yesterday at %(place)s") if is_yesterday else _("%(day)s at %(place)s")) % words
    if is_yesterday:
        return (
            ngettext("Yesterday at your %(count)d property", "Yesterday at your %(count)d properties", len(places))
            % words
        )
    return ngettext("%(day)s at your %(count)d property", "%(day)s at your %(count)d properties", len(places)) % words


def _watched(properties: Sequence[Property], reports: Sequence[GuardReport]) -> list[Property]:
    """Return the client's properties: those in use, and those out of use that have a report all the same."""
    reported = {report.property_id for report in reports}
    return [place for place in properties if place.is_active or place.pk in reported]


def _context(day: DigestDay, properties: Sequence[Property], told: date) -> dict[str, Any]:
    reported = {report.property_id for report in day.reports}
    watched = _watched(properties, day.reports)
    quiet = [str(place) for place in watched if place.pk not in reported]
    incidents = [report for report in day.reports if report.is_incident]
    incidents.sort(key=lambda one: one.acknowledged_at is not None)
    files = [file for report in day.reports for file in report.files.all()]
    doubtful = sum(any(found.kind != Kind.REFUSED_FILE for found in day.contradictions[one.pk]) for one in day.reports)
    return {
        "headline": _headline(watched, told),
        # Translators: a date format of Django, for a date with its day of the week.
        "day": date_format(told, _("l, j F Y"), use_l10n=False),
        "report_count": len(day.reports),
        "place_count": len(watched),
        "reported_place_count": len(reported),
        "incident_count": len(incidents),
        "incidents": [(line_of(one, day), f"{one.property}", clock_time(one)) for one in incidents[:MAX_INCIDENTS]],
        "more_incidents": max(0, len(incidents) - MAX_INCIDENTS),
        "open_count": sum(one.acknowledged_at is None for one in incidents),
        "file_count": len(files),
        "refused_count": sum(file.status == FileState.REJECTED for file in files),
        "unprocessed_count": sum(one.processed_at is None and bool(one.files.all()) for one in day.reports),
        "doubtful_count": doubtful,
        "quiet": quiet[:MAX_QUIET],
        "more_quiet": max(0, len(quiet) - MAX_QUIET),
        "link_days": settings.REPORT_LINK_DAYS,
    }


def _images(places: Sequence[DigestProperty]) -> list[InlineImage]:
    return [
        inline_image(file, email_thumbnail(file))
        for place in places
        for details in place.details
        for file in details.pictures
    ]
