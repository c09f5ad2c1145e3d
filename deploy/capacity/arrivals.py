"""What a day brings: reports, with a burst at the end of a shift, incidents, mails, and the schedules' tasks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from qu_workflows.protocol.schedule import Schedule
from workflows.schedules import SCHEDULES

DAY_SECONDS = 86_400
# How much of the day's reports each hour has: guards are on their rounds by night too.
HOURS = (3, 3, 3, 3, 3, 4, 5, 6, 5, 4, 4, 4, 4, 4, 5, 5, 5, 6, 7, 7, 6, 4, 3, 3)
_RATE = re.compile(r"rate\((\d+) minutes?\)")
_DAILY = re.compile(r"cron\((\d+) (\d+) \* \* \? \*\)")


@dataclass(frozen=True)
class Task:
    """One message: when it was sent, in seconds of the day, its workflow, and how many items its Maps have."""

    sent_at: float
    workflow: str
    items: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Day:
    """What comes in 24 hours. Of the burst's reports most come early: ``burst_peak`` of its time has passed by then."""

    reports: int = 20_000
    incidents: int = 60
    mails: int = 2_000
    clients: int = 200
    burst_reports: int = 3_000
    burst_at: float = 19 * 3600.0
    burst_seconds: float = 600.0
    burst_peak: float = 0.3
    files: tuple[int, ...] = (1, 2, 2, 3)
    recipients: tuple[int, ...] = (2, 3, 3, 4)


def tasks_of_day(day: Day, rng: Random) -> list[Task]:
    """Return every task of a day, as they are sent."""
    tasks = [_report(day, rng, _hour(rng)) for _ in range(day.reports)]
    tasks += tasks_of_burst(day, rng)
    tasks += [Task(_hour(rng), "incident_escalation") for _ in range(day.incidents)]
    tasks += [Task(_hour(rng), "notification_email") for _ in range(day.mails)]
    tasks += [task for schedule in SCHEDULES for task in _scheduled(schedule, day)]
    return sorted(tasks, key=lambda task: task.sent_at)


def tasks_of_burst(day: Day, rng: Random) -> list[Task]:
    """Return the reports of the burst alone."""
    peak = day.burst_at + day.burst_peak * day.burst_seconds
    times = (rng.triangular(day.burst_at, day.burst_at + day.burst_seconds, peak) for _ in range(day.burst_reports))
    return sorted((_report(day, rng, at) for at in times), key=lambda task: task.sent_at)


def tasks_waiting(day: Day, rng: Random) -> list[Task]:
    """Return as many reports as the burst has, all waiting at once: the queue stood still, and goes on."""
    return [_report(day, rng, 0.0) for _ in range(day.burst_reports)]


def _report(day: Day, rng: Random, at: float) -> Task:
    return Task(at, "guard_report", {"files": rng.choice(day.files), "recipients": rng.choice(day.recipients)})


def _hour(rng: Random) -> float:
    [hour] = rng.choices(range(24), weights=HOURS)
    return (hour + rng.random()) * 3600


def _scheduled(schedule: Schedule, day: Day) -> Iterator[Task]:
    items = {"digests": day.clients} if schedule.task == "daily_report_digest" else {}
    workflow = schedule.task if items else "run_task"
    for at in fires_at(schedule.expression):
        yield Task(at, workflow, items)


def fires_at(expression: str) -> Iterator[float]:
    """Yield when in its day a schedule fires, in seconds.

    Raises ValueError for another expression than rate(… minutes) and cron(minute hour * * ? *).
    """
    if rate := _RATE.fullmatch(expression):
        yield from map(float, range(0, DAY_SECONDS, 60 * int(rate[1])))
    elif daily := _DAILY.fullmatch(expression):
        yield 60.0 * int(daily[1]) + 3600.0 * int(daily[2])
    else:
        raise ValueError(
            f"{expression}: the simulated day has no such schedule. Teach it to deploy/capacity/arrivals.py."
        )
