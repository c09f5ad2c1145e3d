"""Contradictions between facts about a report, as sentences in the active language.

To add a rule, write a function from reports to pairs of a report's id and a ``Contradiction``, with at most one query
for all reports, and add it to ``RULES``.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import PurePosixPath

from django.conf import settings
from django.db.models import Min, Q
from django.utils.formats import number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from core.models import Shift, ShiftStatus
from reports.models import FileState, GuardReport, ReportFile
from reports.presentation import format_time, sentence_of, type_name

# Clients read this, so it must not accuse guards: clocks of phones are minutes off, guards report just before or after
# a shift, and phones are offline for hours.
CLOCK_TOLERANCE = timedelta(minutes=15)
SHIFT_TOLERANCE = timedelta(minutes=15)
LATE_AFTER = timedelta(hours=24)
# The largest offsets from UTC that a clock can have: Kiribati and Baker Island.
EASTERNMOST, WESTERNMOST = timedelta(hours=14), timedelta(hours=12)
EARTH_RADIUS_METERS = 6_371_008.8  # the mean radius of WGS 84


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
    """One contradiction, as one sentence."""

    kind: Kind
    sentence: str


type Reports = Sequence[GuardReport]
type Found = Iterator[tuple[int, Contradiction]]
type Rule = Callable[[Reports], Found]


def contradictions_of(reports: Reports) -> dict[int, list[Contradiction]]:
    """Return the contradictions by report id, with an entry for every report.

    Needs at most two queries for all reports, if they were loaded by ``for_reading()``.
    """
    found: dict[int, list[Contradiction]] = {report.pk: [] for report in reports}
    for rule in RULES:
        for report_id, contradiction in rule(reports):
            found[report_id].append(contradiction)
    return found


def sentences_beside_files(report: GuardReport) -> list[str]:
    """Return a report's contradictions without its refused files, which are listed separately."""
    return [found.sentence for found in contradictions_of([report])[report.pk] if found.kind != Kind.REFUSED_FILE]


def _refused_files(reports: Reports) -> Found:
    for report, file in _files(reports):
        if file.status == FileState.REJECTED:
            words = {"file": file.name, "reason": sentence_of(file.error)}
            yield report.pk, Contradiction(Kind.REFUSED_FILE, _("%(file)s was refused. %(reason)s") % words)


def _same_files(reports: Reports) -> Found:
    """Yield files that an earlier report contains, by the time when the reports arrived."""
    digests = {file.sha256 for _report, file in _files(reports) if file.sha256}
    filed = _first_filed(digests) if digests else {}
    for report, file in _files(reports):
        earlier = {place: moment for place, moment in filed.get(file.sha256, {}).items() if moment < report.created_at}
        if earlier:
            yield report.pk, Contradiction(Kind.SAME_FILE, _same_file(report, file, earlier))


def _same_file(report: GuardReport, file: ReportFile, earlier: Mapping[int | None, datetime]) -> str:
    here = earlier.get(report.property_id) if report.property else None
    if here is not None:
        words = {"file": file.name, "time": format_time(here.astimezone(report.tzinfo()))}
        return _("%(file)s is also in an earlier report of this property, filed on %(time)s.") % words
    # Without the name of the other property, which may be another client's.
    if report.property and any(place is not None for place in earlier):
        return _("%(file)s is also in an earlier report of another property.") % {"file": file.name}
    return _("%(file)s is also in an earlier report.") % {"file": file.name}


def _first_filed(digests: set[str]) -> dict[str, dict[int | None, datetime]]:
    """Return when a file of each digest was first filed, by property."""
    files = ReportFile.objects.filter(sha256__in=digests, report__is_active=True).order_by()
    rows = files.values_list("sha256", "report__property_id").annotate(first=Min("report__created_at"))
    filed: dict[str, dict[int | None, datetime]] = defaultdict(dict)
    for digest, property_id, first in rows:
        filed[digest][property_id] = first
    return filed


# One family of containers: recorders of sound use any of these names.
_MOVIES = {"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2", "audio/mp4", "audio/3gpp"}
# A document of Office may be detected as its container, or be encrypted.
_OOXML = "application/vnd.openxmlformats-officedocument."
_PACKED = {"application/zip", "application/x-ole-storage", "application/encrypted"}
# Extensions of file names and the media types that agree with them. Other extensions agree with any type.
_FAMILIES: tuple[tuple[str, set[str]], ...] = (
    ("jpg jpeg jpe", {"image/jpeg"}),
    ("tif tiff", {"image/tiff"}),
    ("heic heif", {"image/heic", "image/heic-sequence", "image/heif"}),
    ("mp4 m4v mov 3gp 3gpp 3g2 m4a", _MOVIES),
    ("webm mkv mka", {"video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska"}),
    ("ogg oga ogv opus", {"audio/ogg", "video/ogg", "audio/opus"}),
    ("aif aiff", {"audio/aiff"}),
    ("avi", {"video/x-msvideo"}),
    ("mp3", {"audio/mpeg"}),
    ("aac", {"audio/aac", *_MOVIES}),
    ("amr", {"audio/amr", "audio/amr-wb", *_MOVIES}),
    *((name, {f"image/{name}"}) for name in ("avif", "bmp", "gif", "png", "webp")),
    *((name, {f"audio/{name}"}) for name in ("flac", "wav")),
    *((name, {f"application/{name}"}) for name in ("pdf", "zip")),
    ("docx", {f"{_OOXML}wordprocessingml.document", *_PACKED}),
    ("xlsx", {f"{_OOXML}spreadsheetml.sheet", *_PACKED}),
    ("pptx", {f"{_OOXML}presentationml.presentation", *_PACKED}),
    ("odt", {"application/vnd.oasis.opendocument.text", *_PACKED}),
    ("ods", {"application/vnd.oasis.opendocument.spreadsheet", *_PACKED}),
    ("odp", {"application/vnd.oasis.opendocument.presentation", *_PACKED}),
    ("txt", {"text/plain"}),
)
_TYPES_OF = {name: types for names, types in _FAMILIES for name in names.split()}
_UNKNOWN = "application/octet-stream"
# Types that are always detected. Movies of a rare brand and texts in an old encoding may stay unknown.
_DETECTED = {"aif", "aiff", "avi", "avif", "bmp", "flac", "gif", "jpe", "jpeg", "jpg"}
_DETECTED |= {"pdf", "png", "wav", "webp", "zip"}


