"""The daily digest: one mail to each client about a day's reports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.emails import compose, reader_of
from core.models import Property, language_of
from digests.days import check_ended, digest_day, happened_on
from qu_workflows.tasks.scheduled_runs import reason_to_skip
from reports.contradictions import Contradiction, Kind, contradictions_of
from reports.emails import email_thumbnail, inline_image
from reports.links import report_url
from reports.models import FileState, GuardReport
from reports.presentation import PresentedFile, PresentedReport, incident_status, local_time, present
from workflows.contracts.daily_report_digest import MAX_DIGESTS, Digest, DigestList
from workflows.contracts.notification_email import EmailDocument, InlineImage
from workflows.errors import RecipientNotFound, TooManyDigests

TEMPLATE_NAME = "emails/digest.html"
MAX_HTML_BYTES = 100_000  # Gmail clips a mail at 102 KB
MAX_INCIDENTS = 8
MAX_QUIET = 20
NOTE_CHARACTERS = 400
FILES_PER_REPORT = 5
PICTURES_PER_REPORT = 3
MAX_PICTURES = 24
MAX_PICTURE_BYTES = 4_500_000  # as Base64 6.2 MB: the whole mail stays under 8


@dataclass(frozen=True)
class DigestLimits:
    """Limits of one mail: reports with details, reports as one line, and properties."""

    details: int
    lines: int
    places: int


@dataclass(frozen=True)
class DigestDay:
    """A client's day. ``contradictions`` has an entry for each report."""

    user_id: int
    reports: Sequence[GuardReport]
    contradictions: Mapping[int, list[Contradiction]]


@dataclass(frozen=True)
class Line:
    """A report as one line with its link. ``incident`` is "" for other reports."""

    time: str
    time_zone: str
    url: str
    guard: str
    incident: str
    is_open: bool
    contradictions: list[str]


@dataclass(frozen=True)
class Details:
    """A report with its note, files and pictures. The link shows more of both."""

    line: Line
    shown: PresentedReport
    note: str
    pictures: list[PresentedFile]
    more_pictures: int
    files: list[PresentedFile]
    more_files: int

    @property
    def single_width(self) -> int:
        """Return the width in pixels of a single picture: less for an upright one."""
        is_upright = any(made.height > made.width for made in self.pictures[0].stills())
        return 220 if is_upright else 340


@dataclass(frozen=True)
class DigestProperty:
    """A property with its reports by time. ``more`` counts those that are left out."""

    name: str
    address: str
    count: int
    details: list[Details] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    more: int = 0


# From the most details to a size that always fits.
LIMITS = (
    DigestLimits(30, 60, 40),
    DigestLimits(15, 40, 30),
    DigestLimits(6, 20, 20),
    DigestLimits(2, 10, 15),
    DigestLimits(0, 0, 10),
)


def list_digests(task_id: str, asked: str = "") -> DigestList:
    """Return one digest for each active client with reports on the day, by client id.

    Read-only, so safe to retry. Raises PayloadInvalid for an invalid or current day, and TooManyDigests.
    """
    day = digest_day(task_id, asked)
    time_zones = list(Property.objects.order_by().values_list("time_zone", flat=True).distinct())
    check_ended(task_id, day, time_zones)
    skipped = reason_to_skip(task_id)
    clients = [] if skipped else _clients_with_reports(day, time_zones)
    if len(clients) > MAX_DIGESTS:
        raise TooManyDigests(
            f"digests of {day}",
            f"more than {MAX_DIGESTS:,} clients have reports, the limit of one execution.",
            "Make Send Digests a distributed Map, then raise MAX_DIGESTS in the contract.",
        )
    digests = [Digest(client_id=client, user_id=user, date=f"{day}") for client, user in clients]
    return DigestList(date=f"{day}", digests=digests, skipped=skipped)


