"""What does not add up about a report, told from the rows alone, in the active language.

To add a rule: write a function from reports to (report's id, ``Contradiction``), and name it in ``RULES``. It asks
the database once for all of the reports.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType

from django.conf import settings
from django.db.models import Min, Q
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from core.models import Shift, ShiftStatus
from reports.captures import meters_between, tell_distance
from reports.models import FileState, GuardReport, ReportFile
from reports.presentation import local_time, tell_time, type_in_words
from reports.reasons import sentence_of

# A phone's clock may be some minutes fast, and a guard may report on the way in or just after handing over. A phone
# may have been without a network for a whole shift. Clients read this: nobody is to be accused of minutes.
CLOCK_TOLERANCE = timedelta(minutes=15)
SHIFT_TOLERANCE = timedelta(minutes=15)
LATE_AFTER = timedelta(hours=24)
# How far ahead of UTC a clock may be set, and how far behind: Kiribati and Baker Island.
EASTERNMOST, WESTERNMOST = timedelta(hours=14), timedelta(hours=12)


class Kind(StrEnum):
    """Subject of a contradiction."""

    SAME_FILE = "same_file"
    OTHER_TYPE = "other_type"
    NO_SHIFT = "no_shift"
    REFUSED_FILE = "refused_file"
    TIME = "time"
    TAKEN_ELSEWHERE = "taken_elsewhere"
    TAKEN_AT_OTHER_TIME = "taken_at_other_time"


@dataclass(frozen=True)
class Contradiction:
    """One thing that does not add up, in one sentence."""

    kind: Kind
    sentence: str


type Reports = Sequence[GuardReport]
type Found = Iterator[tuple[int, Contradiction]]
type Rule = Callable[[Reports], Found]


def contradictions_of(reports: Reports) -> dict[int, list[Contradiction]]:
    """Return what does not add up, by the report's id; every report has an entry.

    Load the reports by ``for_reading()``: then this costs at most two queries, however many there are.
    """
    found: dict[int, list[Contradiction]] = {report.pk: [] for report in reports}
    for rule in RULES:
        for report_id, contradiction in rule(reports):
            found[report_id].append(contradiction)
    return found


def sentences_beside_files(report: GuardReport) -> list[str]:
    """Return what does not add up about one report, for where its refused files are told by themselves."""
    return [found.sentence for found in contradictions_of([report])[report.pk] if found.kind != Kind.REFUSED_FILE]


def _refused_files(reports: Reports) -> Found:
    for report, file in _files(reports):
        if file.status == FileState.REJECTED:
            words = {"file": file.name, "reason": sentence_of(file.error)}
            yield report.pk, Contradiction(Kind.REFUSED_FILE, _("%(file)s was refused. %(reason)s") % words)


def _same_files(reports: Reports) -> Found:
    """Yield files that a report filed earlier had. Which of two came first is told by when they arrived."""
    digests = {file.sha256 for _report, file in _files(reports) if file.sha256}
    filed = _first_filed(digests) if digests else {}
    for report, file in _files(reports):
        earlier = {place: moment for place, moment in filed.get(file.sha256, {}).items() if moment < report.created_at}
        if earlier:
            yield report.pk, Contradiction(Kind.SAME_FILE, _same_file(report, file, earlier))


def _same_file(report: GuardReport, file: ReportFile, earlier: Mapping[int | None, datetime]) -> str:
    here = earlier.get(report.property_id) if report.property else None
    if here is not None:
        words = {"file": file.name, "time": tell_time(here.astimezone(local_time(report).tzinfo))}
        return _("%(file)s is a file that an earlier report of this property had, filed on %(time)s.") % words
    # Of another property not even the name is told: it may be another client's.
    if report.property and any(place is not None for place in earlier):
        return _("%(file)s is a file that an earlier report had, one from elsewhere.") % {"file": file.name}
    return _("%(file)s is a file that an earlier report had.") % {"file": file.name}


def _first_filed(digests: set[str]) -> dict[str, dict[int | None, datetime]]:
    """Return when a file of each digest was first filed, by property."""
    files = ReportFile.objects.filter(sha256__in=digests, report__is_active=True).order_by()
    rows = files.values_list("sha256", "report__property_id").annotate(first=Min("report__created_at"))
    filed: dict[str, dict[int | None, datetime]] = defaultdict(dict)
    for digest, property_id, first in rows:
        filed[digest][property_id] = first
    return filed


# One family of containers: what a recorder with sound alone writes is named after any of them.
_MOVIES = frozenset(
    {"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2", "audio/mp4", "audio/3gpp"}
)
_HEIF = frozenset({"image/heic", "image/heic-sequence", "image/heif"})
_MATROSKA = frozenset({"video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska"})
_OGG = frozenset({"audio/ogg", "video/ogg", "audio/opus"})
# A newer paper of Office is a ZIP; what is no more than that, or locked by a password, is not held against a name.
_OOXML = "application/vnd.openxmlformats-officedocument."
_PACKED = frozenset({"application/zip", "application/x-ole-storage", "application/encrypted"})
# What a name's ending promises; of other endings nothing is expected.
_PROMISED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(("jpg", "jpeg", "jpe"), frozenset({"image/jpeg"})),
        **dict.fromkeys(("tif", "tiff"), frozenset({"image/tiff"})),
        **dict.fromkeys(("heic", "heif"), _HEIF),
        **dict.fromkeys(("mp4", "m4v", "mov", "3gp", "3gpp", "3g2", "m4a"), _MOVIES),
        **dict.fromkeys(("webm", "mkv", "mka"), _MATROSKA),
        **dict.fromkeys(("ogg", "oga", "ogv", "opus"), _OGG),
        **dict.fromkeys(("aif", "aiff"), frozenset({"audio/aiff"})),
        "avi": frozenset({"video/x-msvideo"}),
        "mp3": frozenset({"audio/mpeg"}),
        "aac": frozenset({"audio/aac", *_MOVIES}),
        "amr": frozenset({"audio/amr", "audio/amr-wb", *_MOVIES}),
        "flac": frozenset({"audio/flac"}),
        "wav": frozenset({"audio/wav"}),
        "avif": frozenset({"image/avif"}),
        "bmp": frozenset({"image/bmp"}),
        "docx": _PACKED | {_OOXML + "wordprocessingml.document"},
        "xlsx": _PACKED | {_OOXML + "spreadsheetml.sheet"},
        "pptx": _PACKED | {_OOXML + "presentationml.presentation"},
        "odt": _PACKED | {"application/vnd.oasis.opendocument.text"},
        "ods": _PACKED | {"application/vnd.oasis.opendocument.spreadsheet"},
        "odp": _PACKED | {"application/vnd.oasis.opendocument.presentation"},
        "zip": frozenset({"application/zip"}),
        "png": frozenset({"image/png"}),
        "gif": frozenset({"image/gif"}),
        "webp": frozenset({"image/webp"}),
        "pdf": frozenset({"application/pdf"}),
        "txt": frozenset({"text/plain"}),
    }
)
_UNKNOWN = "application/octet-stream"
# These are told by content whenever they are what they are. A movie of a rare brand, or a text in an old encoding,
# may stay unknown though its name is right.
_ALWAYS_KNOWN = frozenset(
    {
        "application/pdf",
        "application/zip",
        "audio/aiff",
        "audio/flac",
        "audio/wav",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "video/x-msvideo",
    }
)


def _other_types(reports: Reports) -> Found:
    for report, file in _files(reports):
        ending = PurePosixPath(file.name).suffix.removeprefix(".").lower()
        promised = _PROMISED.get(ending, frozenset())
        is_told = file.media_type and (file.media_type != _UNKNOWN or promised <= _ALWAYS_KNOWN)
        if promised and is_told and file.media_type not in promised:
            words = {"file": file.name, "named": ending.upper(), "found": type_in_words(file.media_type)}
            sentence = _("%(file)s is named as %(named)s; its content is %(found)s.") % words
            yield report.pk, Contradiction(Kind.OTHER_TYPE, sentence)


def _taken_elsewhere(reports: Reports) -> Found:
    """Yield files whose camera wrote another place than the report's. A property has no position of its own."""
    for report, file in _files(reports) if settings.EVIDENCE_MAX_METERS else ():
        if None in {report.latitude, report.longitude, file.latitude, file.longitude}:
            continue
        here = (float(report.latitude or 0), float(report.longitude or 0))
        meters = meters_between(*here, file.latitude or 0, file.longitude or 0)
        if file.status != FileState.REJECTED and meters > settings.EVIDENCE_MAX_METERS:
            words = {"file": file.name, "distance": tell_distance(meters)}
            sentence = _("%(file)s was taken %(distance)s from the place of the report, as its camera tells.") % words
            yield report.pk, Contradiction(Kind.TAKEN_ELSEWHERE, sentence)


