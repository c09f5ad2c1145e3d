"""The parts of a digest: a client's reports of one day, by property, cut down to what a mail can hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from core.models import Property
from reports.contradictions import Contradiction
from reports.emails import email_thumbnail
from reports.links import ReportLink, report_url
from reports.models import GuardReport
from reports.presentation import PresentedFile, PresentedReport, local_time, present, tell_incident

NOTE_CHARACTERS = 400
FILES_PER_REPORT = 5
PICTURES_PER_REPORT = 3
MAX_PICTURES = 24
MAX_PICTURE_BYTES = 4_500_000  # as Base64 6.2 MB: the whole mail stays under 8


@dataclass(frozen=True)
class DigestLimits:
    """How much a mail tells: reports with details, reports as one line with a link, and properties."""

    details: int
    lines: int
    places: int


@dataclass(frozen=True)
class DigestDay:
    """A client's day. ``contradictions`` has an entry for each of the reports; times are those of the places."""

    user_id: int
    reports: Sequence[GuardReport]
    contradictions: Mapping[int, list[Contradiction]]


@dataclass(frozen=True)
class Line:
    """A report as one line with its link. ``incident`` is "" for what is none."""

    time: str
    time_zone: str
    url: str
    guard: str
    incident: str
    is_open: bool
    contradictions: list[str]


@dataclass(frozen=True)
class Details:
    """A report with its note, files and pictures. ``more_files`` and ``more_pictures`` are only behind the link."""

    line: Line
    shown: PresentedReport
    note: str
    pictures: list[PresentedFile]
    more_pictures: int
    files: list[PresentedFile]
    more_files: int

    @property
    def single_width(self) -> int:
        """Return the width in pixels of a picture that stands alone: an upright one would fill a phone's screen."""
        is_upright = any(made.height > made.width for made in self.pictures[0].stills())
        return 220 if is_upright else 340


@dataclass(frozen=True)
class DigestProperty:
    """A property with its reports, all in the order of their times. ``more`` counts those that are not told."""

    name: str
    address: str
    count: int
    details: list[Details] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    more: int = 0


def places_of(day: DigestDay, limits: DigestLimits) -> tuple[list[DigestProperty], int]:
    """Return the properties with their reports, and how many properties more there are.

    What matters most gets the details: incidents, then what does not add up, then what has pictures.
    """
    groups = [list(reports) for _id, reports in groupby(day.reports, key=lambda report: report.property_id)]
    foremost = sorted(groups, key=lambda reports: min(_rank(report, day) for report in reports))[: limits.places]
    told = [reports for reports in groups if reports in foremost]
    ranked = sorted((report for reports in told for report in reports), key=lambda report: _rank(report, day))
    presented = {report.pk: present(report) for report in ranked[: limits.details]}
    pictures = choose_pictures(presented.values())
    lined = {report.pk for report in ranked[limits.details : limits.details + limits.lines]}
    places = []
    for reports in told:
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
        url=report_url(ReportLink(report.pk, day.user_id)),
        guard=str(report.guard),
        incident=tell_incident(report),
        is_open=report.is_incident and report.acknowledged_at is None,
        contradictions=[found.sentence for found in day.contradictions[report.pk]],
    )


def clock_time(report: GuardReport) -> str:
    """Return the report's time at its place, such as 14:05."""
    # Translators: a date format of Django, for the time of day.
    return date_format(local_time(report), _("H:i"), use_l10n=False)


def choose_pictures(reports: Iterable[PresentedReport]) -> dict[int, list[PresentedFile]]:
    """Return the pictures to show, by the report's id: first one of each report, then a second, then a third."""
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
        note=Truncator(shown.note.strip()).chars(NOTE_CHARACTERS),
        pictures=pictures,
        more_pictures=len(shown.pictures) - len(pictures),
        files=shown.files[:FILES_PER_REPORT],
        more_files=max(0, len(shown.files) - FILES_PER_REPORT),
    )
