"""A report in words and pictures, for its page and its mail alike, in the active language."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.models import Property, name_of
from reports.models import FileState, GuardReport, ReportFile, Thumbnail
from reports.reasons import sentence_of

_MAP_URL = "https://www.openstreetmap.org/"


@dataclass(frozen=True)
class PresentedFile:
    """One file: ``facts`` is a line such as "JPEG, 4032 x 3024, 2.1 MB"."""

    file: ReportFile
    name: str
    facts: str
    refusal: str = ""
    thumbnails: dict[str, Thumbnail] = field(default_factory=dict)


@dataclass(frozen=True)
class PresentedReport:
    """What a reader is shown of a report; ``time`` is that of the place, ``incident`` "" for what is none."""

    report: GuardReport
    place: str
    address: str
    incident: str
    guard: str
    time: str
    time_zone: str
    note: str
    map_url: str
    coordinates: str
    pictures: list[PresentedFile]
    files: list[PresentedFile]
    refused: list[PresentedFile]
    is_processed: bool
    contradictions: Sequence[str]


def present(report: GuardReport, contradictions: Sequence[str] = ()) -> PresentedReport:
    """Return a report for its readers. Load it by ``for_reading()``, which keeps this free of queries.

    ``contradictions`` is what does not add up, in sentences: see ``reports.contradictions``.
    """
    files = [present_file(file) for file in report.files.all()]
    moment = local_time(report)
    return PresentedReport(
        report=report,
        place=report.property.name if report.property else "",
        address=report.property.address if report.property else "",
        incident=tell_incident(report),
        guard=str(report.guard),
        time=tell_time(moment),
        time_zone=moment.tzname() or "",
        note=report.note,
        map_url=map_url(report),
        coordinates=f"{report.latitude}, {report.longitude}" if map_url(report) else "",
        pictures=[shown for shown in files if shown.thumbnails],
        files=[shown for shown in files if shown.file.status != FileState.REJECTED],
        refused=[shown for shown in files if shown.file.status == FileState.REJECTED],
        is_processed=report.processed_at is not None,
        contradictions=contradictions,
    )


def present_file(file: ReportFile) -> PresentedFile:
    """Return a file with its facts in words."""
    refusal = sentence_of(file.error) if file.status == FileState.REJECTED else ""
    thumbnails = {thumbnail.size: thumbnail for thumbnail in file.thumbnails.all()}
    return PresentedFile(file, file.name, _facts(file), refusal, thumbnails)


def local_time(report: GuardReport) -> datetime:
    """Return the report's time as clocks at the place show it."""
    return report.report_datetime.astimezone((report.property or Property()).tzinfo())


def tell_time(moment: datetime) -> str:
    """Return a date and time as text, such as 24 Nov 2026 14:05."""
    # Translators: a date format of Django, for date and time.
    return date_format(moment, _("j M Y H:i"), use_l10n=False)


def tell_clock(moment: datetime, report: GuardReport, now: datetime) -> str:
    """Return a time as clocks at the report's place show it, such as 14:05 CST; with the date on another day."""
    zone = (report.property or Property()).tzinfo()
    local = moment.astimezone(zone)
    # Translators: a date format of Django, for the time of day.
    same_day = local.date() == now.astimezone(zone).date()
    told = date_format(local, _("H:i"), use_l10n=False) if same_day else tell_time(local)
    name = local.tzname() or ""  # the reader may be somewhere else
    return f"{told} {f'UTC{name}' if name.startswith(('+', '-')) else name}".rstrip()


def tell_incident(report: GuardReport) -> str:
    """Return how an incident stands, "" for what is none."""
    if not report.is_incident:
        return ""
    if report.acknowledged_at is None:
        return _("Incident, not acknowledged yet")
    time = tell_time(report.acknowledged_at.astimezone(local_time(report).tzinfo))
    if report.acknowledged_by is None:
        return _("Incident, acknowledged on %(time)s") % {"time": time}
    words = {"name": name_of(report.acknowledged_by), "time": time}
    return _("Incident, acknowledged by %(name)s on %(time)s") % words


def incident_title(report: GuardReport) -> str:
    """Return what an incident's mail and page are headed: one line, at most 200."""
    words = {"place": report.property or report.guard, "time": tell_time(local_time(report))}
    return " ".join((_("Incident at %(place)s, %(time)s: please acknowledge") % words).split())[:200]


def title(report: GuardReport) -> str:
    """Return the report's title, as the mail's subject and the page's heading have it: one line, at most 200."""
    words = {"place": report.property or report.guard, "time": tell_time(local_time(report))}
    text = _("Guard report – %(place)s, %(time)s") % words  # noqa: RUF001  a dash, as people set it
    return " ".join(text.split())[:200]


def map_url(report: GuardReport) -> str:
    """Return where a map shows the report's coordinates, "" without any."""
    if report.latitude is None or report.longitude is None:
        return ""
    marker = urlencode({"mlat": report.latitude, "mlon": report.longitude})
    return f"{_MAP_URL}?{marker}#map=17/{report.latitude}/{report.longitude}"


def _facts(file: ReportFile) -> str:
    parts = [_kind_in_words(file)]
    if file.width and file.height:
        parts.append(f"{file.width} x {file.height}")
    if file.pages:
        parts.append(ngettext("%(count)s page", "%(count)s pages", file.pages) % {"count": file.pages})
    parts.append(filesizeformat(file.size_bytes).replace("\xa0", " "))
    return ", ".join(part for part in parts if part)


def _kind_in_words(file: ReportFile) -> str:
    if file.kind in {"image", "pdf"}:
        return file.media_type.rpartition("/")[2].upper()
    return file.media_type