def _taken_at_other_time(reports: Reports) -> Found:
    for report, file in _files(reports) if settings.EVIDENCE_MAX_AGE_SECONDS else ():
        if file.captured_at is None or file.status == FileState.REJECTED:
            continue
        told, earliest, latest = report.report_datetime, *_moments(file.captured_at, file, report)
        words = {"file": file.name}
        if latest < told - timedelta(seconds=settings.EVIDENCE_MAX_AGE_SECONDS):
            words["span"] = _span(file.captured_at, told)
            sentence = (
                _("%(file)s was taken %(span)s before the time of the report, as its camera's clock tells.") % words
            )
        elif earliest > told + CLOCK_TOLERANCE:
            words["span"] = _span(told, file.captured_at)
            sentence = (
                _("%(file)s was taken %(span)s after the time of the report, as its camera's clock tells.") % words
            )
        else:
            continue
        yield report.pk, Contradiction(Kind.TAKEN_AT_OTHER_TIME, sentence)


def _moments(captured_at: datetime, file: ReportFile, report: GuardReport) -> tuple[datetime, datetime]:
    """Return between what moments a file may have been taken: a camera without a zone may be set to any of them."""
    if not file.capture_zone_assumed:
        return captured_at, captured_at
    clock = captured_at.astimezone(report.tzinfo()).replace(tzinfo=UTC)
    return clock - EASTERNMOST, clock + WESTERNMOST


