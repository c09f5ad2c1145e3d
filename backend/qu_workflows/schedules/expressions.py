"""The expressions of EventBridge Scheduler, ``cron(…)``, ``rate(…)`` and ``at(…)``: validation and next runs.

Refuses all that AWS's page does not document, though AWS may accept some of it: names in lower case, ``L`` or ``W``
in a list, a step between days of the week, a range that runs backwards (except days of the week, where ``MON-SUN`` is
in common use), ``rate(1 hours)``. Refuses a day that no month has, which AWS accepts and never runs.

Parsed here because aws-croniter 2.1, the nearest library, refuses ``LW``, finds no day for ``L`` of the week, and has
no time zones.

A cron time that clocks skip on a day does not run that day; one that occurs twice runs at the first. A day of ``rate``
is 24 hours. Days of the week have AWS's numbers: 1 is Sunday, 7 Saturday.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count as count_up
from itertools import islice
from zoneinfo import ZoneInfo

from qu_workflows.protocol.errors import ExplainedError

MAX_EXPRESSION_LENGTH = 256
MAX_RATE_DIGITS = 6  # some 2,700 years of days; more is a slip
FIRST_YEAR, LAST_YEAR = 1970, 2199
SUNDAY, SATURDAY = 1, 7

_RATE = re.compile(rf"([1-9][0-9]{{0,{MAX_RATE_DIGITS - 1}}}) (minute|hour|day)(s?)")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_KINDS = "Write cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or at(2026-11-24T12:00:00)."


# Returns the days of a year's month, in order; none in a month without such a day.
type DayRule = Callable[[int, int], list[int]]


class ExpressionRefused(ExplainedError, ValueError):
    """EventBridge Scheduler refuses the expression, never runs it, or does not document it."""


@dataclass(frozen=True)
class Field:
    """One field of a cron expression: its name, range, and names for its numbers."""

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
        # From a day earlier, since clocks may have been set back in the meantime.
        first = (after.astimezone(zone) - timedelta(days=1)).replace(tzinfo=None)
        for local in self._local_times(first):
            moment = moment_of(local, zone)
            if moment is not None and moment > after:
                yield moment

    def days(self, first: datetime) -> Iterator[datetime]:
        """Yield the days at midnight, starting with the day of ``first``."""
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
    """A fixed interval; a day is 24 hours, also when clocks change."""

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
    """Return a local time in UTC: the first of two, None if clocks skip it."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local else None


def next_runs(
    expression: str, time_zone: str, after: datetime, count: int, *, since: datetime | None = None
) -> list[datetime]:
    """Return at most ``count`` next runs of an expression, in UTC.

    ``after`` must be aware. A rate counts from ``since``, on AWS the creation of the schedule; by default from
    ``after``. Raises ExpressionRefused, and ZoneInfoNotFoundError or ValueError for an unknown time zone.
    """
    zone, parsed, after = ZoneInfo(time_zone), parse(expression), after.astimezone(UTC)
    runs = parsed.runs(zone, after, since) if isinstance(parsed, Rate) else parsed.runs(zone, after)
    return list(islice(runs, count))


def parse(expression: str) -> Cron | Rate | At:
    """Parse an expression. Raises ExpressionRefused."""
    kind, _, rest = expression.partition("(")
    inner = rest[:-1]
    if kind not in ("cron", "rate", "at") or not rest.endswith(")") or inner != inner.strip():
        raise ExpressionRefused(repr(expression[:80]), "is not a schedule expression.", _KINDS)
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
            "is not a positive integer and a unit.",
            f"Write rate(1 hour) or rate(5 minutes), in minutes, hours or days, with at most {MAX_RATE_DIGITS} digits.",
        )
    value, unit, plural = int(match[1]), match[2], bool(match[3])
    if plural != (value != 1):
        right = unit if value == 1 else f"{unit}s"
        raise ExpressionRefused(expression, f"{value} takes the unit {right}.", f"Write rate({value} {right}).")
    return Rate(timedelta(**{f"{unit}s": value}))


def _at(expression: str, inner: str) -> At:
    remedy = "Write at(yyyy-mm-ddThh:mm:ss), such as at(2026-11-24T12:00:00), without a time zone."
    if not _AT.fullmatch(inner):
        raise ExpressionRefused(expression, "is not a time with seconds.", remedy)
    try:
        local = datetime.fromisoformat(inner)
    except ValueError as error:
        raise ExpressionRefused(expression, f"is not a valid time ({error}).", remedy) from None
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
            expression, "never runs: none of its months has such a day.", "Give an existing day, or L for the last."
        )
    return cron


