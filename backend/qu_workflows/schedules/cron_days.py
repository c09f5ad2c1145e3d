"""The days of a month that a cron expression names: one rule for each form of its two fields of days.

Days of the week are numbered as AWS has them: 1 is Sunday, 7 Saturday.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
"""

from calendar import monthrange
from collections.abc import Callable, Collection
from datetime import date

SUNDAY, SATURDAY = 1, 7

# Returns the days of a year's month, in order; none in a month without such a day.
type DayRule = Callable[[int, int], list[int]]


def numbered_days(numbers: Collection[int]) -> DayRule:
    """Return the rule of ``1,15``, ``1-10``, ``1/3``: days of the month by number."""
    return lambda year, month: [day for day in _all_days(year, month) if day in numbers]


def last_day(year: int, month: int) -> list[int]:
    """Return the day of ``L``, the last of the month."""
    return [monthrange(year, month)[1]]


def last_working_day(year: int, month: int) -> list[int]:
    """Return the day of ``LW``, the last Monday to Friday of the month."""
    return [_nearest_weekday(year, month, monthrange(year, month)[1])]


def nearest_working_day(number: int) -> DayRule:
    """Return the rule of ``15W``: the Monday to Friday nearest to a day, in the same month, if the month has it."""
    return lambda year, month: [_nearest_weekday(year, month, number)] if number in _all_days(year, month) else []


def weekdays(numbers: Collection[int]) -> DayRule:
    """Return the rule of ``MON-FRI``: every such day of the week."""
    return lambda year, month: [day for day in _all_days(year, month) if _weekday_of(year, month, day) in numbers]


def nth_weekday(number: int, nth: int) -> DayRule:
    """Return the rule of ``3#2``, the second Tuesday of the month, if it has one."""
    return lambda year, month: weekdays((number,))(year, month)[nth - 1 : nth]


def last_weekday(number: int) -> DayRule:
    """Return the rule of ``3L``, the last Tuesday of the month."""
    return lambda year, month: weekdays((number,))(year, month)[-1:]


def _weekday_of(year: int, month: int, day: int) -> int:
    return date(year, month, day).isoweekday() % 7 + 1


def _all_days(year: int, month: int) -> range:
    return range(1, monthrange(year, month)[1] + 1)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    weekday = _weekday_of(year, month, day)
    if weekday == SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == SUNDAY:
        return day + 1 if day + 1 in _all_days(year, month) else day - 2
    return day
