"""Schedule expressions: what EventBridge Scheduler takes, and the times they mean."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qu_workflows.schedules.expressions import FIELDS, At, Cron, ExpressionRefused, Rate, next_runs, parse

NEW_YORK = "America/New_York"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ZONES = ("UTC", NEW_YORK, "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Madrid")


def shown(expression: str, time_zone: str, after: datetime, count: int) -> list[str]:
    runs = next_runs(expression, time_zone, after, count)
    return [run.astimezone(ZoneInfo(time_zone)).isoformat() for run in runs]


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 7 * * ? *)",
        "cron(15 12 ? * MON-FRI *)",
        "cron(0/5 8-17 ? * MON-FRI *)",
        "cron(1-31/30 1-1 ? * 1,7 *)",
        "cron(0 0 1,15 JAN,JUL ? 2026-2030)",
        "cron(0 9 ? * 6L *)",
        "cron(0 9 ? * TUE#2 *)",
        "cron(0 9 15W * ? *)",
        "cron(0 9 LW * ? *)",
        "cron(0 9 L 2 ? *)",
        "cron(*/15 * 29 2 ? 2196)",
        "cron(0 9 ? * MON-SUN *)",
        "rate(1 minute)",
        "rate(2 hours)",
        "rate(365 days)",
        "at(2026-11-24T12:00:00)",
        "at(2199-12-31T23:59:59)",
    ],
)
def test_what_the_page_of_aws_has_is_taken(expression: str) -> None:
    assert isinstance(parse(expression), Cron | Rate | At)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "is not a schedule expression"),
        ("every 5 minutes", "Write cron"),
        ("0 7 * * ? *", "Write cron"),
        ("cron(0 7 * * ? *", "is not a schedule expression"),
        ("Cron(0 7 * * ? *)", "is not a schedule expression"),
        ("cron( 0 7 * * ? *)", "is not a schedule expression"),
        ("cron(0 7 * * ?)", "has 5 fields; cron takes 6"),
        ("cron(0 7 * * ? * *)", "has 7 fields; cron takes 6"),
        ("cron(0 7 * * * *)", "day-of-month and day-of-week: are both given"),
        ("cron(0 7 ? * ? *)", "day-of-month and day-of-week: are both [?]"),
        ("cron(60 7 * * ? *)", "minutes: '60' is not 0-59"),
        ("cron(0 24 * * ? *)", "hours: '24' is not 0-23"),
        ("cron(0 7 32 * ? *)", "day-of-month: '32' is not 1-31"),
        ("cron(0 7 0 * ? *)", "day-of-month: '0' is not 1-31"),
        ("cron(0 7 * 13 ? *)", "month: '13' is not 1-12 or JAN-DEC"),
        ("cron(0 7 ? * 8 *)", "day-of-week: '8' is not 1-7 or SUN-SAT"),
        ("cron(0 7 ? * 0 *)", "1 is Sunday"),
        ("cron(0 7 ? * mon *)", "Write MON"),
        ("cron(0 7 ? * MON/2 *)", "takes no steps"),
        ("cron(0 7 * * ? 1969)", "year: '1969' is not 1970-2199"),
        ("cron(0 7 * * ? 2200)", "year: '2200' is not 1970-2199"),
        ("cron(0 20-4 * * ? *)", "hours: 20-4 runs backwards. Write 20-23"),
        ("cron(0/0 7 * * ? *)", "the step '0' is not 1-59"),
        ("cron(0/60 7 * * ? *)", "the step '60' is not 1-59"),
        ("cron(0/ 7 * * ? *)", "the step '' is not 1-59"),
        ("cron(/5 7 * * ? *)", "'' is not 0-59"),
        ("cron(1,,2 7 * * ? *)", "'' is not 0-59"),
        ("cron(*,5 7 * * ? *)", r"\* is in a list"),
        ("cron(? 7 * * ? *)", "minutes: '[?]' is not 0-59"),
        ("cron(0 7 1,L * ? *)", "or only L, LW or 15W"),
        ("cron(0 7 1,15W * ? *)", "or only L, LW or 15W"),
        ("cron(0 7 ? * 3#6 *)", "'6' is not 1 to 5"),
        ("cron(0 7 ? * 3#1,6#3 *)", "without a list"),
        ("cron(0 7 ? * 1,L *)", "or only L, 6L or 6#3"),
        ("cron(0 7 \u0663 * ? *)", "day-of-month: '\u0663' is not 1-31"),
        ("cron(0\t7 * * ? *)", "has 5 fields"),
        ("cron(0 7 30 2 ? *)", "never runs"),
        ("cron(0 7 31 4,6,9,11 ? *)", "never runs"),
        ("cron(0 7 29 2 ? 2027)", "never runs"),
        ("cron(0 7 31W 2 ? *)", "never runs"),
        ("rate(0 minutes)", "not a positive integer"),
        ("rate(-1 minutes)", "not a positive integer"),
        ("rate(1.5 hours)", "not a positive integer"),
        ("rate(5)", "not a positive integer"),
        ("rate(5 seconds)", "in minutes, hours or days"),
        ("rate(5 weeks)", "in minutes, hours or days"),
        ("rate(1 minutes)", r"Write rate\(1 minute\)"),
        ("rate(5 minute)", r"Write rate\(5 minutes\)"),
        ("rate(1000000 days)", "at most 6 digits"),
        ("at(2026-11-24)", "not a time with seconds"),
        ("at(2026-11-24T12:00:00Z)", "not a time with seconds"),
        ("at(2026-11-24 12:00:00)", "not a time with seconds"),
        ("at(2026-02-30T12:00:00)", "not a valid time"),
        ("at(2026-11-24T24:00:00)", "not a valid time|not a time with seconds"),
        ("at(1969-12-31T23:59:59)", "the year is not 1970 to 2199"),
        (f"cron({'0,' * 200}0 7 * * ? *)", "more than 256 characters"),
    ],
)
def test_what_aws_refuses_or_would_never_run_is_refused_in_a_sentence(expression: str, words: str) -> None:
    with pytest.raises(ExpressionRefused, match=words):
        parse(expression)


@given(st.text(alphabet="cronateatminushdy()0123456789 *?/,-#LWMONSUJAF.:T", max_size=40))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    for expression in (text, f"cron({text})", f"rate({text})", f"at({text})"):
        try:
            parsed = parse(expression)
        except ExpressionRefused as refused:
            assert refused.problem
            assert refused.remedy
        else:
            assert isinstance(parsed, Cron | Rate | At)


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("cron(0 9 L * ? *)", ["2026-11-30T09:00", "2026-12-31T09:00", "2027-01-31T09:00", "2027-02-28T09:00"]),
        # The last of January 2027 is a Sunday.
        ("cron(0 9 LW * ? *)", ["2026-11-30T09:00", "2026-12-31T09:00", "2027-01-29T09:00", "2027-02-26T09:00"]),
        # 1 May 2027 is a Saturday, 1 August a Sunday: never another month's day.
        ("cron(0 9 1W 5,8 ? 2027)", ["2027-05-03T09:00", "2027-08-02T09:00"]),
        ("cron(0 9 31W 1,2 ? 2027)", ["2027-01-29T09:00"]),
        ("cron(0 9 ? * 3#5 2027)", ["2027-03-30T09:00", "2027-06-29T09:00", "2027-08-31T09:00", "2027-11-30T09:00"]),
        ("cron(0 9 ? * FRIL 2027)", ["2027-01-29T09:00", "2027-02-26T09:00", "2027-03-26T09:00", "2027-04-30T09:00"]),
        ("cron(0 9 ? * L *)", ["2026-11-28T09:00", "2026-12-05T09:00", "2026-12-12T09:00", "2026-12-19T09:00"]),
        ("cron(0 9 ? * SAT-MON *)", ["2026-11-28T09:00", "2026-11-29T09:00", "2026-11-30T09:00", "2026-12-05T09:00"]),
        ("cron(0 9 29 2 ? *)", ["2028-02-29T09:00", "2032-02-29T09:00", "2036-02-29T09:00", "2040-02-29T09:00"]),
        ("cron(50/5 23 31 12 ? 2199)", ["2199-12-31T23:50", "2199-12-31T23:55"]),
        ("rate(36 hours)", ["2026-11-26T00:00", "2026-11-27T12:00", "2026-11-29T00:00", "2026-11-30T12:00"]),
        ("at(2026-11-24T12:00:00)", []),
        ("at(2026-11-24T12:00:01)", ["2026-11-24T12:00"]),
    ],
)
def test_the_next_runs_are_these(expression: str, times: list[str]) -> None:
    assert [time[:16] for time in shown(expression, "UTC", NOON, 4)] == times


def test_a_cron_time_that_does_not_exist_that_day_is_skipped() -> None:
    after = datetime(2027, 3, 13, 12, tzinfo=UTC)

    assert shown("cron(30 2 * * ? *)", NEW_YORK, after, 2) == ["2027-03-15T02:30:00-04:00", "2027-03-16T02:30:00-04:00"]


def test_a_repeated_cron_time_runs_at_the_first() -> None:
    before = datetime(2026, 10, 31, 12, tzinfo=UTC)
    between = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # the first 01:30

    assert shown("cron(30 1 * * ? *)", NEW_YORK, before, 2) == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-02T01:30:00-05:00",
    ]
    assert shown("cron(30 1 * * ? *)", NEW_YORK, between, 1) == ["2026-11-02T01:30:00-05:00"]


def test_a_day_of_rate_is_24_hours_when_clocks_change() -> None:
    after = datetime(2026, 10, 31, 16, tzinfo=UTC)

    assert shown("rate(1 day)", NEW_YORK, after, 2) == ["2026-11-01T11:00:00-05:00", "2026-11-02T11:00:00-05:00"]


def test_a_one_time_schedule_at_a_time_that_clocks_skip_never_runs() -> None:
    assert next_runs("at(2027-03-14T02:30:00)", NEW_YORK, NOON, 1) == []


def test_a_rate_counts_from_when_it_began() -> None:
    since = NOON - timedelta(minutes=12)

    assert next_runs("rate(5 minutes)", "UTC", NOON, 2, since=since) == [
        NOON + timedelta(minutes=3),
        NOON + timedelta(minutes=8),
    ]


def part(lowest: int, highest: int, *, steps: bool = True) -> st.SearchStrategy[str]:
    numbers = st.integers(lowest, highest)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(st.one_of(numbers.map(str), ranges, st.just("*")), st.integers(1, highest - lowest))
    simple = st.one_of(numbers.map(str), ranges)
    return st.one_of(simple, stepped.map(lambda pair: f"{pair[0]}/{pair[1]}")) if steps else simple


def field(lowest: int, highest: int, *, steps: bool = True) -> st.SearchStrategy[str]:
    return st.just("*") | st.lists(part(lowest, highest, steps=steps), min_size=1, max_size=3).map(",".join)


days_of_month = field(1, 31) | st.sampled_from(["L", "LW", "1W", "15W", "29W", "31W"])
days_of_week = field(1, 7, steps=False) | st.sampled_from(["L", "1L", "6L", "3#1", "7#5", "MON-FRI"])
days = st.tuples(days_of_month, st.just("?")) | st.tuples(st.just("?"), days_of_week)
crons = st.builds(
    lambda minutes, hours, day, months: f"cron({minutes} {hours} {day[0]} {months} {day[1]} *)",
    field(0, 59),
    field(0, 23),
    days,
    st.just("*") | field(1, 12),
)


def numbers_of(text: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for item in text.replace("MON-FRI", "2-6").split(","):
        base, _, step = item.partition("/")
        first, _, last = (base if base != "*" else f"{lowest}-{highest}").partition("-")
        found |= set(range(int(first), int(last or (highest if step else first)) + 1, int(step or 1)))
    return found


def weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def in_day_of_month(text: str, day: date) -> bool:
    last = monthrange(day.year, day.month)[1]
    if text == "L":
        return day.day == last
    if not text.endswith("W"):
        return day.day in numbers_of(text, 1, 31)
    target = last if text == "LW" else int(text[:-1])
    if target > last:
        return False
    workdays = [n for n in range(1, last + 1) if weekday(day.replace(day=n)) in range(2, 7)]
    return day.day == min(workdays, key=lambda n: abs(n - target))


def in_day_of_week(text: str, day: date) -> bool:
    last = monthrange(day.year, day.month)[1]
    if text == "L":
        return weekday(day) == 7
    if text.endswith("L"):
        return weekday(day) == int(text[:-1]) and day.day + 7 > last
    number, _, nth = text.partition("#")
    if nth:
        return weekday(day) == int(number) and (day.day - 1) // 7 + 1 == int(nth)
    return weekday(day) in numbers_of(text, 1, 7)


def matches(expression: str, local: datetime) -> bool:
    """Return whether a cron expression runs in a minute, computed independently."""
    minutes, hours, of_month, months, of_week, _ = expression[5:-1].split(" ")
    in_day = in_day_of_week(of_week, local) if of_month == "?" else in_day_of_month(of_month, local)
    return (
        in_day
        and local.month in numbers_of(months, 1, 12)
        and local.hour in numbers_of(hours, 0, 23)
        and local.minute in numbers_of(minutes, 0, 59)
    )


moments = st.integers(5 * 365 * 1440, 220 * 365 * 1440).map(lambda m: datetime.fromtimestamp(m * 60, UTC))
# Hours around which clocks change, in one of the zones above or another.
changes = st.sampled_from([datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2027, 3, 14, 5, tzinfo=UTC)])


@given(crons, st.sampled_from(ZONES), moments | changes)
@settings(max_examples=150)
def test_next_runs_increase_and_each_is_a_minute_of_the_expression(
    expression: str, time_zone: str, after: datetime
) -> None:
    try:
        runs = next_runs(expression, time_zone, after, 5)
    except ExpressionRefused as refused:
        assert "never runs" in refused.problem
        return

    assert [after, *runs] == sorted({after, *runs})
    assert all(matches(expression, run.astimezone(ZoneInfo(time_zone))) for run in runs)


@given(crons, st.sampled_from(ZONES), moments | changes)
@settings(max_examples=100)
def test_no_minute_of_the_expression_is_left_out(expression: str, time_zone: str, after: datetime) -> None:
    begin = after.replace(second=0, microsecond=0)
    zone = ZoneInfo(time_zone)
    minutes = (begin + timedelta(minutes=number) for number in range(1, 600))
    # The second of two equal times (fold) is not run; a time that clocks skip does not exist.
    expected = [m for m in minutes if not m.astimezone(zone).fold and matches(expression, m.astimezone(zone))]

    try:
        runs = next_runs(expression, time_zone, begin, 600)
    except ExpressionRefused:
        assert not expected
        return

    assert [run for run in runs if run < begin + timedelta(minutes=600)] == expected


@given(
    st.integers(1, 10_000),
    st.sampled_from(["minute", "hour", "day"]),
    moments,
    st.timedeltas(timedelta(0), timedelta(days=500)),
)
def test_a_rate_runs_at_whole_intervals_and_none_is_left_out(
    value: int, unit: str, since: datetime, passed: timedelta
) -> None:
    expression = f"rate({value} {unit if value == 1 else unit + 's'})"
    interval = timedelta(**{f"{unit}s": value})
    after = since + passed

    runs = next_runs(expression, NEW_YORK, after, 3, since=since)

    if runs:
        assert runs[0] - interval <= after < runs[0]
        assert all((run - since) % interval == timedelta(0) for run in runs)
        assert [later - run for run, later in pairwise(runs)] == [interval] * (len(runs) - 1)


def test_the_fields_are_named_as_aws_names_them() -> None:
    assert [given.name for given in FIELDS] == ["minutes", "hours", "day-of-month", "month", "day-of-week", "year"]
