from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from core.models import Shift, ShiftStatus
from reports.contradictions import (
    Kind,
    contradictions_of,
    format_distance,
    holds,
    meters_between,
    sentences_beside_files,
)
from reports.models import FileState, GuardReport
from tests.backend.people import make_file, make_guard, make_picture, make_property, make_report, make_shift

HALF_AROUND_METERS = 20_015_115
latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)
places = st.tuples(latitudes, longitudes)

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 11, 23, 19, 5, tzinfo=UTC)
DIGEST = "a" * 64
HOUR = timedelta(hours=1)


def report_on_duty(arrived: datetime = MOMENT, **fields: Any) -> GuardReport:
    """A report at MOMENT, within its guard's shift."""
    guard = fields.pop("guard", None) or make_guard()
    place = fields.pop("property", None) or make_property()
    shift = make_shift(guard, place, planned_start=MOMENT - timedelta(hours=2), planned_end=MOMENT + timedelta(hours=2))
    return arriving(
        make_report(guard, **{"property": place, "shift": shift, "report_datetime": MOMENT} | fields), arrived
    )


def arriving(report: GuardReport, arrived: datetime) -> GuardReport:
    GuardReport.objects.filter(pk=report.pk).update(created_at=arrived)
    report.created_at = arrived
    return report


def found_of(report: GuardReport) -> list[tuple[Kind, str]]:
    loaded = GuardReport.objects.for_reading().get(pk=report.pk)
    return [(found.kind, found.sentence) for found in contradictions_of([loaded])[report.pk]]


def test_a_report_that_adds_up_has_no_contradictions() -> None:
    report = report_on_duty()
    make_picture(report, "gate.jpg", sha256=DIGEST)

    assert found_of(report) == []


def test_a_file_of_an_earlier_report_is_reported_with_its_time() -> None:
    place = make_property()
    earlier = report_on_duty(MOMENT - timedelta(days=3), property=place)
    make_picture(earlier, "old.jpg", sha256=DIGEST)
    report = report_on_duty(property=place)
    make_picture(report, "new.jpg", sha256=DIGEST)

    sentence = "new.jpg is also in an earlier report of this property, filed on 20 Nov 2026 14:05."
    assert found_of(report) == [(Kind.SAME_FILE, sentence)]
    assert Kind.SAME_FILE not in dict(found_of(earlier))


def test_the_name_of_another_property_is_not_shown() -> None:
    earlier = report_on_duty(MOMENT - timedelta(days=3), property=make_property(name="Secret Villa"))
    make_picture(earlier, sha256=DIGEST)
    report = report_on_duty()
    make_picture(report, "new.jpg", sha256=DIGEST)

    assert found_of(report) == [(Kind.SAME_FILE, "new.jpg is also in an earlier report of another property.")]


@pytest.mark.parametrize("is_placed", [True, False])
def test_an_earlier_report_without_a_property_is_not_another_property(is_placed: bool) -> None:
    earlier = arriving(make_report(report_datetime=MOMENT), MOMENT - HOUR)
    make_picture(earlier, sha256=DIGEST)
    report = report_on_duty()
    GuardReport.objects.filter(pk=report.pk).update(property=report.property if is_placed else None)
    make_picture(report, "new.jpg", sha256=DIGEST)

    assert found_of(report) == [(Kind.SAME_FILE, "new.jpg is also in an earlier report.")]


def test_inactive_reports_are_not_earlier_reports() -> None:
    gone = report_on_duty(MOMENT - timedelta(days=3), is_active=False)
    make_picture(gone, sha256=DIGEST)
    report = report_on_duty()
    for name in ("one.jpg", "same.jpg"):
        make_picture(report, name, sha256=DIGEST)

    assert found_of(report) == []


def test_files_whose_content_is_unknown_are_not_the_same() -> None:
    make_file(report_on_duty(MOMENT - timedelta(days=3)), sha256="")
    report = report_on_duty()
    make_file(report, sha256="")

    assert found_of(report) == []


