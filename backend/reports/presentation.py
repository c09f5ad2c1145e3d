"""A report in words and pictures, for its page and its mail alike, in the active language."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from urllib.parse import urlencode

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext as _

from core.models import name_of
from reports.captures import tell_duration
from reports.models import FileState, GuardReport, ReportFile, Thumbnail
from reports.reasons import sentence_of

PREVIEW = "preview"  # the size of a video's animation
_MAP_URL = "https://www.openstreetmap.org/"


@dataclass(frozen=True)
class PresentedFile:
    """One file: ``facts`` is a line such as "JPEG, 4032 x 3024, 2.1 MB", ``taken`` one of when and by what camera.

    ``map_url`` shows where it was taken, "" where that is not known. ``play`` is what a picture of something that
    plays is marked with, such as "Video, 0:42"; "" for what stands still.
    """

    file: ReportFile
    name: str
    facts: str
    refusal: str = ""
    taken: str = ""
    map_url: str = ""
    coordinates: str = ""
    play: str = ""
    thumbnails: list[Thumbnail] = field(default_factory=list)

    @property
    def preview(self) -> Thumbnail | None:
        """Return the short animation of a video."""
        return next((made for made in self.thumbnails if made.size == PREVIEW), None)

    def stills(self, media_type: str = "") -> list[Thumbnail]:
        """Return the pictures that stand still, from narrow to wide, of a media type or of any."""
        # What files of before have twice at a width is a JPEG for mails.
        found = [made for made in self.thumbnails if made.size != PREVIEW and media_type in {"", made.media_type}]
        return sorted(found, key=lambda made: made.width)


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
    moment = local_time(report)
    files = [present_file(file, report.tzinfo()) for file in report.files.all()]
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
        pictures=[shown for shown in files if shown.stills()],
        files=[shown for shown in files if shown.file.status != FileState.REJECTED],
        refused=[shown for shown in files if shown.file.status == FileState.REJECTED],
        is_processed=report.processed_at is not None,
        contradictions=contradictions,
    )


def present_file(file: ReportFile, zone: tzinfo) -> PresentedFile:
    """Return a file with its facts in words, times being those of ``zone``."""
    has_place = file.latitude is not None and file.longitude is not None
    return PresentedFile(
        file,
        file.name,
        facts_in_words(file),
        refusal=sentence_of(file.error) if file.status == FileState.REJECTED else "",
        taken=taken_in_words(file, zone),
        map_url=_map_url(file.latitude, file.longitude),
        coordinates=f"{file.latitude:.5f}, {file.longitude:.5f}" if has_place else "",
        play=_play(file),
        thumbnails=list(file.thumbnails.all()),
    )


def local_time(report: GuardReport) -> datetime:
    """Return the report's time as clocks at the place show it."""
    return report.report_datetime.astimezone(report.tzinfo())


def tell_time(moment: datetime) -> str:
    """Return a date and time as text, such as 24 Nov 2026 14:05."""
    # Translators: a date format of Django, for date and time.
    return date_format(moment, _("j M Y H:i"), use_l10n=False)


def tell_clock(moment: datetime, report: GuardReport, now: datetime) -> str:
    """Return a time as clocks at the report's place show it, such as 14:05 CST; with the date on another day."""
    zone = report.tzinfo()
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
    return _map_url(report.latitude, report.longitude)


def _map_url(latitude: Decimal | float | None, longitude: Decimal | float | None) -> str:
    if latitude is None or longitude is None:
        return ""
    # Never in exponents, which a map does not read.
    north, east = (f"{degrees:f}" for degrees in (latitude, longitude))
    return f"{_MAP_URL}?{urlencode({'mlat': north, 'mlon': east})}#map=17/{north}/{east}"


def facts_in_words(file: ReportFile) -> str:
    """Return what is known of a file's content as a line, such as "MP4 video, 1920 x 1080, 0:42, 12.3 MB"."""
    parts = [_kind_in_words(file)]
    if file.width and file.height:
        parts.append(f"{file.width} x {file.height}")
    if file.frames and file.frames > 1:
        parts.append(ngettext("%(count)s frame", "%(count)s frames", file.frames) % {"count": file.frames})
    if file.duration_seconds is not None:
        parts.append(tell_duration(file.duration_seconds))
    if file.pages:
        parts.append(ngettext("%(count)s page", "%(count)s pages", file.pages) % {"count": file.pages})
    parts.append(filesizeformat(file.size_bytes).replace("\xa0", " "))
    return ", ".join(part for part in parts if part)


def taken_in_words(file: ReportFile, zone: tzinfo) -> str:
    """Return when a file was taken, and by what camera, as the camera wrote it; "" where it wrote neither."""
    if file.captured_at is None:
        return file.camera
    words = {"time": tell_time(file.captured_at.astimezone(zone)), "camera": file.camera}
    if file.capture_zone_assumed:
        words["time"] = _("%(time)s by the camera's clock") % words
    if file.camera:
        return _("Taken on %(time)s with %(camera)s") % words
    return _("Taken on %(time)s") % words


def _play(file: ReportFile) -> str:
    labels = {"video": _("Video"), "audio": _("Sound recording")}
    label = labels.get(file.kind, "")
    duration = "" if file.duration_seconds is None else tell_duration(file.duration_seconds)
    return ", ".join(part for part in (label, duration) if part) if label else ""


def _kind_in_words(file: ReportFile) -> str:
    known = {"video": _("%(type)s video"), "audio": _("%(type)s sound"), "image": "%(type)s", "pdf": "%(type)s"}
    if file.kind in known:
        return known[file.kind] % {"type": type_in_words(file.media_type)}
    return type_in_words(file.media_type) if file.media_type else ""


def type_in_words(media_type: str) -> str:
    """Return what people call a media type, such as JPEG, MP3 or Word document."""
    if media_type == "application/octet-stream":
        return _("of no known type")
    if media_type in _DOCUMENTS:
        return gettext(_DOCUMENTS[media_type])
    if media_type == "text/plain":
        return _("text")
    return _SHORT.get(media_type) or media_type.rpartition("/")[2].removeprefix("x-").upper()


_SHORT = {
    "audio/mp4": "M4A",
    "audio/mpeg": "MP3",
    "image/heic-sequence": "HEIC",
    "video/3gpp": "3GP",
    "video/3gpp2": "3G2",
    "video/quicktime": "MOV",
    "video/x-matroska": "MKV",
    "video/x-msvideo": "AVI",
    "image/svg+xml": "SVG",
    "application/gzip": "GZIP",
}
_DOCUMENTS = {
    "application/msword": gettext_noop("Word document"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": gettext_noop("Word document"),
    "application/vnd.ms-excel": gettext_noop("Excel workbook"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": gettext_noop("Excel workbook"),
    "application/vnd.ms-powerpoint": gettext_noop("PowerPoint presentation"),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": gettext_noop(
        "PowerPoint presentation"
    ),
    "application/vnd.oasis.opendocument.text": gettext_noop("OpenDocument text"),
    "application/vnd.oasis.opendocument.spreadsheet": gettext_noop("OpenDocument spreadsheet"),
    "application/vnd.oasis.opendocument.presentation": gettext_noop("OpenDocument presentation"),
}
