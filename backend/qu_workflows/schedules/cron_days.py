"""Which days of a month a cron expression means: one rule for each form of its two fields of days.

Days of the week are numbered as AWS has them: 1 is Sunday, 7 Saturday.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Protocol

SUNDAY, SATURDAY = 1, 7


class DayRule(Protocol):
    """Says on which days of a month to run."""

    def days(self, year: int, month: int) -> list[int]:
        """Return the days of the month, in order; none in a month without such a day."""


@dataclass(frozen=True)
class NumberedDays:
    """``1,15``, ``1-10``, ``1/3``: days of the month by number."""

    numbers: frozenset[int]

    def days(self, year: int, month: int) -> list[int]:
        """Return the days of the month, in order."""
        return [day for day in _all_days(year, month) if day in self.numbers]


@dataclass(frozen=True)
class LastDay:
    """``L`` of the month, or ``LW``, its last Monday to Friday."""

    on_weekday: bool = False

    def days(self, year: int, month: int) -> list[int]:
        """Return the one day."""
        last = monthrange(year, month)[1]
        return [_nearest_weekday(year, month, last) if self.on_weekday else last]


@dataclass(frozen=True)
class NearestWeekday:
    """``15W``: the Monday to Friday nearest to a day, in the same month. A month without that day has none."""

    number: int

    def days(self, year: int, month: int) -> list[int]:
        """Return the one day, if the month has it."""
        return [_nearest_weekday(year, month, self.number)] if self.number in _all_days(year, month) else []


@dataclass(frozen=True)
class Weekdays:
    """``MON-FRI``: every such day of the week."""

    numbers: frozenset[int]

    def days(self, year: int, month: int) -> list[int]:
        """Return the days of the month, in order."""
        return [day for day in _all_days(year, month) if weekday_of(year, month, day) in self.numbers]


@dataclass(frozen=True)
class NthWeekday:
    """``3#2``, the second Tuesday of the month; with ``nth`` -1 ``3L``, the last one."""

    number: int
    nth: int

    def days(self, year: int, month: int) -> list[int]:
        """Return the one day, if the month has it."""
        days = Weekdays(frozenset({self.number})).days(year, month)
        if self.nth == -1:
            return days[-1:]
        return days[self.nth - 1 : self.nth]


def weekday_of(year: int, month: int, day: int) -> int:
    """Return a day's number in the week, 1 being Sunday."""
    return date(year, month, day).isoweekday() % 7 + 1


def _all_days(year: int, month: int) -> range:
    return range(1, monthrange(year, month)[1] + 1)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    weekday = weekday_of(year, month, day)
    if weekday == SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == SUNDAY:
        return day + 1 if day + 1 in _all_days(year, month) else day - 2
    return day
