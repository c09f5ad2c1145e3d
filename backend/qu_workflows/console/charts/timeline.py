"""The geometry of a timeline: one bar per state entry, one segment per attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qu_workflows.console.formatting import duration
from qu_workflows.executions.queries import History, StateAttempt, StateEntry

WIDTH = 1000.0
THINNEST = 4.0  # keeps a step of a millisecond visible in an execution of a day


@dataclass(frozen=True)
class Segment:
    """One attempt; ``retried`` if another followed."""

    x: float
    width: float
    status: str
    retried: bool

    @property
    def end(self) -> float:
        """The position of the end."""
        return round(self.x + self.width, 1)


@dataclass(frozen=True)
class TimelineBar:
    """One state entry; ``words`` describe it for screen readers."""

    x: float
    width: float
    status: str
    segments: tuple[Segment, ...]
    words: str


@dataclass(frozen=True)
class Scale:
    """The first and the last moment of a timeline."""

    start: datetime
    end: datetime

    def at(self, moment: datetime) -> float:
        """Return the position of a moment, inside the timeline."""
        length = max((self.end - self.start).total_seconds(), 0.001)
        share = (moment - self.start).total_seconds() / length
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)

    def stretch(self, begun: datetime, ended: datetime | None) -> tuple[float, float]:
        """Return position and width of a time span, at least ``THINNEST`` wide."""
        x, end = self.at(begun), self.at(ended or self.end)
        width = max(end - x, THINNEST)
        return round(min(x, WIDTH - width), 1), round(width, 1)


def scale_of(history: History, now: datetime) -> Scale:
    """Return the scale from the first event to the last, or until now."""
    if not history.events:
        return Scale(now, now)
    return Scale(history.events[0].at, now if history.status == "RUNNING" else history.events[-1].at)


def bar_of(entry: StateEntry, attempts: Sequence[StateAttempt], scale: Scale) -> TimelineBar:
    """Return the bar of a state entry."""
    x, width = scale.stretch(entry.entered_at, entry.ended_at)
    segments = tuple(
        Segment(*scale.stretch(one.begun_at, one.ended_at), one.outcome.name, retried=one.number < len(attempts))
        for one in attempts
    )
    words = [
        _("begins after %(after)s") % {"after": duration((entry.entered_at - scale.start).total_seconds())},
        _("takes %(duration)s") % {"duration": duration(entry.seconds(scale.end))},
    ]
    if len(attempts) > 1:
        words.append(ngettext("%(count)d attempt", "%(count)d attempts", len(attempts)) % {"count": len(attempts)})
    return TimelineBar(x, width, entry.outcome.name, segments, ", ".join(words))
