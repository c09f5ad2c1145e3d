"""Placement of a whole graph, nested levels first, so that states can contain them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qu_workflows.console.graph.layout import EdgeRoute, LayoutEdge, Rectangle, Size, arrange
from qu_workflows.console.graph.model import Edge, EdgeKind, GraphState, Level
from qu_workflows.console.graph.text_width import width_of, wrap

NAME_SIZE, SMALL_SIZE = 14.0, 12.0
NAME_LINE, SMALL_LINE = 18.0, 16.0
PADDING = 12.0
_TEXT_WIDTH = 184.0
_LABEL_WIDTH, _LABEL_LINES = 168.0, 4
_MARK = Size(22, 22, is_round=True)
_GAP = 18.0
_MOST_LINES = (12, 6, 3, 1)  # into or out of one state; the smaller limits are for dense graphs
_MOST_BESIDE = 150  # lines of a level beyond one for each state
_MOST_WRITTEN = 6
_TIMES = "×"  # noqa: RUF001  the multiplication sign
_WIDEST_ROW = 1600.0  # of branches side by side
_WEIGHTS = {EdgeKind.NEXT: 3.0, EdgeKind.CHOICE: 1.5, EdgeKind.CATCH: 0.5}

type Edges = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Words:
    """The lines of a state's text."""

    name: tuple[str, ...]
    kind: tuple[str, ...]
    status: tuple[str, ...]

    @property
    def height(self) -> float:
        """The height of the text with its padding."""
        return 2 * PADDING + NAME_LINE * len(self.name) + SMALL_LINE * (len(self.kind) + len(self.status)) - 4


@dataclass(frozen=True)
class PlacedState:
    """A placed state; the levels inside are relative to its corner."""

    state: GraphState
    at: Rectangle
    words: Words
    levels: "tuple[PlacedLevel, ...]"


@dataclass(frozen=True)
class PlacedEdge:
    """A transition with its label. ``count`` is None if counts are not shown."""

    transition: Edge
    route: EdgeRoute
    label: tuple[str, ...]
    count: int | None
    share: float


@dataclass(frozen=True)
class PlacedLevel:
    """A placed level; its content is relative to its corner. Only the outermost has marks."""

    at: Rectangle
    states: tuple[PlacedState, ...]
    edges: tuple[PlacedEdge, ...]
    start: Rectangle | None
    end: Rectangle | None


def place(level: Level, status_of: Callable[[GraphState], str], edges: Edges | None) -> PlacedLevel:
    """Place a definition. ``status_of`` returns the status text of a state, "" for none."""
    return _Placing(status_of, edges).level(level, outermost=True)


@dataclass(frozen=True)
class _Placing:
    status_of: Callable[[GraphState], str]
    edges: Edges | None

    def level(self, level: Level, *, outermost: bool = False) -> PlacedLevel:
        """Return a level at 0, 0 with everything inside it."""
        # A nested level has no marks: its last states are those without a line.
        shown = [each for each in level.transitions if outermost or None not in (each.source, each.target)]
        drawn, written = _drawn_and_written(shown)
        sized = [self._sized(state, written.get(state.name, ())) for state in level.states]
        beside = _by_source(shown)
        labels = [self._label(each, beside[each.source]) for each in drawn]
        ends = any(each.target is None for each in drawn)
        marks = (_MARK,) * (1 + ends if outermost else 0)
        found = arrange(
            (*(Size(each.at.width, each.at.height) for each in sized), *marks), _links(level.states, drawn, labels)
        )
        counts = [self._count(each) for each in drawn]
        most = max(self.edges.values(), default=0) if self.edges else 0
        start, end = (*found.nodes[len(sized) :], None, None)[:2]
        return PlacedLevel(
            Rectangle(0, 0, found.size.width, found.size.height),
            tuple(replace(each, at=at) for each, at in zip(sized, found.nodes[: len(sized)], strict=True)),
            tuple(
                PlacedEdge(each, route, label, count, (count or 0) / most if most else 0.0)
                for each, route, label, count in zip(drawn, found.routes, labels, counts, strict=True)
            ),
            start,
            end,
        )

    def _sized(self, state: GraphState, written: Sequence[Edge]) -> PlacedState:
        levels, content = _in_rows([self.level(each) for each in state.levels])
        text_width = max(_TEXT_WIDTH, content.width)
        words = Words(
            wrap(state.name, NAME_SIZE, text_width),
            (*wrap(state.kind, SMALL_SIZE, text_width, 2), *_written(written, text_width)),
            wrap(self.status_of(state), SMALL_SIZE, text_width, 3),
        )
        height = words.height + (content.height + PADDING if levels else 0)
        placed = tuple(_moved(each, PADDING, words.height) for each in levels)
        return PlacedState(state, Rectangle(0, 0, text_width + 2 * PADDING, height), words, placed)

    def _count(self, transition: Edge) -> int | None:
        if self.edges is None or transition.source is None or transition.target is None:
            return None
        return self.edges.get((transition.source, transition.target), 0)

    def _label(self, transition: Edge, beside: Sequence[Edge]) -> tuple[str, ...]:
        lines = [line for label in transition.labels for line in wrap(label, SMALL_SIZE, _LABEL_WIDTH, _LABEL_LINES)]
        if len(lines) > _LABEL_LINES:
            lines = [*lines[: _LABEL_LINES - 1], "…"]
        count = self._count(transition)
        # A history does not distinguish two transitions between the same states: the first has the count of both.
        if count is not None and next(each for each in beside if each.target == transition.target) is transition:
            lines.append(self._count_words(transition, count, beside))
        return tuple(lines)

    def _count_words(self, transition: Edge, count: int, beside: Sequence[Edge]) -> str:
        """Return a count, with its share of all transitions from the same state."""
        targets = {each.target for each in beside}
        total = sum((self.edges or {}).get((transition.source or "", target or ""), 0) for target in targets)
        if len(targets) < 2 or not total:
            return f"{count} {_TIMES}"
        return f"{count} {_TIMES} · {count / total:.0%}"