@pytest.mark.parametrize(
    ("name", "media_type", "sentence"),
    [
        ("gate.PNG", "image/jpeg", "gate.PNG is named as PNG; its content is JPEG."),
        ("gate.jpg", "application/pdf", "gate.jpg is named as JPG; its content is PDF."),
        ("plan.pdf", "application/octet-stream", "plan.pdf is named as PDF; its content is of unknown type."),
        ("gate.jpg", "text/plain", "gate.jpg is named as JPG; its content is text."),
        ("nota.txt", "image/png", "nota.txt is named as TXT; its content is PNG."),
        # What has a right name may have a content that is not known: a text in Latin-1, a movie of a rare brand.
        ("nota.txt", "application/octet-stream", ""),
        ("walk.mp4", "application/octet-stream", ""),
        ("walk.mp4", "video/3gpp", ""),
        ("gate.heic", "application/octet-stream", ""),
        ("gate.jpeg", "image/jpeg", ""),
        ("walk.mov", "video/mp4", ""),
        ("table.xlsx", "application/zip", ""),
        ("table.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ""),
        ("table.xlsx", "application/octet-stream", ""),
        ("table.docx", "image/png", "table.docx is named as DOCX; its content is PNG."),
        ("memo.m4a", "audio/mp4", ""),
        ("memo.mp3", "audio/wav", "memo.mp3 is named as MP3; its content is WAV."),
        ("memo.wav", "audio/mpeg", "memo.wav is named as WAV; its content is MP3."),
        ("memo.amr", "audio/amr-wb", ""),
        ("memo.amr", "application/octet-stream", ""),
        ("memo.ogg", "audio/ogg", ""),
        ("walk.webm", "audio/webm", ""),
        ("walk.webm", "video/mp4", "walk.webm is named as WEBM; its content is MP4."),
        ("gate.avif", "image/heic", "gate.avif is named as AVIF; its content is HEIC."),
        ("gate.bmp", "application/octet-stream", "gate.bmp is named as BMP; its content is of unknown type."),
        ("gate.jpg", "video/quicktime", "gate.jpg is named as JPG; its content is MOV."),
        ("gate", "image/jpeg", ""),
        ("gate.jpg", "", ""),
    ],
)
def test_an_extension_of_another_type_is_reported(name: str, media_type: str, sentence: str) -> None:
    report = report_on_duty()
    make_file(report, name, media_type=media_type)

    assert found_of(report) == ([(Kind.OTHER_TYPE, sentence)] if sentence else [])


def test_a_refused_file_is_reported_with_its_reason() -> None:
    report = report_on_duty()
    make_file(report, "broken.jpg", status=FileState.REJECTED, error="UnreadableImage")

    sentence = "broken.jpg was refused. The picture is damaged and cannot be shown."
    assert found_of(report) == [(Kind.REFUSED_FILE, sentence)]
    assert sentences_beside_files(report) == []


def test_a_report_outside_of_all_shifts_is_reported() -> None:
    guard = make_guard()
    make_shift(guard, planned_start=MOMENT - timedelta(days=1), planned_end=MOMENT - timedelta(hours=8))
    # Another guard's.
    make_shift(make_guard(), planned_start=MOMENT - timedelta(hours=1), planned_end=MOMENT + timedelta(hours=1))
    report = arriving(make_report(guard, report_datetime=MOMENT), MOMENT)

    assert found_of(report) == [(Kind.NO_SHIFT, "The guard had no shift at that time.")]


def test_a_shift_that_was_entered_after_the_report_counts() -> None:
    guard = make_guard()
    report = arriving(make_report(guard, report_datetime=MOMENT), MOMENT)
    make_shift(guard, planned_start=MOMENT - timedelta(hours=1), planned_end=MOMENT + timedelta(hours=1))

    assert found_of(report) == []


@pytest.mark.parametrize(("minutes", "is_reported"), [(-16, True), (-15, False), (495, False), (496, True)])
def test_minutes_before_and_after_a_shift_are_tolerated(minutes: int, is_reported: bool) -> None:
    guard = make_guard()
    make_shift(guard, planned_start=MOMENT, planned_end=MOMENT + 8 * HOUR)
    moment = MOMENT + timedelta(minutes=minutes)
    report = arriving(make_report(guard, report_datetime=moment), moment)

    assert (Kind.NO_SHIFT in dict(found_of(report))) == is_reported


LATER = {"planned_start": MOMENT + HOUR, "planned_end": MOMENT + 9 * HOUR}


@pytest.mark.parametrize(
    "fields",
    [
        {"planned_start": MOMENT, "planned_end": MOMENT + HOUR},
        {"planned_start": MOMENT - HOUR, "planned_end": MOMENT},
        {"planned_start": MOMENT - 2 * HOUR, "planned_end": MOMENT - HOUR},
        LATER,
        LATER | {"actual_start": MOMENT - HOUR},
        LATER | {"actual_start": MOMENT - HOUR, "actual_end": MOMENT},
        LATER | {"actual_start": MOMENT - 2 * HOUR, "actual_end": MOMENT - HOUR},
        {"planned_start": MOMENT, "planned_end": MOMENT + HOUR, "status": ShiftStatus.VOIDED},
        {"planned_start": MOMENT, "planned_end": MOMENT + HOUR, "is_active": False},
    ],
)
def test_holds_agrees_with_the_query(fields: dict[str, Any]) -> None:
    guard = make_guard()
    shift = make_shift(guard, **fields)
    report = arriving(make_report(guard, report_datetime=MOMENT), MOMENT)
    covers = Shift.objects.covering(MOMENT).filter(pk=shift.pk).exists()

    assert holds(shift, report) == covers
    assert (Kind.NO_SHIFT in dict(found_of(report))) == (not covers)


@pytest.mark.parametrize(
    ("late", "sentence"),
    [
        (timedelta(minutes=-15), ""),
        (timedelta(hours=-3), "The time of the report is 3 hours after its arrival."),
        (timedelta(hours=24), ""),
        (timedelta(days=2, hours=1), "The report arrived 2 days after its time."),
    ],
)
def test_a_time_far_from_the_arrival_is_reported(late: timedelta, sentence: str) -> None:
    report = report_on_duty(MOMENT + late)

    assert found_of(report) == ([(Kind.TIME, sentence)] if sentence else [])


def test_any_number_of_reports_costs_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(12):
        report = make_report(report_datetime=MOMENT)  # outside of any shift
        make_picture(report, sha256=f"{number:064x}")
    reports = list(GuardReport.objects.for_reading())

    with django_assert_num_queries(2):  # digests, shifts
        contradictions_of(reports)
    with django_assert_num_queries(0):
        assert contradictions_of([]) == {}


def test_the_sentences_are_in_the_active_language() -> None:
    report = report_on_duty(MOMENT + timedelta(days=3))

    with translation.override("es"):
        [(_kind, sentence)] = found_of(report)

    assert "3 días" in sentence


def placed(**fields: Any) -> GuardReport:
    return report_on_duty(**{"latitude": Decimal("40.700000"), "longitude": Decimal("-74.100000")} | fields)


@pytest.mark.parametrize(
    ("latitude", "sentence"),
    [
        (40.7044, ""),
        (40.7046, "gate.jpg was taken 510 m from the place of the report, according to its camera."),
        (40.7289, "gate.jpg was taken 3.2 km from the place of the report, according to its camera."),
    ],
)
def test_a_photo_taken_far_from_the_report_is_reported_with_the_distance(latitude: float, sentence: str) -> None:
    report = placed()
    make_picture(report, "gate.jpg", latitude=latitude, longitude=-74.1)

    assert found_of(report) == ([(Kind.TAKEN_ELSEWHERE, sentence)] if sentence else [])


@pytest.mark.parametrize(
    ("report_fields", "file_fields"),
    [
        ({"latitude": None, "longitude": None}, {"latitude": 50.0, "longitude": 8.0}),
        ({}, {"latitude": None, "longitude": None}),
    ],
)
def test_without_two_places_there_is_no_distance(report_fields: dict[str, Any], file_fields: dict[str, Any]) -> None:
    report = placed(**report_fields)
    make_picture(report, **file_fields)

    assert found_of(report) == []


@pytest.mark.parametrize(
    ("late", "sentence"),
    [
        (timedelta(hours=-24), ""),
        (
            timedelta(days=-2, minutes=-1),
            "taken 2 days before the time of the report, according to its camera's clock.",
        ),
        (timedelta(minutes=15), ""),
        (timedelta(hours=3), "taken 3 hours after the time of the report, according to its camera's clock."),
    ],
)
def test_a_photo_taken_at_another_time_is_reported_with_the_span(late: timedelta, sentence: str) -> None:
    report = report_on_duty()
    make_picture(report, "gate.jpg", captured_at=MOMENT + late)

    assert found_of(report) == ([(Kind.TAKEN_AT_OTHER_TIME, f"gate.jpg was {sentence}")] if sentence else [])


@pytest.mark.parametrize(("hours", "is_reported"), [(18, False), (20, True), (-31, False), (-32, True)])
def test_a_clock_whose_zone_is_not_known_may_be_set_to_any(hours: int, is_reported: bool) -> None:
    report = report_on_duty()  # in New York, five hours behind UTC: a clock of Kiribati is 19 hours ahead of it
    make_picture(report, captured_at=MOMENT + timedelta(hours=hours), capture_zone_assumed=True)

    assert (Kind.TAKEN_AT_OTHER_TIME in dict(found_of(report))) == is_reported


def test_the_limits_are_settings_and_nought_asks_for_none(settings: Settings) -> None:
    report = placed()
    make_picture(report, latitude=40.701, longitude=-74.1, captured_at=MOMENT - HOUR)

    settings.EVIDENCE_MAX_METERS, settings.EVIDENCE_MAX_AGE_SECONDS = 100, 1800
    assert set(dict(found_of(report))) == {Kind.TAKEN_ELSEWHERE, Kind.TAKEN_AT_OTHER_TIME}
    settings.EVIDENCE_MAX_METERS = settings.EVIDENCE_MAX_AGE_SECONDS = 0
    assert found_of(report) == []


def test_a_refused_file_is_reported_of_its_refusal_alone() -> None:
    report = placed()
    taken: dict[str, Any] = {"latitude": 50.0, "longitude": 8.0, "captured_at": MOMENT - timedelta(days=9)}
    make_file(report, status=FileState.REJECTED, error="UnreadableImage", **taken)

    assert set(dict(found_of(report))) == {Kind.REFUSED_FILE}


@given(places, places)
def test_a_distance_is_symmetric_and_bounded(here: tuple[float, float], there: tuple[float, float]) -> None:
    meters = meters_between(*here, *there)

    assert 0 <= meters <= HALF_AROUND_METERS
    assert meters == pytest.approx(meters_between(*there, *here), abs=0.01)


@given(places, places, places)
def test_no_way_around_is_shorter(
    one: tuple[float, float], two: tuple[float, float], three: tuple[float, float]
) -> None:
    assert meters_between(*one, *three) <= meters_between(*one, *two) + meters_between(*two, *three) + 1


@given(latitudes, longitudes, st.floats(0, 0.05))
def test_a_degree_of_latitude_is_as_long_everywhere(latitude: float, longitude: float, degrees: float) -> None:
    north = min(90.0, latitude + degrees)

    assert meters_between(latitude, longitude, north, longitude) == pytest.approx(
        (north - latitude) * 111_195.08, abs=0.1
    )


@given(latitudes, longitudes)
def test_east_and_west_meet_at_the_date_line(latitude: float, longitude: float) -> None:
    turned = longitude - 360 if longitude > 0 else longitude + 360

    assert meters_between(latitude, longitude, latitude, turned) == pytest.approx(0, abs=0.1)


def test_a_known_distance_is_right_to_half_a_percent() -> None:
    # Statue of Liberty to the Empire State Building, 8.2 km by the ellipsoid.
    assert meters_between(40.6892, -74.0445, 40.7484, -73.9857) == pytest.approx(8_242, rel=0.005)


@pytest.mark.parametrize(
    ("meters", "text"),
    [(512, "510 m"), (994, "990 m"), (996, "1.0 km"), (3_210, "3.2 km"), (12_400, "12 km"), (1_204_000, "1,204 km")],
)
def test_a_distance_is_rounded(meters: float, text: str) -> None:
    assert format_distance(meters) == text


def test_a_distance_is_localized() -> None:
    with translation.override("es"):
        assert format_distance(3_210) == "3,2 km"
