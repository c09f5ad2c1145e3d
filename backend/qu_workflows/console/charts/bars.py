"""Charts of statuses and durations for ``console/parts/chart_*.html``.

Horizontal positions are in percent and vertical ones in pixels, so that charts stretch and their texts do not. Numbers
are strings, since a locale must not put commas into them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from qu_workflows.console.formatting import WORDS, duration

# From the bottom of a bar to its top.
ORDER = ("SUCCEEDED", "ABORTED", "TIMED_OUT", "FAILED", "RUNNING", "SENT", "READY")
# Ids of the patterns by which bars differ besides their colours.
HATCHES = {
    "ABORTED": "level",
    "TIMED_OUT": "crossed",
    "FAILED": "rising",
    "RUNNING": "dotted",
    "SENT": "falling",
    "READY": "upright",
}
_TOP, _HEIGHT, _BOTTOM = 18, 160, 24
_GAP_SHARE = 0.2
_MOST_TICKS = 4
_LABEL_EVERY = 3
_DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 864_000.0, 8_640_000.0)


@dataclass(frozen=True)
class Bar:
    """A part of a bar, or a key of the legend."""

    status: str
    title: str
    x: str = "0"
    y: str = "0"
    width: str = "14"
    height: str = "14"

    @property
    def css(self) -> str:
        """The CSS class of its status."""
        return f"status-{self.status.lower().replace('_', '-')}"

    @property
    def hatch(self) -> str:
        """The id of its pattern, "" for none."""
        return HATCHES.get(self.status, "")


@dataclass(frozen=True)
class Tick:
    """A line of the grid and its label. Narrow screens leave out minor ones."""

    at: str
    label: str
    is_minor: bool = False


@dataclass(frozen=True)
class Columns:
    """Bars stacked by status. ``headings`` and ``rows`` are the same numbers as a table."""

    description: str
    height: str
    base: str
    label_y: str
    bars: Sequence[Bar]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    legend: Sequence[Bar]
    headings: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


@dataclass(frozen=True)
class ShareRow:
    """One bar over the whole width, divided by status."""

    label: str
    total: int
    bars: Sequence[Bar]
    description: str


@dataclass(frozen=True)
class Range:
    """A line from one value to a larger one."""

    label: str
    context: str
    low: str
    high: str
    words: str


@dataclass(frozen=True)
class Ranges:
    """Ranges over one logarithmic scale."""

    rows: Sequence[Range] = ()
    ticks: Sequence[Tick] = ()


def columns(counts: Sequence[tuple[str, Mapping[str, int]]], description: str) -> Columns:
    """Return one bar per label and counts by status; every third label is shown."""
    statuses = statuses_in([by_status for _label, by_status in counts])
    largest = max((sum(by_status.values()) for _label, by_status in counts), default=0)
    ticks = nice_ticks(largest)
    scale = _HEIGHT / ticks[-1] if ticks[-1] else 0.0
    step = 100 / max(1, len(counts))
    bars = [
        bar
        for number, (label, by_status) in enumerate(counts)
        for bar in _column(label, by_status, step * (number + _GAP_SHARE / 2), step * (1 - _GAP_SHARE), scale)
    ]
    return Columns(
        description=description,
        height=str(_TOP + _HEIGHT + _BOTTOM),
        base=str(_TOP + _HEIGHT),
        label_y=str(_TOP + _HEIGHT + 16),
        bars=bars,
        x_ticks=[
            Tick(_percent(step * (number + 0.5)), label, is_minor=number % (2 * _LABEL_EVERY) != 0)
            for number, (label, _by_status) in enumerate(counts)
            if number % _LABEL_EVERY == 0
        ],
        y_ticks=[Tick(_number(_TOP + _HEIGHT - tick * scale), f"{tick:,}") for tick in ticks],
        legend=legend(statuses),
        headings=[str(WORDS[status]) for status in statuses],
        rows=[(label, [by_status.get(status, 0) for status in statuses]) for label, by_status in counts],
    )


def shares(label: str, by_status: Mapping[str, int]) -> ShareRow:
    """Return a bar divided by counts."""
    total = sum(by_status.values())
    bars, at = [], 0.0
    for status in statuses_in([by_status]):
        width = 100 * by_status[status] / total
        title = f"{WORDS[status]}: {by_status[status]:,}"
        bars.append(Bar(status, title, _percent(at), "0", _percent(width), "16"))
        at += width
    return ShareRow(label, total, bars, ", ".join(bar.title for bar in bars))


def ranges(values: Sequence[tuple[str, str, float, float]]) -> Ranges:
    """Return ranges of labels, contexts, p50 and p95 in seconds."""
    if not values:
        return Ranges()
    low = max((tick for tick in _DECADES if tick <= min(p50 for *_names, p50, _p95 in values)), default=_DECADES[0])
    high = min((tick for tick in _DECADES if tick >= max(p95 for *_names, p95 in values)), default=_DECADES[-1])
    high = max(high, low * 10)
    rows = [
        Range(
            label=label,
            context=context,
            low=_percent(_place(p50, low, high)),
            high=_percent(_place(p95, low, high)),
            words=_("p50 %(p50)s, p95 %(p95)s") % {"p50": duration(p50), "p95": duration(p95)},
        )
        for label, context, p50, p95 in values
    ]
    ticks = [tick for tick in _DECADES if low <= tick <= high]
    return Ranges(rows, [Tick(_percent(_place(tick, low, high)), _round_duration(tick)) for tick in ticks])


def statuses_in(counts: Sequence[Mapping[str, int]]) -> list[str]:
    """Return the statuses with a count, in the order of a bar."""
    return [status for status in ORDER if any(by_status.get(status) for by_status in counts)]


def legend(statuses: Sequence[str]) -> list[Bar]:
    """Return the keys of a legend."""
    return [Bar(status, str(WORDS[status])) for status in statuses]


def nice_ticks(largest: int) -> list[int]:
    """Return a few round integers from 0 up to at least ``largest``."""
    if largest <= 0:
        return [0]
    rough = max(1.0, largest / _MOST_TICKS)
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(int(factor * magnitude) for factor in (1, 2, 5, 10) if factor * magnitude >= rough)
    return list(range(0, largest + step, step))


def _column(label: str, by_status: Mapping[str, int], x: float, width: float, scale: float) -> list[Bar]:
    bars, top = [], float(_TOP + _HEIGHT)
    for status in statuses_in([by_status]):
        height = by_status[status] * scale
        top -= height
        title = f"{label}, {WORDS[status]}: {by_status[status]:,}"
        bars.append(Bar(status, title, _percent(x), _number(top), _percent(width), _number(height)))
    return bars


def _place(value: float, low: float, high: float) -> float:
    """Return a position on a logarithmic scale in percent, with a margin at both ends."""
    share = math.log(min(max(value, low), high) / low) / math.log(high / low)
    return 2 + 96 * share


def _round_duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else duration(seconds)


def _percent(value: float) -> str:
    return f"{_number(value)}%"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
