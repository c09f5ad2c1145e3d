"""The graph of a state machine as SVG, read from its definition.

::

    model.py       the definition as levels: states, and the transitions between them
    labels.py      short labels for Choice rules, catchers and kinds of states
    text_width.py  text measurement and line wrapping
    layout.py      the layout of one level; the only module that uses graphlay
    placement.py   the levels nested in each other
    svg.py         the drawing
"""

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from qu_workflows.console.graph.model import GraphNotDrawn, read_definition
from qu_workflows.console.graph.placement import place
from qu_workflows.console.graph.svg import Drawing, StateShown

__all__ = ["Drawing", "GraphNotDrawn", "StateShown", "draw", "read_definition", "svg_of"]

_PLAIN = Drawing()


def draw(definition: Mapping[str, Any], drawing: Drawing = _PLAIN) -> SafeString:
    """Return ``svg_of`` a definition, or a notice if it cannot be drawn."""
    try:
        return svg_of(definition, drawing)
    except GraphNotDrawn as problem:
        return format_html('<p class="notice notice-warning">{}</p>', str(problem))


def svg_of(definition: Mapping[str, Any], drawing: Drawing = _PLAIN) -> SafeString:
    """Return the graph of a definition as one safe ``<svg>`` element. Raises GraphNotDrawn."""
    placed = place(read_definition(definition), drawing.status_of, drawing.edges)
    return mark_safe(drawing.svg(placed))  # noqa: S308  every text and address in it was escaped by the drawing