def digest_email(digest: Digest) -> EmailDocument:
    """Return a client's mail about one day, in the client's language.

    Raises RecipientNotFound for a client who is inactive or has no reports any more, and TemplateInvalid. Safe to
    retry: nothing is saved.
    """
    reader = reader_of(digest.user_id)
    properties = list(Property.objects.filter(owner=digest.client_id, owner__user=reader, owner__is_active=True))
    reported = date.fromisoformat(digest.date)
    reports = _reports_of(properties, reported)
    if not reports:
        raise RecipientNotFound(
            f"client {digest.client_id}",
            f"is not active, or has no reports of {reported} any more.",
            "Activate the client or the reports, and restart the execution.",
        )
    with translation.override(language_of(reader)):
        day = DigestDay(reader.pk, reports, contradictions_of(reports))
        subject = _subject(properties, reports, reported)
        for limits in LIMITS:
            places, more_places = places_of(day, limits)
            images = _images(places)
            context = {"subject": subject, "places": places, "more_places": more_places}
            mail = compose(reader, subject, TEMPLATE_NAME, _context(day, properties, reported) | context, images)
            if len(mail.html.encode()) <= MAX_HTML_BYTES:
                break
    return mail


def _clients_with_reports(day: date, time_zones: Sequence[str]) -> list[tuple[int, int]]:
    """Return the ids of at most MAX_DIGESTS + 1 clients and of their users."""
    reports = GuardReport.objects.active().filter(
        happened_on(day, time_zones), property__owner__is_active=True, property__owner__user__is_active=True
    )
    clients = reports.exclude(property__owner__user__email="").order_by("property__owner_id")
    return list(clients.values_list("property__owner_id", "property__owner__user_id").distinct()[: MAX_DIGESTS + 1])


def _reports_of(properties: Sequence[Property], day: date) -> list[GuardReport]:
    """Return the reports of a day by property and time."""
    of_day = happened_on(day, [place.time_zone for place in properties])
    reports = GuardReport.objects.active().filter(of_day, property__in=properties)
    return list(reports.for_reading().order_by("property__name", "property_id", "report_datetime", "pk"))


def _subject(properties: Sequence[Property], reports: Sequence[GuardReport], day: date) -> str:
    incidents = sum(report.is_incident for report in reports)
    counts = [ngettext("%(count)d report", "%(count)d reports", len(reports)) % {"count": len(reports)}]
    if incidents:
        counts.append(ngettext("%(count)d incident", "%(count)d incidents", incidents) % {"count": incidents})
    text = f"{_headline(_watched(properties, reports), day)}: {', '.join(counts)}"
    return " ".join(text.split())[:200]


def _headline(places: Sequence[Property], day: date) -> str:
    """Return the subject's start, such as "Yesterday at your 3 properties"."""
    is_yesterday = day == timezone.localdate() - timedelta(days=1)
    # Translators: a date format of Django, for a date.
    words = {"day": date_format(day, _("j M Y"), use_l10n=False), "count": len(places), "place": f"{places[0]}"[:100]}
    if len(places) == 1:
        return (_("Yesterday at %(place)s") if is_yesterday else _("%(day)s at %(place)s")) % words
    if is_yesterday:
        text = ngettext("Yesterday at your %(count)d property", "Yesterday at your %(count)d properties", len(places))
    else:
        text = ngettext("%(day)s at your %(count)d property", "%(day)s at your %(count)d properties", len(places))
    return text % words


def _watched(properties: Sequence[Property], reports: Sequence[GuardReport]) -> list[Property]:
    """Return the client's active properties, and inactive ones with a report."""
    reported = {report.property_id for report in reports}
    return [place for place in properties if place.is_active or place.pk in reported]


