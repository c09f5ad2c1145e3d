"""The layout of one level's nodes and edges; the only module that uses graphlay.

A label is laid out as a node on its edge, so that nothing covers it.
https://aarkue.github.io/graphlay/docs/guide
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import graphlay

from qu_workflows.console.graph.model import GraphNotDrawn

type Point = tuple[float, float]


# Larger graphs get a good order that is found quickly instead of the best one.
_LARGE = 60
_SPACING = {"layer_gap": 34.0, "node_gap": 26.0, "dummy_gap": 18.0, "isolated_gap": 26.0, "port_gap": 16.0}
_OPTIONS: dict[str, Any] = {"direction": "topbottom", "spacing": _SPACING}
_EFFORT = {
    "order_seeds": 2,
    "order_sweeps": 6,
    "exhaustive_layer_max": 0,
    "sifting_rounds": 0,
    "pullin_rounds": 0,
    "kick_patience": 0,
}
_QUICK: dict[str, Any] = {
    **_OPTIONS,
    "effort": {"custom": _EFFORT},
    "coords": {"placement": "brandes_koepf"},
    # Relaxation takes seconds in large graphs, and nothing overlaps without it either.
    "tuning": {"routing": {"port_relax_rounds": 0, "overlap_repair_rounds": 0}},
}


@dataclass(frozen=True)
class Size:
    """The size of a node. Edges of a round one end on its circle."""

    width: float
    height: float
    is_round: bool = False


@dataclass(frozen=True)
class LayoutEdge:
    """An edge between two nodes, by their index. A larger weight makes it straighter."""

    source: int
    target: int
    label: Size | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Rectangle:
    """A rectangle; x and y are those of its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class EdgeRoute:
    """The corners of an edge from border to border, and its label."""

    points: tuple[Point, ...]
    label: Rectangle | None = None


@dataclass(frozen=True)
class Arrangement:
    """A layout: nodes and routes in the order of the arguments."""

    size: Size
    nodes: tuple[Rectangle, ...]
    routes: tuple[EdgeRoute, ...]


@lru_cache(maxsize=128)
def arrange(sizes: tuple[Size, ...], links: tuple[LayoutEdge, ...]) -> Arrangement:
    """Return the layout of nodes and edges. Raises GraphNotDrawn.

    Deterministic, and cached since live pages repeat the same graph.
    """
    if not sizes:
        return Arrangement(Size(0, 0), (), ())
    graph, parts = _request(sizes, links)
    try:
        found = graphlay.layout(graph, options=_QUICK if len(graph.nodes) > _LARGE else _OPTIONS).raw
    except graphlay.GraphlayError as error:
        raise GraphNotDrawn(str(error)) from error
    low, high = found["bounds"]["min"], found["bounds"]["max"]
    nodes = [_rectangle(node, low) for node in found["nodes"]]
    lines = [
        tuple((point["x"] - low["x"], point["y"] - low["y"]) for point in edge["points"]) for edge in found["edges"]
    ]
    return Arrangement(
        Size(high["x"] - low["x"], high["y"] - low["y"]),
        tuple(nodes[: len(sizes)]),
        tuple(_routes(links, parts, nodes, lines)),
    )


def _request(sizes: Sequence[Size], links: Sequence[LayoutEdge]) -> tuple[graphlay.Graph, list[int]]:
    """Return graphlay's graph, and each edge's index of its label, -1 for none."""
    graph, parts = graphlay.Graph(), []
    for size in sizes:
        # graphlay sorts nodes without edges by label.
        key = f"{len(graph.nodes):06}"
        graph.node(width=size.width, height=size.height, shape="ellipse" if size.is_round else "box", label=key)
    for link in links:
        if link.label is None:
            graph.edge(link.source, link.target, weight=link.weight)
            parts.append(-1)
            continue
        label = graph.node(width=link.label.width, height=link.label.height)
        graph.edge(link.source, label, weight=link.weight)
        graph.edge(label, link.target, weight=link.weight)
        parts.append(label)
    return graph, parts


def _routes(
    links: Sequence[LayoutEdge], parts: Sequence[int], nodes: Sequence[Rectangle], lines: Sequence[tuple[Point, ...]]
) -> Iterator[EdgeRoute]:
    position = 0
    for _link, label in zip(links, parts, strict=True):
        if label < 0:
            yield EdgeRoute(lines[position])
            position += 1
        else:
            yield EdgeRoute(lines[position] + lines[position + 1], nodes[label])
            position += 2


def _rectangle(node: dict[str, Any], low: dict[str, float]) -> Rectangle:
    width, height = node["size"]["width"], node["size"]["height"]
    x, y = node["center"]["x"] - width / 2 - low["x"], node["center"]["y"] - height / 2 - low["y"]
    return Rectangle(x, y, width, height)
