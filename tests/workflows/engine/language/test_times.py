"""Timestamps as AWS reads and prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.language.times import is_timestamp, parse_timestamp, print_timestamp


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2016-03-14T01:59:00Z", 1457920740),
        ("2016-03-14T02:59:00+01:00", 1457920740),
        ("2016-03-13T20:29:00-05:30", 1457920740),
        ("2016-03-14T01:59Z", 1457920740),
        ("2016-03-14T01:59:00.25Z", 1457920740.25),
        ("2016-03-14T01:59:00.000000000Z", 1457920740),
        ("1969-12-31T23:59:59.5Z", -0.5),
        ("2024-02-29T00:00:00Z", 1709164800),
    ],
)
def test_a_timestamp_is_read(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds
    assert is_timestamp(text)


@pytest.mark.parametrize(
    "text",
    ["", "2016-12-05", "2016-12-05T21:29:29", "2016-12-05 21:29:29Z", "05-12-2016T21:29:29Z", "2016-13-05T21:29:29Z",
     "2016-12-05T25:29:29Z", "2023-02-29T00:00:00Z", "2016-12-05T21:29:29z", "2016-12-05t21:29:29Z", "20161205T212929Z",
     "2016-12-05T21:29:29+0100", "2016-12-05T21:29:29+01:60", "2016-12-05T21:29:29.Z", "2016-12-05T21:29:29Z ",
     "2016-12-05T24:00:00Z", "2016-12-05T21:29:60Z", "٢٠١٦-12-05T21:29:29Z"],
)  # fmt: skip
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ISO-8601|range|day|offset|must be in"):
        parse_timestamp(text)
    assert not is_timestamp(text)


@pytest.mark.parametrize("value", [None, 0, True, [], {}])
def test_only_a_text_is_a_timestamp(value: object) -> None:
    assert not is_timestamp(value)


def test_a_time_is_printed_in_milliseconds() -> None:
    assert print_timestamp(1_704_067_200_007) == "2024-01-01T00:00:00.007Z"


@given(st.integers(0, 4_102_444_800_000))
def test_a_printed_time_is_read_back(epoch_ms: int) -> None:
    assert round(parse_timestamp(print_timestamp(epoch_ms)) * 1000) == epoch_ms
