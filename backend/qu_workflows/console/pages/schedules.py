"""Schedules for their pages: as declared, as deployed, and their runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from qu_workflows.console.masking import mask, masked_row
from qu_workflows.console.pages.schedule_wording import in_words
from qu_workflows.executions.queries import TaskRow, row_of
from qu_workflows.protocol.schedule import Overlap
from qu_workflows.schedules.queries import DeployedSchedule, Difference, ScheduleStanding, reason_skipped


@dataclass(frozen=True)
class ScheduleRun:
    """One run of a schedule. ``skipped`` is the reason, "" if it ran."""

    task_id: str
    status: str
    began_at: datetime
    seconds: float | None
    error: str
    skipped: str
    is_by_hand: bool


@dataclass(frozen=True)
class ScheduleView:
    """One schedule. ``next_runs`` are in its time zone; ``state`` is that of the deployed one."""

    name: str
    description: str
    task: str
    payload: Any
    expression: str
    words: str
    time_zone: str
    window_minutes: int
    skips_overlap: bool
    start_deadline_seconds: int | None
    problems: Sequence[str]
    state: str
    state_why: str
    state_changed_at: datetime | None
    differences: Sequence[Difference]
    next_runs: Sequence[datetime]
    last_runs: Sequence[ScheduleRun]

    @property
    def coming(self) -> list[tuple[str, str]]:
        """The next runs as ISO 8601 and as text, in the schedule's time zone."""
        return [(moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S %Z}") for moment in self.next_runs]


def view_of(standing: ScheduleStanding, deployed: DeployedSchedule, now: datetime) -> ScheduleView:
    """Return a schedule for its page, masked."""
    schedule = standing.schedule
    zone = ZoneInfo("UTC" if standing.problems else schedule.time_zone)
    return ScheduleView(
        name=schedule.name,
        description=schedule.description,
        task=schedule.task,
        payload=mask(dict(schedule.payload)),
        expression=schedule.expression,
        words=in_words(schedule.expression),
        time_zone=schedule.time_zone,
        window_minutes=schedule.flexible_window_minutes,
        skips_overlap=schedule.overlap is Overlap.SKIP,
        start_deadline_seconds=schedule.start_deadline_seconds,
        problems=list(standing.problems),
        state=deployed.state,
        state_why=deployed.why,
        state_changed_at=deployed.changed_at,
        differences=[
            Difference(one.what, str(mask(one.declared)), str(mask(one.deployed))) for one in deployed.differences
        ],
        next_runs=[moment.astimezone(zone) for moment in standing.next_runs],
        last_runs=[
            run_of(schedule.name, row_of(record, now), reason_skipped(record.result) or "")
            for record in standing.last_runs
        ],
    )


def run_of(name: str, row: TaskRow, skipped: str) -> ScheduleRun:
    """Return a task as the run of a schedule."""
    return ScheduleRun(
        task_id=row.id,
        status=row.status,
        began_at=row.started_at or row.enqueued_at,
        seconds=row.seconds,
        error=masked_row(row).error,
        skipped=skipped,
        is_by_hand=not row.id.startswith(f"{name}-") or bool(row.attempt_of),
    )
