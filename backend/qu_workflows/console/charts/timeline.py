"""The geometry of a timeline: one bar per state entry, one segment per attempt.

Pure: a row of the table draws its bar by these numbers, in units of ``WIDTH`` for the whole execution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from qu_workflows.console.formatting import duration
from qu_workflows.executions.queries import History, StateAttempt, StateEntry

WIDTH = 1000.0
THINNEST = 4.0  # a step of a millisecond in an execution of a day is seen still


@dataclass(frozen=True)
class Segment:
    """An attempt of a state entry.

    ``status`` is as ``{% status %}`` has it; ``retried``: another attempt followed.
    """

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
    """One state entry: where it begins and for how long it goes on, its tries, and all that in words."""

    x: float
    width: float
    status: str
    segments: tuple[Segment, ...]
    words: str


@dataclass(frozen=True)
class Scale:
    """From when until when the timeline goes."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """The length of the scale; never 0."""
        return max((self.end - self.start).total_seconds(), 0.001)

    def at(self, moment: datetime) -> float:
        """Return where a moment is, inside the timeline."""
        share = (moment - self.start).total_seconds() / self.seconds
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)

    def stretch(self, begun: datetime, ended: datetime | None) -> tuple[float, float]:
        """Return where a time begins and how wide it is, wide enough to be seen."""
        x, end = self.at(begun), self.at(ended or self.end)
        width = max(end - x, THINNEST)
        return round(min(x, WIDTH - width), 1), round(width, 1)


def scale_of(history: History, now: datetime) -> Scale:
    """Return the scale of an execution: from its first event to its last, or until now while it runs."""
    if not history.events:
        return Scale(now, now)
    return Scale(history.events[0].at, now if history.status == "RUNNING" else history.events[-1].at)


def bar_of(visit: StateEntry, tries: Sequence[StateAttempt], scale: Scale) -> TimelineBar:
    """Return the bar of a state entry."""
    x, width = scale.stretch(visit.entered_at, visit.ended_at)
    segments = tuple(
        Segment(*scale.stretch(one.begun_at, one.ended_at), one.outcome.name, retried=one.number < len(tries))
        for one in tries
    )
    return TimelineBar(x, width, visit.outcome.name, segments, _words(visit, tries, scale))


def _words(visit: StateEntry, tries: Sequence[StateAttempt], scale: Scale) -> str:
    began = _("begins after %(after)s") % {"after": duration((visit.entered_at - scale.start).total_seconds())}
    took = _("takes %(duration)s") % {"duration": duration(visit.seconds(scale.end))}
    counted = ngettext("%(count)d try", "%(count)d tries", len(tries)) % {"count": len(tries)}
    return ", ".join([began, took, *([counted] if len(tries) > 1 else [])])