def _context(day: DigestDay, properties: Sequence[Property], date_: date) -> dict[str, Any]:
    reported = {report.property_id for report in day.reports}
    watched = _watched(properties, day.reports)
    quiet = [str(place) for place in watched if place.pk not in reported]
    incidents = [report for report in day.reports if report.is_incident]
    incidents.sort(key=lambda one: one.acknowledged_at is not None)
    files = [file for report in day.reports for file in report.files.all()]
    doubtful = sum(any(found.kind != Kind.REFUSED_FILE for found in day.contradictions[one.pk]) for one in day.reports)
    return {
        "headline": _headline(watched, date_),
        # Translators: a date format of Django, for a date with its day of the week.
        "day": date_format(date_, _("l, j F Y"), use_l10n=False),
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
    return [inline_image(file) for place in places for details in place.details for file in details.pictures]


def places_of(day: DigestDay, limits: DigestLimits) -> tuple[list[DigestProperty], int]:
    """Return the properties with their reports, and the number of properties left out.

    Details are for incidents first, then for reports with contradictions, then with pictures.
    """
    groups = [list(reports) for _id, reports in groupby(day.reports, key=lambda report: report.property_id)]
    foremost = sorted(groups, key=lambda reports: min(_rank(report, day) for report in reports))[: limits.places]
    chosen = [reports for reports in groups if reports in foremost]
    ranked = sorted((report for reports in chosen for report in reports), key=lambda report: _rank(report, day))
    presented = {report.pk: present(report) for report in ranked[: limits.details]}
    pictures = choose_pictures(presented.values())
    lined = {report.pk for report in ranked[limits.details : limits.details + limits.lines]}
    places = []
    for reports in chosen:
        details = [_details(one, presented[one.pk], pictures[one.pk], day) for one in reports if one.pk in presented]
        lines = [line_of(one, day) for one in reports if one.pk in lined]
        places.append(_place(reports, details, lines))
    return places, len(groups) - len(places)


def line_of(report: GuardReport, day: DigestDay) -> Line:
    """Return a report as one line."""
    moment = local_time(report)
    return Line(
        time=clock_time(report),
        time_zone=moment.tzname() or "",
        url=report_url(report.pk, day.user_id),
        guard=str(report.guard),
        incident=incident_status(report),
        is_open=report.is_incident and report.acknowledged_at is None,
        contradictions=[found.sentence for found in day.contradictions[report.pk]],
    )


def clock_time(report: GuardReport) -> str:
    """Return a report's local time, such as 14:05."""
    # Translators: a date format of Django, for the time of day.
    return date_format(local_time(report), _("H:i"), use_l10n=False)


def choose_pictures(reports: Iterable[PresentedReport]) -> dict[int, list[PresentedFile]]:
    """Return pictures by report id: at first one of each report, then more."""
    reports = list(reports)
    chosen: dict[int, list[PresentedFile]] = {shown.report.pk: [] for shown in reports}
    count, size_bytes = 0, 0
    for shown, file in _in_turns(reports):
        added = size_bytes + email_thumbnail(file).size_bytes
        if count < MAX_PICTURES and added <= MAX_PICTURE_BYTES:
            chosen[shown.report.pk].append(file)
            count, size_bytes = count + 1, added
    return chosen


def _in_turns(reports: Sequence[PresentedReport]) -> Iterator[tuple[PresentedReport, PresentedFile]]:
    for turn in range(PICTURES_PER_REPORT):
        for shown in reports:
            if turn < len(shown.pictures):
                yield shown, shown.pictures[turn]


def _rank(report: GuardReport, day: DigestDay) -> tuple[bool, bool, bool]:
    has_pictures = any(file.thumbnails.all() for file in report.files.all())
    return not report.is_incident, not day.contradictions[report.pk], not has_pictures


def _place(reports: Sequence[GuardReport], details: list[Details], lines: list[Line]) -> DigestProperty:
    place = reports[0].property or Property()
    more = len(reports) - len(details) - len(lines)
    return DigestProperty(str(place), place.address, len(reports), details, lines, more)


def _details(report: GuardReport, shown: PresentedReport, pictures: list[PresentedFile], day: DigestDay) -> Details:
    return Details(
        line=line_of(report, day),
        shown=shown,
        note=Truncator(report.note.strip()).chars(NOTE_CHARACTERS),
        pictures=pictures,
        more_pictures=len(shown.pictures) - len(pictures),
        files=shown.files[:FILES_PER_REPORT],
        more_files=max(0, len(shown.files) - FILES_PER_REPORT),
    )
