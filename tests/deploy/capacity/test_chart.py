"""The chart: well-formed, and its axes end where the eye wants them to."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.capacity.chart import HEIGHT_OF_PANEL, Line, Panel, ceiling, render


@pytest.mark.parametrize(("most", "end"), [(0, 1), (0.7, 1), (1, 1), (3, 5), (51, 100), (100, 100), (1_001, 2_000)])
def test_an_axis_ends_at_one_two_or_five_times_a_power_of_ten(most: float, end: float) -> None:
    assert ceiling(most) == pytest.approx(end)


@given(st.floats(1e-3, 1e9))
def test_an_axis_ends_above_its_highest_value_and_not_far_above(value: float) -> None:
    assert value <= ceiling(value) <= 2.5 * value * (1 + 1e-9)


def test_a_chart_is_well_formed_and_its_lines_stay_in_their_panels() -> None:
    line = Line("a < b & c", [0, 5, 10])

    drawn = render([Panel("one", [line], [("0:00", 0.0)]), Panel("two", [line, line], [])])
    svg = ET.fromstring(drawn)  # noqa: S314  our own

    lines = [element for element in svg.iter() if element.tag.endswith("polyline")]
    heights = [[float(point.split(",")[1]) for point in element.attrib["points"].split()] for element in lines]
    assert [int(min(one) // HEIGHT_OF_PANEL) for one in heights] == [0, 1, 1]
    assert [int(max(one) // HEIGHT_OF_PANEL) for one in heights] == [0, 1, 1]
    assert "a < b & c" in "".join(svg.itertext())