def _outside_of_shifts(reports: Reports) -> Found:
    doubtful = [report for report in reports if report.shift is None or not holds(report.shift, report)]
    if not doubtful:
        return
    shifts = _shifts_around(doubtful)
    for report in doubtful:
        if not any(holds(shift, report) for shift in shifts[report.guard_id]):
            yield report.pk, Contradiction(Kind.NO_SHIFT, _("The guard had no shift at that time."))


def holds(shift: Shift, report: GuardReport) -> bool:
    """Return whether a shift is its guard's and holds the report's time, give or take SHIFT_TOLERANCE.

    The same as ``Shift.objects.covering`` but for that.
    """
    first, last = report.report_datetime - SHIFT_TOLERANCE, report.report_datetime + SHIFT_TOLERANCE
    if shift.guard_id != report.guard_id or not shift.is_active or shift.status == ShiftStatus.VOIDED:
        return False
    has_begun = shift.actual_start is not None and shift.actual_start <= last
    actual = has_begun and (shift.actual_end is None or shift.actual_end >= first)
    return actual or (shift.planned_start <= last and shift.planned_end >= first)


def _shifts_around(reports: Reports) -> dict[int, list[Shift]]:
    moments = [report.report_datetime for report in reports]
    first, last = min(moments) - SHIFT_TOLERANCE, max(moments) + SHIFT_TOLERANCE
    planned = Q(planned_start__lte=last, planned_end__gte=first)
    actual = Q(actual_start__lte=last) & (Q(actual_end__gte=first) | Q(actual_end__isnull=True))
    shifts: dict[int, list[Shift]] = defaultdict(list)
    for shift in Shift.objects.active().filter(planned | actual, guard__in={report.guard_id for report in reports}):
        shifts[shift.guard_id].append(shift)
    return shifts


def _odd_times(reports: Reports) -> Found:
    for report in reports:
        told, arrived = report.report_datetime, report.created_at
        if told - arrived > CLOCK_TOLERANCE:
            sentence = _("The report gives a time %(span)s after it arrived.") % {"span": _span(arrived, told)}
            yield report.pk, Contradiction(Kind.TIME, sentence)
        elif arrived - told > LATE_AFTER:
            sentence = _("The report arrived %(span)s after the time it gives.") % {"span": _span(told, arrived)}
            yield report.pk, Contradiction(Kind.TIME, sentence)


def _span(start: datetime, end: datetime) -> str:
    return timesince(start, end, depth=1).replace("\xa0", " ")


def _files(reports: Reports) -> Iterator[tuple[GuardReport, ReportFile]]:
    return ((report, file) for report in reports for file in report.files.all())


# As they are told: what a reader misses first.
RULES: tuple[Rule, ...] = (
    _refused_files,
    _same_files,
    _taken_elsewhere,
    _taken_at_other_time,
    _other_types,
    _outside_of_shifts,
    _odd_times,
)
