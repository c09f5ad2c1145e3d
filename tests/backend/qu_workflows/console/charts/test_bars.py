"""The geometry of charts, their texts, and what the templates make of both."""

import itertools
import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from qu_workflows.console.charts import bars as charts
from qu_workflows.console.formatting import WORDS

TOP, BASE = 18, 178
LARGEST = 10**15

counts = st.dictionaries(st.sampled_from(charts.ORDER), st.integers(0, LARGEST))
hours = st.lists(st.tuples(st.text(max_size=8), counts), max_size=30)
spans = st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)).map(sorted)
steps = st.lists(spans, max_size=12).map(lambda found: [("Step", "workflow", low, high) for low, high in found])


@given(hours)
def test_the_table_beside_the_columns_has_the_numbers_that_were_given(
    given_hours: list[tuple[str, dict[str, int]]],
) -> None:
    chart = charts.columns(given_hours, "Tasks by hour.")

    status_of = {str(word): name for name, word in WORDS.items()}
    described = [
        (label, {status_of[word]: number for word, number in zip(chart.headings, numbers, strict=True) if number})
        for label, numbers in chart.rows
    ]
    assert described == [(label, {name: number for name, number in by.items() if number}) for label, by in given_hours]


@given(hours)
def test_every_column_is_within_its_own_share_of_the_chart(
    given_hours: list[tuple[str, dict[str, int]]],
) -> None:
    chart = charts.columns(given_hours, "")

    share = 100 / max(1, len(given_hours))
    bars = iter(chart.bars)
    for number, (_label, by_status) in enumerate(given_hours):
        bottom = float(BASE)
        for _status in charts.statuses_in([by_status]):
            bar = next(bars)
            assert number * share - 0.01 <= _percent(bar.x)
            assert _percent(bar.x) + _percent(bar.width) <= (number + 1) * share + 0.02
            assert float(bar.y) + float(bar.height) == pytest.approx(bottom, abs=0.02)
            assert 0 <= float(bar.height) <= BASE - TOP
            bottom = float(bar.y)
        assert bottom >= TOP - 0.01
    assert next(bars, None) is None
    assert all(TOP <= float(tick.at) <= BASE for tick in chart.y_ticks)
    assert all(0 <= _percent(tick.at) <= 100 for tick in chart.x_ticks)


@given(counts)
def test_the_parts_of_a_share_fill_it_and_are_described(by_status: dict[str, int]) -> None:
    row = charts.shares("guard_report", by_status)

    at = 0.0
    for bar in row.bars:
        assert _percent(bar.x) == pytest.approx(at, abs=0.1)
        at = _percent(bar.x) + _percent(bar.width)
    assert at == pytest.approx(100 if row.total else 0, abs=0.1)
    assert row.total == sum(by_status.values())
    assert row.description == ", ".join(
        f"{WORDS[status]}: {by_status[status]:,}" for status in charts.ORDER if by_status.get(status)
    )


@given(steps)
def test_a_range_goes_from_left_to_right_within_its_scale(values: list[tuple[str, str, float, float]]) -> None:
    chart = charts.ranges(values)

    assert len(chart.rows) == len(values)
    for row in chart.rows:
        assert 0 < _percent(row.low) <= _percent(row.high) < 100
    places = [_percent(tick.at) for tick in chart.ticks]
    assert places == sorted(set(places))
    assert all(0 < place < 100 for place in places)


@given(st.integers(0, LARGEST))
def test_grid_lines_are_few_and_just_reach_the_largest_number(
    largest: int,
) -> None:
    ticks = charts.nice_ticks(largest)

    assert ticks[0] == 0
    assert len(ticks) <= 6
    assert ticks[-1] >= largest
    assert len({after - before for before, after in itertools.pairwise(ticks)}) <= 1
    assert len(ticks) == 1 or ticks[-2] < largest


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, [0]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (5, [0, 2, 4, 6]),
        (11, [0, 5, 10, 15]),
        (400, [0, 100, 200, 300, 400]),
    ],
)
def test_the_lines_of_the_grid_have_round_numbers(largest: int, ticks: list[int]) -> None:
    assert charts.nice_ticks(largest) == ticks


@pytest.mark.parametrize("given_hours", [[], [("08:00", {})], [("08:00", {"FAILED": 0}), ("09:00", {})]])
def test_where_nothing_was_counted_there_is_an_axis_and_no_bar(
    given_hours: list[tuple[str, Mapping[str, int]]],
) -> None:
    chart = charts.columns(given_hours, "")

    assert (chart.bars, chart.legend, chart.headings) == ([], [], [])
    assert [tick.label for tick in chart.y_ticks] == ["0"]
    assert [label for label, _numbers in chart.rows] == [label for label, _by_status in given_hours]


def test_zero_seconds_are_drawn_at_the_left_end() -> None:
    chart = charts.ranges([("Pass", "run_task", 0.0, 0.0)])

    assert [(row.low, row.high) for row in chart.rows] == [("2%", "2%")]
    assert [tick.label for tick in chart.ticks] == ["0.001 s", "0.01 s"]


def test_no_number_in_a_drawing_has_the_comma_of_a_locale() -> None:
    chart = charts.columns([("08:00", {"SUCCEEDED": 12_345, "FAILED": 7})], "")

    assert chart.bars[0].title == "08:00, Succeeded: 12,345"
    assert all(
        re.fullmatch(r"\d+(\.\d+)?%?", text) for bar in chart.bars for text in (bar.x, bar.y, bar.width, bar.height)
    )


def test_bars_of_different_statuses_differ_by_pattern_too() -> None:
    patterns = [charts.HATCHES.get(status, "") for status in charts.ORDER]

    assert len(set(patterns)) == len(charts.ORDER)


MARKUP = '<script>alert("1")</script>&\'<b>'


@pytest.mark.parametrize(
    ("part", "context"),
    [
        ("columns", {"chart": charts.columns([(MARKUP, {"FAILED": 2}), ("09:00", {})], MARKUP)}),
        (
            "shares",
            {"rows": [charts.shares(MARKUP, {"FAILED": 1, "READY": 2})], "legend": charts.legend(("FAILED", "READY"))},
        ),
        ("ranges", {"chart": charts.ranges([(MARKUP, MARKUP, 0.1, 2.0)])}),
    ],
)
def test_a_name_with_markup_is_drawn_as_text(part: str, context: Mapping[str, object]) -> None:
    html = render_to_string(f"console/parts/chart_{part}.html", {"name": "sample", "heading": "Hour", **context})

    tree = ElementTree.fromstring(html.strip().replace("&#x27;", "'"))  # noqa: S314  our own page
    names = {element.tag for element in tree.iter()}
    assert not names & {"script", "b"}
    said = [*tree.itertext(), *(value for element in tree.iter() for value in element.attrib.values())]
    assert any(MARKUP in text for text in said)


def test_every_pattern_that_is_named_is_defined_where_it_is_drawn() -> None:
    every = dict.fromkeys(charts.ORDER, 1)
    html = render_to_string(
        "console/parts/chart_columns.html",
        {"chart": charts.columns([("08:00", every)], ""), "name": "hours", "heading": "Hour"},
    )

    named: Sequence[str] = re.findall(r"url\(#([\w-]+)\)", html)
    assert set(named) == {f"hours-{hatch}" for hatch in charts.HATCHES.values()}
    assert set(named) <= set(re.findall(r'<pattern id="([\w-]+)"', html))


def _percent(text: str) -> float:
    assert text.endswith("%")
    return float(text[:-1])
