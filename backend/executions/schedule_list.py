"""How the declared schedules stand: when each runs next, and what its last run became."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from executions.models import TaskRecord
from executions.registry import registered_tasks
from executions.scheduled_runs import SKIPPED
from workflows.catalog import CatalogEntry
from workflows.schedule_expressions import next_runs
from workflows.schedule_problems import problems_of
from workflows.schedules import SCHEDULES, Schedule
from workflows.task_ids import scheduled_run_of

NEXT_RUNS = 3


@dataclass(frozen=True)
class ScheduleStanding:
    """One schedule. ``next_runs`` are in UTC, none while it has ``problems``; ``last_run`` is the latest recorded."""

    schedule: Schedule
    problems: Sequence[str]
    next_runs: Sequence[datetime]
    last_run: TaskRecord | None

    @property
    def skipped(self) -> str | None:
        """Why the last run was skipped, if it was."""
        result: Any = self.last_run.result if self.last_run else None
        reason = result.get(SKIPPED) if isinstance(result, dict) else None
        return reason if isinstance(reason, str) else None


def schedule_standings(
    schedules: Sequence[Schedule] = SCHEDULES, now: datetime | None = None
) -> list[ScheduleStanding]:
    """Return how each schedule stands. A rate counts from its last run; before the first, from now.

    Raises what ``registered_tasks`` raises.
    """
    tasks = scheduled_tasks()
    return [_standing(schedule, tasks, now or timezone.now()) for schedule in schedules]


def scheduled_tasks() -> Mapping[str, CatalogEntry]:
    """Return the tasks that a schedule may name, as this code has them."""
    return {name: task.entry for name, task in registered_tasks().items()}


def _standing(schedule: Schedule, tasks: Mapping[str, CatalogEntry], now: datetime) -> ScheduleStanding:
    problems = problems_of(schedule, tasks)
    last_run = TaskRecord.objects.filter(schedule=schedule.name).order_by("-enqueued_at", "-id").first()
    run = scheduled_run_of(last_run.pk) if last_run else None
    since = run.scheduled_at if run else None
    coming = [] if problems else next_runs(schedule.expression, schedule.time_zone, now, NEXT_RUNS, since=since)
    return ScheduleStanding(schedule, problems, coming, last_run)
