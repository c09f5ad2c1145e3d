"""A chart of panels with lines, as SVG that a browser shows in light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

WIDTH, HEIGHT_OF_PANEL, LEFT, RIGHT, TOP, BOTTOM = 860, 240, 56, 16, 44, 30
COLOURS = ("#2f6db3", "#c2571a")
STYLE = """text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:14px}
.grid{stroke:#ccc}polyline{fill:none;stroke-width:1.5}rect{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}rect{fill:#161616}}"""


@dataclass(frozen=True)
class Line:
    """A line: its name and its values, evenly spread over the panel."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """One panel; ``marks`` are texts under its axis, each at a share (0 to 1) of its width."""

    title: str
    lines: Sequence[Line]
    marks: Sequence[tuple[str, float]]


def render(panels: Sequence[Panel]) -> str:
    """Return an SVG of the panels, one below the other."""
    height = HEIGHT_OF_PANEL * len(panels)
    drawn = "\n".join(_panel(panel, number * HEIGHT_OF_PANEL) for number, panel in enumerate(panels))
    titles = escape(". ".join(panel.title for panel in panels), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{titles}">\n'
        f'<style>{STYLE}</style>\n<rect width="{WIDTH}" height="{height}"/>\n{drawn}\n</svg>\n'
    )


def ceiling(value: float) -> float:
    """Return the lowest of 1, 2, 5 times a power of ten that ``value`` is not above: where an axis ends."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _panel(panel: Panel, above: int) -> str:
    most = ceiling(max(max(line.values) for line in panel.lines))
    bottom, high = above + HEIGHT_OF_PANEL - BOTTOM, HEIGHT_OF_PANEL - TOP - BOTTOM
    parts = [f'<text class="title" x="{LEFT}" y="{above + 18}">{escape(panel.title)}</text>']
    for quarter in range(5):
        y = bottom - high * quarter / 4
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most * quarter / 4:g}</text>')
    for text, share in panel.marks:
        parts.append(f'<text x="{_x(share):.1f}" y="{bottom + 18}" text-anchor="middle">{escape(text)}</text>')
    for number, line in enumerate(panel.lines):
        points = " ".join(
            f"{_x(index / max(1, len(line.values) - 1)):.1f},{bottom - high * value / most:.1f}"
            for index, value in enumerate(line.values)
        )
        parts.append(f'<polyline stroke="{COLOURS[number]}" points="{points}"/>')
        x, colour = LEFT + 170 * number, COLOURS[number]
        parts.append(f'<text x="{x}" y="{above + 36}" style="fill:{colour}">{escape(line.name)}</text>')
    return "\n".join(parts)


def _x(share: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * share