def _day_rule(given: "Mapping[Field, _Given]") -> DayRule:
    of_month, of_week = given[DAY_OF_MONTH], given[DAY_OF_WEEK]
    if (of_month.text == "?") == (of_week.text == "?"):
        both = "are both ?" if of_month.text == "?" else "are both given"
        raise ExpressionRefused(
            f"{of_month.expression}, day-of-month and day-of-week",
            f"{both}; AWS reads one of the two.",
            "Use ? in one of them, and a value or * in the other.",
        )
    return of_month.month_days() if of_week.text == "?" else of_week.week_days()


@dataclass(frozen=True)
class _Given:
    """The value of a field in an expression."""

    expression: str
    field: Field
    text: str

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the field, in order."""
        parts = self.text.split(",")
        if len(parts) > 1 and "*" in parts:
            raise self._refused("* is in a list, which makes the list meaningless.", "Use * alone.")
        return tuple(sorted({number for part in parts for number in self._part(part)}))

    def month_days(self) -> DayRule:
        """Return the rule of a day-of-month field."""
        if self.text in ("L", "LW"):
            return _last_working_day if self.text == "LW" else _last_day
        if self.text.endswith("W") and "," not in self.text:
            return _nearest_working_day(self._number(self.text.removesuffix("W")))
        return _numbered_days(frozenset(self.numbers()))

    def week_days(self) -> DayRule:
        """Return the rule of a day-of-week field."""
        if self.text == "L":
            return _weekdays((self.field.highest,))
        day, hash_sign, nth = self.text.partition("#")
        if hash_sign:
            if nth not in ("1", "2", "3", "4", "5"):
                raise self._refused(f"{nth!r} is not 1 to 5.", "Write 3#2 for the second Tuesday, without a list.")
            return _nth_weekday(self._number(day), int(nth))
        if self.text.endswith("L") and "," not in self.text:
            return _last_weekday(self._number(self.text.removesuffix("L")))
        return _weekdays(frozenset(self.numbers()))

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
            raise self._refused(f"{base} runs backwards.", f"Write {in_two} if you mean that.")
        return (*range(first, self.field.highest + 1), *range(self.field.lowest, last + 1))

    def _number(self, text: str) -> int:
        field = self.field
        if text in field.names:
            return field.names.index(text) + 1
        if text.isascii() and text.isdigit() and len(text) <= 4 and field.lowest <= int(text) <= field.highest:
            return int(text)
        if text.upper() in field.names:
            raise self._refused(f"{text} is not in upper case.", f"Write {text.upper()}.")
        raise self._refused(f"{text!r} is not {field.range}.", self._remedy())

    def _step(self, text: str) -> int:
        most = self.field.highest - self.field.lowest
        if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= max(most, 1):
            return int(text)
        raise self._refused(f"the step {text!r} is not 1-{most}.", "Write 0/15 for every 15, starting at 0.")

    def _remedy(self) -> str:
        if self.field is DAY_OF_MONTH:
            return "Give numbers, ranges (1-15), lists (1,15), steps (1/3), *, ?; or only L, LW or 15W."
        if self.field is DAY_OF_WEEK:
            return "Give numbers (1 is Sunday) or names, ranges (MON-FRI), lists, *, ?; or only L, 6L or 6#3."
        return "Give numbers, ranges (8-18), lists (8,18), steps (0/15) or *."

    def _refused(self, problem: str, remedy: str) -> ExpressionRefused:
        return ExpressionRefused(f"{self.expression}, {self.field.name}", problem, remedy)


def _numbered_days(numbers: Collection[int]) -> DayRule:
    return lambda year, month: [day for day in _all_days(year, month) if day in numbers]


def _last_day(year: int, month: int) -> list[int]:
    return [monthrange(year, month)[1]]


def _last_working_day(year: int, month: int) -> list[int]:
    return [_nearest_weekday(year, month, monthrange(year, month)[1])]


def _nearest_working_day(number: int) -> DayRule:
    """Return the rule of ``15W``: the nearest Monday to Friday in the same month."""
    return lambda year, month: [_nearest_weekday(year, month, number)] if number in _all_days(year, month) else []


def _weekdays(numbers: Collection[int]) -> DayRule:
    return lambda year, month: [
        day for day in _all_days(year, month) if date(year, month, day).isoweekday() % 7 + 1 in numbers
    ]


def _nth_weekday(number: int, nth: int) -> DayRule:
    """Return the rule of ``3#2``, the second Tuesday of the month, if it has one."""
    return lambda year, month: _weekdays((number,))(year, month)[nth - 1 : nth]


def _last_weekday(number: int) -> DayRule:
    return lambda year, month: _weekdays((number,))(year, month)[-1:]


def _all_days(year: int, month: int) -> range:
    return range(1, monthrange(year, month)[1] + 1)


def _nearest_weekday(year: int, month: int, day: int) -> int:
    weekday = date(year, month, day).isoweekday() % 7 + 1
    if weekday == SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == SUNDAY:
        return day + 1 if day + 1 in _all_days(year, month) else day - 2
    return day
