"""Queries on the declared schedules: next runs, last runs, and deployment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from qu_workflows.executions.queries import TaskFilter, TaskPage, search_tasks
from qu_workflows.protocol.catalog import CatalogEntry
from qu_workflows.protocol.execution_names import scheduled_run_of
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.records.models import TaskRecord
from qu_workflows.schedules.deployed import (
    DeployedSchedule,
    DeployedState,
    Difference,
    deployed_state,
    deployed_states,
    refresh_deployed_states,
)
from qu_workflows.schedules.expressions import next_runs
from qu_workflows.schedules.problems import problems_of
from qu_workflows.tasks.queries import SKIPPED, registered_tasks

__all__ = [
    "DeployedSchedule",
    "DeployedState",
    "Difference",
    "ScheduleStanding",
    "deployed_state",
    "deployed_states",
    "find_schedule",
    "next_runs",
    "reason_skipped",
    "refresh_deployed_states",
    "runs_of",
    "schedule_standings",
    "scheduled_tasks",
]

NEXT_RUNS = 3
LAST_RUNS = 3


@dataclass(frozen=True)
class ScheduleStanding:
    """The state of one schedule.

    ``next_runs`` are in UTC, also of a paused schedule, and none while it has ``problems``. ``last_runs`` are the
    recorded ones, the newest first.
    """

    schedule: Schedule
    problems: Sequence[str]
    next_runs: Sequence[datetime]
    last_runs: Sequence[TaskRecord]

    @property
    def last_run(self) -> TaskRecord | None:
        """The latest recorded run, scheduled or started by hand."""
        return self.last_runs[0] if self.last_runs else None

    @property
    def skipped(self) -> str | None:
        """The reason why the last run was skipped, or None."""
        return reason_skipped(self.last_run.result) if self.last_run else None


def find_schedule(name: str) -> Schedule:
    """Return the declared schedule of a name. Raises OperationRefused."""
    schedules = registered_project().schedules_by_name
    if name not in schedules:
        problem = "is not a schedule of workflows/schedules.py."
        raise OperationRefused(name[:80], problem, f"The schedules are {', '.join(schedules)}.")
    return schedules[name]


def reason_skipped(result: Any) -> str | None:
    """Return why a run with this result was skipped, None if it was not."""
    reason = result.get(SKIPPED) if isinstance(result, dict) else None
    return reason if isinstance(reason, str) else None


def schedule_standings(
    schedules: Sequence[Schedule] | None = None, now: datetime | None = None
) -> list[ScheduleStanding]:
    """Return the state of each schedule. A rate counts from its last run, if any."""
    tasks = scheduled_tasks()
    chosen = registered_project().schedules if schedules is None else schedules
    return [_standing(schedule, tasks, now or timezone.now()) for schedule in chosen]


def scheduled_tasks() -> Mapping[str, CatalogEntry]:
    """Return the tasks that a schedule may name, from this code's functions."""
    return {name: task.entry for name, task in registered_tasks().items()}


def runs_of(name: str, limit: int, page: str = "") -> tuple[TaskPage, Mapping[str, str]]:
    """Return a schedule's runs, the newest first, and the reasons of skipped runs by id.

    ``page`` is the cursor ``older`` of the page before. Raises OperationRefused for an invalid one.
    """
    found = search_tasks(TaskFilter(schedule=name), after=page, limit=limit)
    results = TaskRecord.objects.filter(pk__in=[row.id for row in found.rows]).values_list("pk", f"result__{SKIPPED}")
    return found, {task_id: reason for task_id, reason in results if isinstance(reason, str)}


def _standing(schedule: Schedule, tasks: Mapping[str, CatalogEntry], now: datetime) -> ScheduleStanding:
    problems = problems_of(schedule, tasks)
    runs = TaskRecord.objects.filter(schedule=schedule.name).order_by("-enqueued_at", "-id")
    last_runs = list(runs[:LAST_RUNS])
    since = None if problems else _last_time(schedule, last_runs)
    coming = [] if problems else next_runs(schedule.expression, schedule.time_zone, now, NEXT_RUNS, since=since)
    return ScheduleStanding(schedule, problems, coming, last_runs)


def _last_time(schedule: Schedule, last_runs: Sequence[TaskRecord]) -> datetime | None:
    """Return the latest scheduled time of a recorded run; runs started by hand have none."""
    ids = [record.pk for record in last_runs]
    scheduled = [run.scheduled_at for run in map(scheduled_run_of, ids) if run]
    if scheduled or len(ids) < LAST_RUNS:
        return max(scheduled, default=None)
    own = TaskRecord.objects.filter(schedule=schedule.name, pk__startswith=f"{schedule.name}-")
    latest = own.order_by("-enqueued_at", "-id").values_list("pk", flat=True).first()
    run = scheduled_run_of(latest) if latest else None
    return run.scheduled_at if run else None
