"""The expressions of EventBridge Scheduler, ``cron(…)``, ``rate(…)`` and ``at(…)``: what AWS takes, and when they run.

What AWS's page does not have is refused here, though AWS may let some of it pass: names in lower case, ``L`` or ``W``
in a list, a step between days of the week, a range that runs backwards (but for days of the week, where ``MON-SUN`` is
in common use), ``rate(1 hours)``. A day that no month has is refused too: AWS would take it, and never run it.

Parsed here because aws-croniter 2.1, the nearest library, refuses ``LW``, finds no day for ``L`` of the week, and knows
no time zones.

When clocks change, a cron expression's time that does not exist that day is skipped, and one that there is twice
runs at the first of the two. A day of ``rate`` is 24 hours.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count as count_up
from itertools import islice
from zoneinfo import ZoneInfo

from qu_workflows.protocol.errors import ExplainedError
from qu_workflows.schedules.cron_days import (
    DayRule,
    last_day,
    last_weekday,
    last_working_day,
    nearest_working_day,
    nth_weekday,
    numbered_days,
    weekdays,
)

MAX_EXPRESSION_LENGTH = 256
MAX_RATE_DIGITS = 6  # some 2,700 years of days; more is a slip
FIRST_YEAR, LAST_YEAR = 1970, 2199

_RATE = re.compile(rf"([1-9][0-9]{{0,{MAX_RATE_DIGITS - 1}}}) (minute|hour|day)(s?)")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_KINDS = "Write cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or at(2026-11-24T12:00:00)."


class ExpressionRefused(ExplainedError, ValueError):
    """EventBridge Scheduler would refuse the expression or never run it, or is not known to take it."""


@dataclass(frozen=True)
class Field:
    """One field of a cron expression: what it is called, its numbers, and the names that stand for some of them."""

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    may_step: bool = True
    may_wrap: bool = False

    @property
    def range(self) -> str:
        """The allowed values in words."""
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.lowest}-{self.highest}{names}"


MINUTES = Field("minutes", 0, 59)
HOURS = Field("hours", 0, 23)
DAY_OF_MONTH = Field("day-of-month", 1, 31)
MONTH = Field("month", 1, 12, _MONTH_NAMES)
DAY_OF_WEEK = Field("day-of-week", 1, 7, _WEEKDAY_NAMES, may_step=False, may_wrap=True)
YEAR = Field("year", FIRST_YEAR, LAST_YEAR)
FIELDS = (MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)


@dataclass(frozen=True)
class Cron:
    """The times of a cron expression."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_rule: DayRule
    months: tuple[int, ...]
    years: tuple[int, ...]

    def runs(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Yield the times after ``after``, in UTC."""
        # A day earlier than the zone's own, since clocks may have been put back in the meantime.
        first = (after.astimezone(zone) - timedelta(days=1)).replace(tzinfo=None)
        for local in self._local_times(first):
            moment = moment_of(local, zone)
            if moment is not None and moment > after:
                yield moment

    def days(self, first: datetime) -> Iterator[datetime]:
        """Yield the days, at midnight, from the day of ``first`` on."""
        for year in self.years:
            for month in self.months if year >= first.year else ():
                if (year, month) < (first.year, first.month):
                    continue
                for day in self.day_rule(year, month):
                    if (year, month, day) >= (first.year, first.month, first.day):
                        yield datetime(year, month, day)  # noqa: DTZ001  of any zone

    def _local_times(self, first: datetime) -> Iterator[datetime]:
        for day in self.days(first):
            for hour in self.hours:
                for minute in self.minutes:
                    yield day.replace(hour=hour, minute=minute)


@dataclass(frozen=True)
class Rate:
    """A fixed interval; a day is 24 hours, whatever the clocks do."""

    interval: timedelta

    def runs(self, _zone: ZoneInfo, after: datetime, since: datetime | None = None) -> Iterator[datetime]:
        """Yield the times after ``after``, counted from ``since``."""
        begin = after if since is None else since
        passed = max(0, (after - begin) // self.interval)
        last = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
        for number in count_up(passed + 1):
            if self.interval * number > last - begin:
                return
            yield begin + self.interval * number


@dataclass(frozen=True)
class At:
    """One time, without a time zone."""

    local: datetime

    def runs(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Yield the one time, if it is after ``after`` and exists."""
        moment = moment_of(self.local, zone)
        if moment is not None and moment > after:
            yield moment


def moment_of(local: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the moment in UTC of a time in a zone: the first of two, None for one that clocks skip."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local else None


def next_runs(
    expression: str, time_zone: str, after: datetime, count: int, *, since: datetime | None = None
) -> list[datetime]:
    """Return the next times an expression runs, in UTC, each after the one before; fewer where there are no more.

    ``after`` is aware of its time zone. A rate counts from ``since``, which on AWS is when the schedule was made;
    without it, from ``after``. Raises ExpressionRefused, and ZoneInfoNotFoundError or ValueError for no time zone.
    """
    zone, parsed, after = ZoneInfo(time_zone), parse(expression), after.astimezone(UTC)
    runs = parsed.runs(zone, after, since) if isinstance(parsed, Rate) else parsed.runs(zone, after)
    return list(islice(runs, count))


def parse(expression: str) -> Cron | Rate | At:
    """Return what an expression means. Raises ExpressionRefused, saying which field, what, and how to fix it."""
    kind, _, rest = expression.partition("(")
    inner = rest[:-1]
    if kind not in ("cron", "rate", "at") or not rest.endswith(")") or inner != inner.strip():
        raise ExpressionRefused(repr(expression[:80]), "is no schedule expression.", _KINDS)
    if len(expression) > MAX_EXPRESSION_LENGTH:
        shown = f"{expression[:40]}…"
        raise ExpressionRefused(shown, f"has more than {MAX_EXPRESSION_LENGTH} characters.", "Shorten it.")
    if kind == "rate":
        return _rate(expression, inner)
    return _at(expression, inner) if kind == "at" else _cron(expression, inner)


def _rate(expression: str, inner: str) -> Rate:
    match = _RATE.fullmatch(inner)
    if match is None:
        raise ExpressionRefused(
            expression,
            "is no positive whole number and a unit.",
            f"Write rate(1 hour) or rate(5 minutes), in minutes, hours or days, of at most {MAX_RATE_DIGITS} digits.",
        )
    value, unit, plural = int(match[1]), match[2], bool(match[3])
    if plural != (value != 1):
        right = unit if value == 1 else f"{unit}s"
        raise ExpressionRefused(expression, f"{value} takes the unit {right}.", f"Write rate({value} {right}).")
    return Rate(timedelta(**{f"{unit}s": value}))


def _at(expression: str, inner: str) -> At:
    remedy = "Write at(yyyy-mm-ddThh:mm:ss), as at(2026-11-24T12:00:00); the time zone is given apart."
    if not _AT.fullmatch(inner):
        raise ExpressionRefused(expression, "is no time to the second.", remedy)
    try:
        local = datetime.fromisoformat(inner)
    except ValueError as error:
        raise ExpressionRefused(expression, f"is no time that a calendar has ({error}).", remedy) from None
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise ExpressionRefused(expression, f"the year is not {FIRST_YEAR} to {LAST_YEAR}.", remedy)
    return At(local)


def _cron(expression: str, inner: str) -> Cron:
    texts = [text for text in inner.split(" ") if text]
    if len(texts) != len(FIELDS):
        raise ExpressionRefused(
            expression,
            f"has {len(texts)} fields; cron takes {len(FIELDS)}.",
            f"Give {', '.join(field.name for field in FIELDS)}, separated by spaces.",
        )
    given = {field: _Given(expression, field, text) for field, text in zip(FIELDS, texts, strict=True)}
    cron = Cron(
        minutes=given[MINUTES].numbers(),
        hours=given[HOURS].numbers(),
        day_rule=_day_rule(given),
        months=given[MONTH].numbers(),
        years=given[YEAR].numbers(),
    )
    if next(cron.days(datetime(FIRST_YEAR, 1, 1)), None) is None:  # noqa: DTZ001  of any zone
        raise ExpressionRefused(
            expression, "never runs: none of its months has such a day.", "Give a day that exists, or L for the last."
        )
    return cron


def _day_rule(given: "Mapping[Field, _Given]") -> DayRule:
    of_month, of_week = given[DAY_OF_MONTH], given[DAY_OF_WEEK]
    if (of_month.text == "?") == (of_week.text == "?"):
        both = "are both ?" if of_month.text == "?" else "are both given"
        raise ExpressionRefused(
            f"{of_month.expression}, day-of-month and day-of-week",
            f"{both}; AWS reads one of the two.",
            "Put ? in the one that does not matter, and a value or * in the other.",
        )
    return of_month.month_days() if of_week.text == "?" else of_week.week_days()


@dataclass(frozen=True)
class _Given:
    """The value of a field in an expression."""

    expression: str
    field: Field
    text: str

    def numbers(self) -> tuple[int, ...]:
        """Return every number that the field means, in order."""
        parts = self.text.split(",")
        if len(parts) > 1 and "*" in parts:
            raise self._refused("* stands in a list, which it makes meaningless.", "Leave the rest of the list out.")
        return tuple(sorted({number for part in parts for number in self._part(part)}))

    def month_days(self) -> DayRule:
        """Return the rule of a day-of-month field. ``L``, ``LW`` and ``15W`` stand alone."""
        if self.text in ("L", "LW"):
            return last_working_day if self.text == "LW" else last_day
        if self.text.endswith("W") and "," not in self.text:
            return nearest_working_day(self._number(self.text.removesuffix("W")))
        return numbered_days(frozenset(self.numbers()))

    def week_days(self) -> DayRule:
        """Return the rule of a day-of-week field. ``L``, ``6L`` and ``6#3`` stand alone."""
        if self.text == "L":
            return weekdays((self.field.highest,))
        day, hash_sign, nth = self.text.partition("#")
        if hash_sign:
            if nth not in ("1", "2", "3", "4", "5"):
                raise self._refused(f"{nth!r} is not 1 to 5.", "Write 3#2 for the second Tuesday; one alone.")
            return nth_weekday(self._number(day), int(nth))
        if self.text.endswith("L") and "," not in self.text:
            return last_weekday(self._number(self.text.removesuffix("L")))
        return weekdays(frozenset(self.numbers()))

    def _part(self, part: str) -> Iterable[int]:
        base, slash, step = part.partition("/")
        lowest, dash, highest = base.partition("-")
        if slash and not self.field.may_step:
            raise self._refused("takes no steps (/).", "List the days, as MON,WED,FRI.")
        if base == "*":
            first, last = self.field.lowest, self.field.highest
        else:
            first = self._number(lowest)
            last = self._number(highest) if dash else self.field.highest if slash else first
        if first <= last:
            return range(first, last + 1, self._step(step) if slash else 1)
        if not self.field.may_wrap:
            in_two = f"{first}-{self.field.highest},{self.field.lowest}-{last}"
            raise self._refused(f"{base} runs backwards.", f"Write {in_two}, if that is meant.")
        return (*range(first, self.field.highest + 1), *range(self.field.lowest, last + 1))

    def _number(self, text: str) -> int:
        field = self.field
        if text in field.names:
            return field.names.index(text) + 1
        if text.isascii() and text.isdigit() and len(text) <= 4 and field.lowest <= int(text) <= field.highest:
            return int(text)
        if text.upper() in field.names:
            raise self._refused(f"{text} is not in capitals.", f"Write {text.upper()}.")
        raise self._refused(f"{text!r} is not {field.range}.", self._remedy())

    def _step(self, text: str) -> int:
        most = self.field.highest - self.field.lowest
        if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= max(most, 1):
            return int(text)
        raise self._refused(f"the step {text!r} is not 1-{most}.", "Write 0/15 for every 15 from 0 on.")

    def _remedy(self) -> str:
        if self.field is DAY_OF_MONTH:
            return "Give numbers, ranges (1-15), lists (1,15), steps (1/3), *, ?; L, LW or 15W alone."
        if self.field is DAY_OF_WEEK:
            return "Give numbers (1 is Sunday) or names, ranges (MON-FRI), lists, *, ?; L, 6L or 6#3 alone."
        return "Give numbers, ranges (8-18), lists (8,18), steps (0/15) or *."

    def _refused(self, problem: str, remedy: str) -> ExpressionRefused:
        return ExpressionRefused(f"{self.expression}, {self.field.name}", problem, remedy)
