"""The SVG of a placed graph: classes for the stylesheet, nothing inline, every text escaped.

Links are in reading order, and their labels say what colours show. Edges are hidden from screen readers: each page
with a graph also has its states and transitions as tables.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from math import hypot
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qu_workflows.console.formatting import SIGNS, WORDS, duration
from qu_workflows.console.graph.layout import Point, Rectangle
from qu_workflows.console.graph.model import GraphState
from qu_workflows.console.graph.placement import NAME_LINE, PADDING, SMALL_LINE, PlacedEdge, PlacedLevel, PlacedState

_STYLESHEET = Path(__file__).parents[1] / "static" / "console" / "console.css"
_STYLES = re.compile(r"/\* graph: begin \*/(.*?)/\* graph: end \*/", re.DOTALL)
# Characters that XML 1.0 does not allow, and lone surrogates.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_MARGIN = 12.0
_FITS = 1100.0  # a drawing up to this width is still readable when scaled down to its column
_CORNER = 8.0
_ARROW_LENGTH, _ARROW_HALF = 8.0, 4.5
_THIN, _WIDTHS = 1.5, 4.5  # the thinnest line, and how much wider the most taken one is


@dataclass(frozen=True, kw_only=True)
class StateShown:
    """The outcome of one state of an execution.

    ``status`` is a key of ``formatting.WORDS``. ``tries`` counts calls, 0 for a state that calls nothing. ``seconds``
    is the total, None if unknown. ``iterations`` counts by status those of a Map, or the entries of a state inside one.
    ``runs_again``: a redrive would run it.
    """

    status: str
    tries: int = 0
    seconds: float | None = None
    iterations: Mapping[str, int] = field(default_factory=dict)
    runs_again: bool = False

    @property
    def counts(self) -> Mapping[str, int]:
        """The iterations by status, empty for a state that ran once."""
        return {name: n for name, n in self.iterations.items() if n} if sum(self.iterations.values()) > 1 else {}

    @property
    def line(self) -> str:
        """The text below the state's name: ``✕ Failed · 3 attempts · 12.0 s``."""
        counted = [f"{SIGNS.get(name, '?')} {n}" for name, n in self.counts.items()]
        status = f"{SIGNS.get(self.status, '?')} {WORDS.get(self.status, self.status)}"
        return " · ".join([*(counted or [status]), *self._measures()])

    @property
    def spoken(self) -> str:
        """The text for screen readers: ``Failed, 3 attempts, 12.0 s``."""
        counted = [f"{n} {WORDS.get(name, name)}" for name, n in self.counts.items()]
        again = [_("a redrive runs it again")] if self.runs_again else []
        return ", ".join([str(WORDS.get(self.status, self.status)), *counted, *self._measures(), *again])

    def _measures(self) -> list[str]:
        tries = ngettext("%(tries)d attempt", "%(tries)d attempts", self.tries) % {"tries": self.tries}
        return [*([tries] if self.tries > 1 else []), *([] if self.seconds is None else [duration(self.seconds)])]


@dataclass(frozen=True)
class Drawing:
    """The options of a drawing.

    ``states`` are those that an execution entered, by name; None draws the state machine. ``href`` returns a state's
    address and makes it a link. ``edges`` maps ``(state, state)`` to how often that transition was taken, which is
    written on it and widens its line. ``standalone`` includes the stylesheet, for a file. ``title`` is the drawing's
    name for screen readers.
    """

    states: Mapping[str, StateShown] | None = None
    selected: str | None = None
    href: Callable[[str], str] | None = None
    edges: Mapping[tuple[str, str], int] | None = None
    standalone: bool = False
    title: str = ""

    def shown(self, state: GraphState) -> StateShown | None:
        """Return the outcome of a state, None without an execution."""
        return None if self.states is None else self.states.get(state.name, StateShown(status="NOT_RUN"))

    def status_of(self, state: GraphState) -> str:
        """Return the outcome of a state as text, "" without an execution."""
        shown = self.shown(state)
        return shown.line if shown else ""

    def svg(self, level: PlacedLevel) -> str:
        """Return the drawing as one element."""
        width, height = level.at.width + 2 * _MARGIN, level.at.height + 2 * _MARGIN
        own = ' xmlns="http://www.w3.org/2000/svg"' if self.standalone else ""
        classes = "graph-svg" if self.edges is None else "graph-svg graph-counted"
        classes += " graph-fits" if width <= _FITS else ""
        head = (
            f'<svg{own} class="{classes}" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="group" '
            f"aria-label={_attribute(self.title or _('Graph of the state machine'))}>"
        )
        styles = f'<style>{_styles()}</style><rect class="canvas" width="100%" height="100%"/>'
        return "".join([head, styles if self.standalone else "", *self._level(level, _MARGIN), "</svg>"])

    def _level(self, level: PlacedLevel, margin: float = 0) -> Iterator[str]:
        yield f'<g transform="translate({level.at.x + margin:.1f} {level.at.y + margin:.1f})">'
        yield '<g aria-hidden="true">'
        for edge in level.edges:
            yield from _edge(edge)
        for edge in level.edges:
            yield from _label(edge)
        for mark, name, word in ((level.start, "start", _("Start")), (level.end, "end", _("End"))):
            if mark is not None:
                yield _mark(mark, name, word)
        yield "</g>"
        for state in level.states:
            yield from self._state(state)
        yield "</g>"

    def _state(self, placed: PlacedState) -> Iterator[str]:
        name, shown = placed.state.name, self.shown(placed.state)
        yield f'<g transform="translate({placed.at.x:.1f} {placed.at.y:.1f})" class="{self._classes(placed, shown)}">'
        label = _text(f"{name}, {shown.spoken if shown else placed.state.kind}")
        current = ' aria-current="true"' if name == self.selected else ""
        opening = 'g role="img"' if self.href is None else f"a href={_attribute(self.href(name))}"
        yield f'<{opening} aria-label="{label}"{current}><title>{label}</title>'
        yield f'<rect class="frame" width="{placed.at.width:.1f}" height="{placed.at.height:.1f}" rx="{_CORNER:.0f}"/>'
        yield from _words(placed)
        if shown is not None and shown.runs_again:
            yield _again(placed.at)
        yield "</g>" if self.href is None else "</a>"
        for level in placed.levels:
            yield from self._level(level)
        yield "</g>"

    def _classes(self, placed: PlacedState, shown: StateShown | None) -> str:
        classes = ["state", f"state-{_slug(shown.status)}" if shown else "", "box" if placed.levels else ""]
        classes += ["runs-again" if shown and shown.runs_again else ""]
        classes += ["selected" if placed.state.name == self.selected else ""]
        return " ".join(filter(None, classes))


