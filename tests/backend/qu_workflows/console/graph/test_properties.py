"""Properties of the graph of every definition."""

from collections import Counter
from collections.abc import Iterator
from math import hypot
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from asl_engine.jsontext import Json
from qu_workflows.console.graph import Drawing, StateShown, draw, read_definition
from qu_workflows.console.graph.layout import Rectangle
from qu_workflows.console.graph.model import Level
from qu_workflows.console.graph.placement import PlacedLevel, place
from tests.backend.qu_workflows.console.graph.definitions import MACHINES, branches_of, definitions, fan_of, line_of
from tests.workflows.engine.definition.machines import EVERYTHING

_NEAR = 0.51
KNOWN = {**MACHINES, "everything": EVERYTHING, "line": line_of(60), "fan": fan_of(30), "branches": branches_of(12)}


def levels_of(placed: PlacedLevel) -> Iterator[PlacedLevel]:
    yield placed
    for state in placed.states:
        for level in state.levels:
            yield from levels_of(level)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.x + one.width > other.x + _NEAR
        and other.x + other.width > one.x + _NEAR
        and one.y + one.height > other.y + _NEAR
        and other.y + other.height > one.y + _NEAR
    )


def is_inside(one: Rectangle, width: float, height: float) -> bool:
    return (
        one.x >= -_NEAR
        and one.y >= -_NEAR
        and one.x + one.width <= width + _NEAR
        and one.y + one.height <= height + _NEAR
    )


def is_on_border(point: tuple[float, float], of: Rectangle) -> bool:
    x, y = point[0] - of.x, point[1] - of.y
    beside = min(abs(x), abs(x - of.width)) <= _NEAR and -_NEAR <= y <= of.height + _NEAR
    above = min(abs(y), abs(y - of.height)) <= _NEAR and -_NEAR <= x <= of.width + _NEAR
    return beside or above


def is_on_circle(point: tuple[float, float], of: Rectangle) -> bool:
    x, y = point[0] - of.x - of.width / 2, point[1] - of.y - of.height / 2
    return abs(hypot(x, y) - of.width / 2) <= 1


def holds(definition: dict[str, Json]) -> None:
    level = read_definition(definition)
    placed = place(level, lambda _state: "✕ Failed · 3 tries · 12 s", None)
    for each in levels_of(placed):
        _nothing_overlaps(each)
        _edges_end_at_borders(each)
        for state in each.states:
            for inner in state.levels:
                assert is_inside(inner.at, state.at.width, state.at.height)
                assert inner.at.y >= state.words.height - _NEAR
    assert Counter(state.state.name for each in levels_of(placed) for state in each.states) == _named_in(definition)


def _nothing_overlaps(level: PlacedLevel) -> None:
    marks = [each for each in (level.start, level.end) if each is not None]
    labels = [each.route.label for each in level.edges if each.route.label is not None]
    things = [*(state.at for state in level.states), *marks, *labels]
    for number, one in enumerate(things):
        assert is_inside(one, level.at.width, level.at.height)
        assert not any(overlap(one, other) for other in things[:number])


def _edges_end_at_borders(level: PlacedLevel) -> None:
    at = {state.state.name: state.at for state in level.states}
    for edge in level.edges:
        for name, point, mark in (
            (edge.transition.source, edge.route.points[0], level.start),
            (edge.transition.target, edge.route.points[-1], level.end),
        ):
            if name is None:
                assert mark is not None
                assert is_on_circle(point, mark)
            else:
                assert is_on_border(point, at[name])


def _named_in(node: object) -> Counter[str]:
    """Return the states of a definition, found without the code under test."""
    found: Counter[str] = Counter()
    if isinstance(node, dict) and isinstance(node.get("States"), dict):
        for name, state in node["States"].items():
            found[name] += 1
            found.update(_named_in(state.get("ItemProcessor")))
            found.update(_named_in(state.get("Iterator")))
            for branch in state.get("Branches", []):
                found.update(_named_in(branch))
    return found


@settings(max_examples=80, deadline=None)
@given(definitions())
def test_nothing_overlaps_children_are_inside_and_edges_end_at_borders(definition: dict[str, Json]) -> None:
    holds(definition)


@pytest.mark.parametrize("definition", KNOWN.values(), ids=KNOWN)
def test_the_definitions_at_hand_are_laid_out_as_well(definition: dict[str, Json]) -> None:
    holds(definition)


@settings(max_examples=60, deadline=None)
@given(definitions())
def test_the_drawing_is_well_formed_and_links_each_state_once(definition: dict[str, Json]) -> None:
    states = {name: StateShown(status="FAILED", tries=2, runs_again=True) for name in _named_in(definition)}

    drawn = draw(definition, Drawing(states, href=lambda name: f"?state={name}", edges={}, standalone=True))

    root = ElementTree.fromstring(drawn)  # noqa: S314  it is the drawing itself, not a stranger's
    links = [each for each in root.iter() if each.tag.endswith("}a")]
    assert len(links) == _named_in(definition).total()
    assert all(each.attrib["aria-label"] for each in links)
    assert not [each for each in root.iter() if {"style", "onclick", "onload"} & each.attrib.keys()]


@settings(max_examples=60, deadline=None)
@given(definitions())
def test_every_transition_is_drawn_or_written(definition: dict[str, Json]) -> None:
    level = read_definition(definition)

    placed = place(level, lambda _state: "", None)

    drawn = [each.transition for one in levels_of(placed) for each in one.edges if each.transition.target is not None]
    assert len([each for each in drawn if each.source is not None]) == len(list(level.all_transitions()))


def test_the_same_definition_is_drawn_the_same_each_time() -> None:
    first = draw(MACHINES["guard_report"])

    assert draw(MACHINES["guard_report"]) == first


def test_reading_order_is_the_order_of_an_execution() -> None:
    level: Level = read_definition(MACHINES["guard_report"])

    names = [state.name for state in level.all_states()]

    assert names.index("Process Files") < names.index("Inspect File") < names.index("By Kind")
    assert names.index("By Kind") < names.index("File Accepted") < names.index("Record Report")
