"""Reports for pages and mails, in the active language."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext, gettext_noop, ngettext, override
from django.utils.translation import gettext as _

from core.models import name_of
from reports.models import FileState, GuardReport, ReportFile, Thumbnail

PREVIEW = "preview"  # the size of a video's animation
REASON_MAX_LENGTH = 500

_UNKNOWN = gettext_noop("The file could not be processed.")
_CRASHED = gettext_noop("The file could not be processed: it needed too much memory, or crashed the program.")
_TOO_SLOW = gettext_noop("The file could not be processed within the time limit.")
# Reasons why a file was refused, by error. Lambda and Step Functions have several names for a crash and for a timeout.
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
SENTENCES: Mapping[str, str] = {
    "ActiveContent": gettext_noop("The file contains code that could run when opened, so it was not processed."),
    "AmbiguousContent": gettext_noop("The file is of two types at once, so its content is ambiguous."),
    "DecoderCrashed": gettext_noop("The file is damaged in a way that crashed the program that reads it."),
    "DecoderOutOfMemory": gettext_noop("The file needs more memory than the limit for one file."),
    "DecoderTimedOut": _TOO_SLOW,
    "DecompressionBomb": gettext_noop("The file is compressed: decompressed, it would be too large to be processed."),
    "FileEmpty": gettext_noop("The file is empty."),
    "FileMissing": gettext_noop("The file is no longer in the storage."),
    "FileTooLarge": gettext_noop("The file is too large to be processed."),
    "UnreadableAudio": gettext_noop("The recording is damaged and cannot be played."),
    "UnreadableDocument": gettext_noop("The document is damaged or protected by a password."),
    "UnreadableImage": gettext_noop("The picture is damaged and cannot be shown."),
    "UnreadablePdf": gettext_noop("The PDF is damaged or protected by a password."),
    "UnreadableVideo": gettext_noop("The video is damaged and cannot be played."),
    "States.Timeout": _TOO_SLOW,
    "Sandbox.Timedout": _TOO_SLOW,
    "Lambda.Unknown": _CRASHED,
    "Lambda.ServiceException": _CRASHED,
    "Runtime.ExitError": _CRASHED,
    "Runtime.OutOfMemory": _CRASHED,
}
# Why an accepted file has no thumbnails: the contract's NO_PICTURE, here for translation.
NO_THUMBNAIL = gettext_noop("A file of this kind has no picture to be made small: the original is kept.")


@dataclass(frozen=True)
class PresentedFile:
    """A file for its readers. ``facts`` is such as "JPEG, 4032 x 3024, 2.1 MB".

    ``map_url`` and ``coordinates`` are where it was taken, "" if unknown. ``play`` labels the picture of a video or a
    recording, such as "Video, 0:42"; "" for others.
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
        """Return the still pictures of a media type, or of all, from narrow to wide."""
        found = [made for made in self.thumbnails if made.size != PREVIEW and media_type in {"", made.media_type}]
        return sorted(found, key=lambda made: made.width)


@dataclass(frozen=True)
class PresentedReport:
    """A report for its readers. ``incident`` is "" for other reports."""

    report: GuardReport
    incident: str
    time: str
    time_zone: str
    map_url: str
    coordinates: str
    pictures: list[PresentedFile]
    files: list[PresentedFile]
    refused: list[PresentedFile]
    contradictions: Sequence[str]


def present(report: GuardReport, contradictions: Sequence[str] = ()) -> PresentedReport:
    """Return a report for its readers, without queries if it was loaded by ``for_reading()``.

    ``contradictions`` are sentences of ``reports.contradictions``.
    """
    moment = local_time(report)
    files = [present_file(file) for file in report.files.all()]
    url = _map_url(report.latitude, report.longitude)
    return PresentedReport(
        report=report,
        incident=incident_status(report),
        time=format_time(moment),
        time_zone=moment.tzname() or "",
        map_url=url,
        coordinates=f"{report.latitude}, {report.longitude}" if url else "",
        pictures=[shown for shown in files if shown.stills()],
        files=[shown for shown in files if shown.file.status != FileState.REJECTED],
        refused=[shown for shown in files if shown.file.status == FileState.REJECTED],
        contradictions=contradictions,
    )


def present_file(file: ReportFile) -> PresentedFile:
    """Return a file for its readers, with times at the report's place."""
    url = _map_url(file.latitude, file.longitude)
    return PresentedFile(
        file,
        file.name,
        _facts(file),
        refusal=sentence_of(file.error) if file.status == FileState.REJECTED else "",
        taken=_taken(file),
        map_url=url,
        coordinates=f"{file.latitude:.5f}, {file.longitude:.5f}" if url else "",
        play=_play(file),
        thumbnails=list(file.thumbnails.all()),
    )


def local_time(report: GuardReport) -> datetime:
    """Return the report's time in the time zone of its place."""
    return report.report_datetime.astimezone(report.tzinfo())


def format_time(moment: datetime) -> str:
    """Return a date and time, such as 24 Nov 2026 14:05."""
    # Translators: a date format of Django, for date and time.
    return date_format(moment, _("j M Y H:i"), use_l10n=False)


def format_clock(moment: datetime, report: GuardReport, now: datetime) -> str:
    """Return a local time, such as 14:05 CST, with the date unless today."""
    zone = report.tzinfo()
    local = moment.astimezone(zone)
    # Translators: a date format of Django, for the time of day.
    is_today = local.date() == now.astimezone(zone).date()
    text = date_format(local, _("H:i"), use_l10n=False) if is_today else format_time(local)
    name = local.tzname() or ""  # the reader may be somewhere else
    return f"{text} {f'UTC{name}' if name.startswith(('+', '-')) else name}".rstrip()