def _words(placed: PlacedState) -> Iterator[str]:
    y = PADDING + 10
    for lines, name, height in (
        (placed.words.name, "name", NAME_LINE),
        (placed.words.kind, "kind", SMALL_LINE),
        (placed.words.status, "how", SMALL_LINE),
    ):
        for line in lines:
            yield f'<text class="{name}" x="{PADDING:.0f}" y="{y:.1f}">{_text(line)}</text>'
            y += height


def _again(at: Rectangle) -> str:
    """Return the sign of a state that a redrive runs again."""
    x = at.width - 14
    return f'<circle class="again" cx="{x:.1f}" cy="0" r="10"/><text class="again-sign" x="{x:.1f}" y="5">↻</text>'


def _mark(at: Rectangle, name: str, word: str) -> str:
    x, y, radius = at.x + at.width / 2, at.y + at.height / 2, at.width / 2
    inner = f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius - 5:.1f}"/>'
    return (
        f'<g class="mark {name}"><title>{_text(word)}</title>'
        f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>{inner}</g>'
    )


def _edge(edge: PlacedEdge) -> Iterator[str]:
    taken = "" if edge.count is None else " taken" if edge.count else " idle"
    width = f' stroke-width="{_THIN + _WIDTHS * edge.share:.1f}"' if edge.count else ""
    tip, end = _arrow(edge.route.points)
    yield f'<g class="edge edge-{edge.transition.kind}{taken}">'
    title = _edge_title(edge)
    if title:
        yield f"<title>{_text(title)}</title>"
    yield f'<path class="line" d="{_path((*edge.route.points[:-1], end))}"{width}/><path class="arrow" d="{tip}"/></g>'


def _edge_title(edge: PlacedEdge) -> str:
    details = list(edge.transition.details)
    if edge.count is not None:
        details.append(ngettext("taken %(count)d time", "taken %(count)d times", edge.count) % {"count": edge.count})
    return "; ".join(details)


def _label(edge: PlacedEdge) -> Iterator[str]:
    at = edge.route.label
    if at is None:
        return
    title = _edge_title(edge)
    yield f'<g class="label label-{edge.transition.kind}"><title>{_text(title)}</title>'
    yield f'<rect x="{at.x:.1f}" y="{at.y:.1f}" width="{at.width:.1f}" height="{at.height:.1f}" rx="3"/>'
    for number, line in enumerate(edge.label):
        y = at.y + 13 + number * SMALL_LINE
        yield f'<text x="{at.x + at.width / 2:.1f}" y="{y:.1f}">{_text(line)}</text>'
    yield "</g>"


def _path(points: tuple[Point, ...]) -> str:
    """Return a line with rounded corners."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        enter, leave = _toward(corner, before, _CORNER), _toward(corner, after, _CORNER)
        parts.append(f"L{enter[0]:.1f} {enter[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {leave[0]:.1f} {leave[1]:.1f}")
    parts.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(parts)


def _toward(start: Point, end: Point, distance: float) -> Point:
    """Return the point at a distance from ``start``, at most halfway to ``end``."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    share = min(distance / length, 0.5) if length else 0.0
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _arrow(points: tuple[Point, ...]) -> tuple[str, Point]:
    """Return the arrowhead at the end of a line, and where the line must stop."""
    (x, y), before = points[-1], points[-2]
    length = hypot(x - before[0], y - before[1]) or 1.0
    dx, dy = (x - before[0]) / length, (y - before[1]) / length
    back = min(_ARROW_LENGTH, length)
    end = (x - dx * back, y - dy * back)
    left = (end[0] - dy * _ARROW_HALF, end[1] + dx * _ARROW_HALF)
    right = (end[0] + dy * _ARROW_HALF, end[1] - dx * _ARROW_HALF)
    return f"M{x:.1f} {y:.1f}L{left[0]:.1f} {left[1]:.1f}L{right[0]:.1f} {right[1]:.1f}Z", end


def _styles() -> str:
    found = _STYLES.search(_STYLESHEET.read_text(encoding="utf-8"))
    return found[1] if found else ""


def _text(text: str) -> str:
    return escape(_NO_TEXT.sub("\ufffd", str(text)))


def _attribute(text: str) -> str:
    return f'"{_text(text)}"'


def _slug(status: str) -> str:
    return re.sub(r"[^a-z]+", "-", status.lower())
