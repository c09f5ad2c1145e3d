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
from django.utils.translation import gettext as _

from qu_workflows.console.graph.layout import LayoutFailed
from qu_workflows.console.graph.model import UnclearDefinition, read_definition
from qu_workflows.console.graph.placement import place
from qu_workflows.console.graph.svg import Drawing, StateShown

__all__ = ["Drawing", "GraphNotDrawn", "StateShown", "UnclearDefinition", "draw", "read_definition", "svg_of"]


_PLAIN = Drawing()


class GraphNotDrawn(Exception):
    """A definition cannot be drawn; the message is for people."""


def draw(definition: Mapping[str, Any], drawing: Drawing = _PLAIN) -> SafeString:
    """Return ``svg_of`` a definition, or a notice if it cannot be drawn."""
    try:
        return svg_of(definition, drawing)
    except GraphNotDrawn as problem:
        return format_html('<p class="notice notice-warning">{}</p>', str(problem))


def svg_of(definition: Mapping[str, Any], drawing: Drawing = _PLAIN) -> SafeString:
    """Return the graph of a definition as one safe ``<svg>`` element. Raises GraphNotDrawn."""
    try:
        placed = place(read_definition(definition), drawing.status_of, drawing.edges)
    except (UnclearDefinition, LayoutFailed) as problem:
        raise GraphNotDrawn(_("The graph cannot be drawn: %(problem)s") % {"problem": problem}) from problem
    return mark_safe(drawing.svg(placed))  # noqa: S308  every text and address in it was escaped by the drawing