def _other_types(reports: Reports) -> Found:
    for report, file in _files(reports):
        extension = PurePosixPath(file.name).suffix.removeprefix(".").lower()
        expected = _TYPES_OF.get(extension)
        is_known = file.media_type and (file.media_type != _UNKNOWN or extension in _DETECTED)
        if expected and is_known and file.media_type not in expected:
            words = {"file": file.name, "named": extension.upper(), "found": type_name(file.media_type)}
            sentence = _("%(file)s is named as %(named)s; its content is %(found)s.") % words
            yield report.pk, Contradiction(Kind.OTHER_TYPE, sentence)


def _taken_elsewhere(reports: Reports) -> Found:
    """Yield files whose metadata has another place than the report; properties have no position."""
    for report, file in _files(reports) if settings.EVIDENCE_MAX_METERS else ():
        if None in {report.latitude, report.longitude, file.latitude, file.longitude}:
            continue
        here = (float(report.latitude or 0), float(report.longitude or 0))
        meters = meters_between(*here, file.latitude or 0, file.longitude or 0)
        if file.status != FileState.REJECTED and meters > settings.EVIDENCE_MAX_METERS:
            words = {"file": file.name, "distance": format_distance(meters)}
            sentence = _("%(file)s was taken %(distance)s from the place of the report, according to its camera.")
            yield report.pk, Contradiction(Kind.TAKEN_ELSEWHERE, sentence % words)


def meters_between(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Return the distance by the haversine formula, with an error below 0.5 %."""
    phi, to_phi = math.radians(latitude), math.radians(to_latitude)
    across = math.sin((to_phi - phi) / 2) ** 2
    along = math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    # For antipodes, rounding errors may exceed 1.
    return 2 * EARTH_RADIUS_METERS * math.asin(math.sqrt(min(1.0, across + math.cos(phi) * math.cos(to_phi) * along)))


def format_distance(meters: float) -> str:
    """Return a distance, such as 640 m, 3.2 km or 1,204 km."""
    if round(meters, -1) < 1000:
        return _("%(number)s m") % {"number": number_format(round(meters, -1), 0)}
    kilometers = meters / 1000
    decimals = 1 if kilometers < 10 else 0
    return _("%(number)s km") % {"number": number_format(round(kilometers, decimals), decimals, force_grouping=True)}


def _taken_at_other_time(reports: Reports) -> Found:
    for report, file in _files(reports) if settings.EVIDENCE_MAX_AGE_SECONDS else ():
        if file.captured_at is None or file.status == FileState.REJECTED:
            continue
        reported, earliest, latest = report.report_datetime, *_moments(file.captured_at, file, report)
        if latest < reported - timedelta(seconds=settings.EVIDENCE_MAX_AGE_SECONDS):
            sentence = _("%(file)s was taken %(span)s before the time of the report, according to its camera's clock.")
            span = _span(file.captured_at, reported)
        elif earliest > reported + CLOCK_TOLERANCE:
            sentence = _("%(file)s was taken %(span)s after the time of the report, according to its camera's clock.")
            span = _span(reported, file.captured_at)
        else:
            continue
        yield report.pk, Contradiction(Kind.TAKEN_AT_OTHER_TIME, sentence % {"file": file.name, "span": span})


def _moments(captured_at: datetime, file: ReportFile, report: GuardReport) -> tuple[datetime, datetime]:
    """Return the earliest and the latest possible time of a file."""
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
    """Return whether a guard's shift contains a report's time, as ``covering`` with SHIFT_TOLERANCE."""
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
        reported, arrived = report.report_datetime, report.created_at
        if reported - arrived > CLOCK_TOLERANCE:
            sentence = _("The time of the report is %(span)s after its arrival.") % {"span": _span(arrived, reported)}
            yield report.pk, Contradiction(Kind.TIME, sentence)
        elif arrived - reported > LATE_AFTER:
            sentence = _("The report arrived %(span)s after its time.") % {"span": _span(reported, arrived)}
            yield report.pk, Contradiction(Kind.TIME, sentence)


def _span(start: datetime, end: datetime) -> str:
    return timesince(start, end, depth=1).replace("\xa0", " ")


def _files(reports: Reports) -> Iterator[tuple[GuardReport, ReportFile]]:
    return ((report, file) for report in reports for file in report.files.all())


# In the order in which readers see them.
RULES: tuple[Rule, ...] = (
    _refused_files,
    _same_files,
    _taken_elsewhere,
    _taken_at_other_time,
    _other_types,
    _outside_of_shifts,
    _odd_times,
)
