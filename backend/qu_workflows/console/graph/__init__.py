"""The graph of a state machine: read from its definition, laid out, coloured by what happened, drawn as SVG.

::

    model.py       the definition as levels: states, and the transitions between them
    labels.py      a Choice rule, a catcher, a kind of state in short words
    text_width.py  how wide a text is, and where it is wrapped
    layout.py      where the nodes of one level go; the one module that knows the library for it
    placement.py   the levels put into each other
    svg.py         the drawing
"""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, Unpack

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from qu_workflows.console.graph.layout import LayoutFailed
from qu_workflows.console.graph.model import UnclearDefinition, read_definition
from qu_workflows.console.graph.placement import place
from qu_workflows.console.graph.svg import Drawing, StateShown

__all__ = ["DrawingOptions", "GraphNotDrawn", "StateShown", "UnclearDefinition", "draw", "read_definition", "svg_of"]


class GraphNotDrawn(Exception):
    """There is no graph of a definition; the text says why, for people."""


class DrawingOptions(TypedDict, total=False):
    """The options of a drawing: see ``svg.Drawing``."""

    selected: str | None
    href: Callable[[str], str] | None
    edges: Mapping[tuple[str, str], int] | None
    standalone: bool
    title: str


def draw(
    definition: Mapping[str, Any], states: Mapping[str, StateShown] | None = None, **options: Unpack[DrawingOptions]
) -> SafeString:
    """Return the graph of a definition as ``svg_of`` does, or a notice if it cannot be drawn."""
    try:
        return svg_of(definition, states, **options)
    except GraphNotDrawn as problem:
        return format_html('<p class="notice notice-warning">{}</p>', str(problem))


def svg_of(
    definition: Mapping[str, Any], states: Mapping[str, StateShown] | None = None, **options: Unpack[DrawingOptions]
) -> SafeString:
    """Return the graph of a definition as one safe ``<svg>`` element. Raises GraphNotDrawn if it cannot be drawn."""
    drawing = Drawing(states, **options)
    try:
        placed = place(read_definition(definition), drawing.status_of, drawing.edges)
    except (UnclearDefinition, LayoutFailed) as problem:
        raise GraphNotDrawn(_("The graph cannot be drawn: %(problem)s") % {"problem": problem}) from problem
    return mark_safe(drawing.svg(placed))  # noqa: S308  every text and address in it was escaped by the drawing