def format_duration(seconds: float) -> str:
    """Return a duration as players show it, such as 0:07, 12:40 or 1:02:03."""
    minutes, rest = divmod(max(1, round(seconds)) if seconds > 0 else 0, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def incident_status(report: GuardReport) -> str:
    """Return the status of an incident, "" for other reports."""
    if not report.is_incident:
        return ""
    if report.acknowledged_at is None:
        return _("Incident, not acknowledged yet")
    time = format_time(report.acknowledged_at.astimezone(report.tzinfo()))
    if report.acknowledged_by is None:
        return _("Incident, acknowledged on %(time)s") % {"time": time}
    words = {"name": name_of(report.acknowledged_by), "time": time}
    return _("Incident, acknowledged by %(name)s on %(time)s") % words


def incident_title(report: GuardReport) -> str:
    """Return the title of an incident's mail and page: one line, at most 200 characters."""
    return _title(report, _("Incident at %(place)s, %(time)s: please acknowledge"))


def title(report: GuardReport) -> str:
    """Return the title of a report's mail and page: one line, at most 200 characters."""
    return _title(report, _("Guard report – %(place)s, %(time)s"))  # noqa: RUF001  an en dash


def _title(report: GuardReport, text: str) -> str:
    words = {"place": report.property or report.guard, "time": format_time(local_time(report))}
    return " ".join((text % words).split())[:200]


def _map_url(latitude: Decimal | float | None, longitude: Decimal | float | None) -> str:
    if latitude is None or longitude is None:
        return ""
    north, east = (f"{degrees:f}" for degrees in (latitude, longitude))  # without exponents
    return f"https://www.openstreetmap.org/?{urlencode({'mlat': north, 'mlon': east})}#map=17/{north}/{east}"


def _facts(file: ReportFile) -> str:
    """Return facts such as "MP4 video, 1920 x 1080, 0:42, 12.3 MB"."""
    kinds = {"video": _("%(type)s video"), "audio": _("%(type)s sound")}
    parts = [kinds.get(file.kind, "%(type)s") % {"type": type_name(file.media_type)} if file.media_type else ""]
    if file.width and file.height:
        parts.append(f"{file.width} x {file.height}")
    if file.frames and file.frames > 1:
        parts.append(ngettext("%(count)s frame", "%(count)s frames", file.frames) % {"count": file.frames})
    if file.duration_seconds is not None:
        parts.append(format_duration(file.duration_seconds))
    if file.pages:
        parts.append(ngettext("%(count)s page", "%(count)s pages", file.pages) % {"count": file.pages})
    parts.append(filesizeformat(file.size_bytes).replace("\xa0", " "))
    return ", ".join(part for part in parts if part)


def _taken(file: ReportFile) -> str:
    """Return the time and the camera of a file's metadata, "" without both."""
    if file.captured_at is None:
        return file.camera
    words = {"time": format_time(file.captured_at.astimezone(file.report.tzinfo())), "camera": file.camera}
    if file.capture_zone_assumed:
        words["time"] = _("%(time)s by the camera's clock") % words
    return (_("Taken on %(time)s with %(camera)s") if file.camera else _("Taken on %(time)s")) % words


def _play(file: ReportFile) -> str:
    label = {"video": _("Video"), "audio": _("Sound recording")}.get(file.kind, "")
    has_duration = label and file.duration_seconds is not None
    return f"{label}, {format_duration(file.duration_seconds or 0)}" if has_duration else label


def sentence_of(error: str) -> str:
    """Return why a file was refused, in the active language."""
    return gettext(SENTENCES.get(error, _UNKNOWN))


def reason_of(error: str | None, cause: str | None, where: str = "") -> str:
    """Return the sentence for an error with the step's own message, in English.

    ``cause`` is Lambda's JSON ``{"errorType", "errorMessage", …}``, or another text. ``where`` is the file's key,
    which is removed from the start of the message.
    """
    with override("en"):
        sentence = sentence_of(error or "")
    message = _message(cause or "").removeprefix(f"{where}: ").strip()
    # Messages of other errors are about processes and memory.
    is_ours = error in SENTENCES and "." not in (error or "")
    return Truncator(f"{sentence} It {message}" if is_ours and message else sentence).chars(REASON_MAX_LENGTH)


def _message(cause: str) -> str:
    try:
        content = json.loads(cause)
    except ValueError:
        return ""
    message = content.get("errorMessage", "") if isinstance(content, dict) else ""
    return message.replace("\x00", "") if isinstance(message, str) else ""


def type_name(media_type: str) -> str:
    """Return the common name of a media type, such as JPEG, MP3 or Word document."""
    if name := _TYPE_NAMES.get(media_type):
        return gettext(name)
    return _SHORT_NAMES.get(media_type) or media_type.rpartition("/")[2].removeprefix("x-").upper()


_SHORT_NAMES = {
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
_WORD, _EXCEL = gettext_noop("Word document"), gettext_noop("Excel workbook")
_POWERPOINT = gettext_noop("PowerPoint presentation")
_TYPE_NAMES = {
    "application/octet-stream": gettext_noop("of unknown type"),
    "text/plain": gettext_noop("text"),
    "application/msword": _WORD,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _WORD,
    "application/vnd.ms-excel": _EXCEL,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _EXCEL,
    "application/vnd.ms-powerpoint": _POWERPOINT,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": _POWERPOINT,
    "application/vnd.oasis.opendocument.text": gettext_noop("OpenDocument text"),
    "application/vnd.oasis.opendocument.spreadsheet": gettext_noop("OpenDocument spreadsheet"),
    "application/vnd.oasis.opendocument.presentation": gettext_noop("OpenDocument presentation"),
}
