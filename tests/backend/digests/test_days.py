from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.days import bounds_of, digest_day, happened_on
from reports.models import GuardReport
from tests.backend.people import make_property, make_report
from workflows.errors import PayloadInvalid

NOW = datetime(2026, 11, 24, 3, 30, tzinfo=UTC)  # in New York still the 23rd
# Clocks that change at midnight (Havana, Beirut, Santiago, Cairo), by half an hour (Lord Howe); both ends of the map.
ZONES = [
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@given(
    moment=st.integers(1_420_070_400, 2_114_380_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    name=st.sampled_from(ZONES),
    days_off=st.integers(-1, 1),
)
def test_a_moment_belongs_to_its_local_day(moment: datetime, name: str, days_off: int) -> None:
    zone = ZoneInfo(name)
    shown = moment.astimezone(zone).date()

    start, end = bounds_of(shown + timedelta(days=days_off), zone)

    assert (start <= moment < end) == (days_off == 0)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 11, 23), 24)])
def test_a_day_is_as_long_as_its_clocks_make_it(day: date, hours: int) -> None:
    start, end = bounds_of(day, ZoneInfo("America/New_York"))

    assert end - start == timedelta(hours=hours)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("time_zone", "first", "last"),
    [
        ("", "2026-11-23T05:00:00Z", "2026-11-24T04:59:59Z"),
        ("Pacific/Kiritimati", "2026-11-22T10:00:00Z", "2026-11-23T09:59:59Z"),
        ("Pacific/Pago_Pago", "2026-11-23T11:00:00Z", "2026-11-24T10:59:59Z"),
    ],
)
def test_a_report_counts_to_the_day_at_its_property(time_zone: str, first: str, last: str) -> None:
    place, start, end = make_property(time_zone=time_zone), *map(datetime.fromisoformat, (first, last))
    moments = [start - timedelta(seconds=1), start, end, end + timedelta(seconds=1)]
    reports = [make_report(property=place, report_datetime=moment) for moment in moments]

    found = GuardReport.objects.filter(happened_on(date(2026, 11, 23), ["", "Pacific/Kiritimati", "Pacific/Pago_Pago"]))

    assert sorted(report.pk for report in found) == [report.pk for report in reports[1:3]]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Mars/Olympus", "America", "..", "x" * 64])
def test_a_name_that_is_no_time_zone_counts_as_the_installations(name: str) -> None:
    place = make_property(time_zone=name)
    report = make_report(property=place, report_datetime=datetime(2026, 11, 24, 4, 59, tzinfo=UTC))

    assert GuardReport.objects.get(happened_on(date(2026, 11, 23), [name])) == report
    assert not GuardReport.objects.filter(happened_on(date(2026, 11, 24), [name])).exists()


def test_without_a_date_it_is_the_day_before() -> None:
    assert digest_day("t-1") == date(2026, 11, 22)


@pytest.mark.parametrize(
    ("task_id", "day"),
    [
        ("daily_report_digest-20261120T120000Z", date(2026, 11, 19)),
        ("daily_report_digest-20261120T030000Z", date(2026, 11, 18)),  # in New York it is the evening of the 19th
        ("daily_report_digest-20261120T120000Z-attempt-2", date(2026, 11, 19)),
    ],
)
def test_a_late_scheduled_run_reports_the_day_before_its_time(task_id: str, day: date) -> None:
    assert digest_day(task_id) == day


def test_a_date_that_is_asked_for_goes_before_the_scheduled_time() -> None:
    assert digest_day("daily_report_digest-20261120T120000Z", "2026-11-01") == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("2026-02-30", "date: 2026-02-30 is not a date. Give a day such as 2026-11-23."),
        ("2026-11-23", "date: 2026-11-23 has not ended. Give a day from 1970-01-01 to 2026-11-22."),
        ("9999-12-31", "date: 9999-12-31 has not ended. Give a day from 1970-01-01 to 2026-11-22."),
        ("0001-01-01", "date: 0001-01-01 is before 1970-01-01. Give a day from 1970-01-01 to 2026-11-22."),
    ],
)
def test_an_invalid_day_is_an_error_with_a_remedy(asked: str, problem: str) -> None:
    with pytest.raises(PayloadInvalid) as raised:
        digest_day("t-1", asked)

    assert str(raised.value) == problem
