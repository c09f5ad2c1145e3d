from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from reports.captures import Capture, meters_between, resolve_capture, tell_distance, tell_duration

NEW_YORK = ZoneInfo("America/New_York")
HALF_AROUND = 20_015_115
latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)
places = st.tuples(latitudes, longitudes)


@given(places, places)
def test_a_distance_is_the_same_both_ways_and_at_most_half_around_the_earth(
    here: tuple[float, float], there: tuple[float, float]
) -> None:
    meters = meters_between(*here, *there)

    assert 0 <= meters <= HALF_AROUND
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
    ("meters", "told"),
    [(512, "510 m"), (994, "990 m"), (996, "1.0 km"), (3_210, "3.2 km"), (12_400, "12 km"), (1_204_000, "1,204 km")],
)
def test_a_distance_is_told_as_people_do(meters: float, told: str) -> None:
    assert tell_distance(meters) == told


def test_a_distance_is_told_in_the_readers_numbers() -> None:
    with translation.override("es"):
        assert tell_distance(3_210) == "3,2 km"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00"), (0.2, "0:01"), (7, "0:07"), (759.6, "12:40"), (3723, "1:02:03")]
)
def test_a_duration_is_told_as_players_do(seconds: float, told: str) -> None:
    assert tell_duration(seconds) == told


def test_a_time_with_an_offset_is_what_it_says() -> None:
    moment = datetime(2026, 11, 24, 19, 5, tzinfo=UTC)

    assert resolve_capture("2026-11-24T14:05:00-05:00", ZoneInfo("Europe/Madrid")) == Capture(moment)


def test_a_local_time_is_taken_for_that_of_the_place_and_said_to_be() -> None:
    assert resolve_capture("2026-07-24T14:05:00", NEW_YORK) == Capture(
        datetime(2026, 7, 24, 18, 5, tzinfo=UTC), zone_assumed=True
    )


@pytest.mark.parametrize(
    "told",
    [None, "", "0000-00-00T00:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2026-13-01T00:00:00",
     "2026-11-24T14:05:00+99:99", "1601-01-01T00:00:00+00:00"],
)  # fmt: skip
def test_what_no_calendar_has_counts_as_not_told(told: str | None) -> None:
    assert resolve_capture(told, NEW_YORK) == Capture()


@given(
    st.from_regex(r"\A\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([+-]\d{2}:\d{2})?\Z"), st.sampled_from(["UTC", "Asia/Tokyo"])
)
def test_whatever_the_contract_lets_through_is_a_moment_or_none(told: str, zone: str) -> None:
    capture = resolve_capture(told, ZoneInfo(zone))

    assert capture.captured_at is None or capture.captured_at.utcoffset() == timedelta(0)