def _links(
    states: Sequence[GraphState], drawn: Sequence[Edge], labels: Sequence[tuple[str, ...]]
) -> tuple[LayoutEdge, ...]:
    """Return transitions as edges between positions; the marks of start and end follow the states."""
    positions = {each.name: number for number, each in enumerate(states)}
    start, end = len(states), len(states) + 1
    return tuple(
        LayoutEdge(
            start if each.source is None else positions[each.source],
            end if each.target is None else positions[each.target],
            _label_size(label),
            _WEIGHTS[each.kind],
        )
        for each, label in zip(drawn, labels, strict=True)
    )


def _by_source(transitions: Iterable[Edge]) -> dict[str | None, list[Edge]]:
    found: dict[str | None, list[Edge]] = {}
    for each in transitions:
        found.setdefault(each.source, []).append(each)
    return found


def _drawn_and_written(transitions: Sequence[Edge]) -> tuple[list[Edge], dict[str | None, list[Edge]]]:
    """Return the transitions drawn as lines, and by source those that are only written.

    A hundred lines at one state are unreadable, and their layout takes seconds.
    """
    out_of = Counter(each.source for each in transitions)
    into = Counter(each.target for each in transitions)
    drawn: list[Edge] = []
    for most in _MOST_LINES:
        drawn = [
            each for each in transitions if each.source is None or max(out_of[each.source], into[each.target]) <= most
        ]
        if len(drawn) <= len(out_of) + _MOST_BESIDE:
            break
    are_drawn = set(drawn)
    return drawn, _by_source(each for each in transitions if each not in are_drawn)


def _written(transitions: Sequence[Edge], width: float) -> list[str]:
    """Return transitions as lines of text: ``on any error → Failed``."""
    texts = [f"{', '.join(each.labels)} → {each.target or _('End')}".strip() for each in transitions]
    lines = [line for each in texts[:_MOST_WRITTEN] for line in wrap(each, SMALL_SIZE, width, 2)]
    more = len(texts) - _MOST_WRITTEN
    if more > 0:
        lines.append(ngettext("and %(more)d more transition", "and %(more)d more transitions", more) % {"more": more})
    return lines


def _label_size(lines: Sequence[str]) -> Size | None:
    if not lines:
        return None
    return Size(max(width_of(line, SMALL_SIZE) for line in lines) + 8, SMALL_LINE * len(lines) + 2)


def _in_rows(levels: Sequence[PlacedLevel]) -> tuple[list[PlacedLevel], Size]:
    """Return levels side by side, in rows of limited width, and the size of all."""
    placed: list[PlacedLevel] = []
    x = top = width = height = 0.0
    for each in levels:
        if x and x + each.at.width > _WIDEST_ROW:
            x, top = 0.0, height + _GAP
        placed.append(_moved(each, x, top))
        width, height = max(width, x + each.at.width), max(height, top + each.at.height)
        x += each.at.width + _GAP
    return placed, Size(width, height)


def _moved(level: PlacedLevel, x: float, y: float) -> PlacedLevel:
    return replace(level, at=replace(level.at, x=level.at.x + x, y=level.at.y + y))
