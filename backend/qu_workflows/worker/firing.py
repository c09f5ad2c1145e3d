"""Firing of the declared schedules, in place of EventBridge Scheduler."""

from datetime import UTC, datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.schedule import Schedule
from qu_workflows.records.models import TaskRecord
from qu_workflows.schedules.expressions import next_runs
from qu_workflows.schedules.models import ScheduleState
from qu_workflows.schedules.services import scheduled_record

# When the worker starts, the last run that it missed within this time is made up for.
LOOK_BACK = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # rates count from here, whenever the worker began
_FOUND_AT_ONCE = 100


class Scheduler:
    """Records the runs of schedules that are due.

    A run's id is its schedule and time, so it is recorded once. Of the runs that were missed while the worker was down
    the latest is recorded, if the schedule has run before; its ``start_deadline_seconds`` then decides whether it does
    its work. Runs that a paused schedule missed are left out.
    """

    def __init__(self) -> None:
        self._fired_until: dict[str, datetime] = {}

    def fire(self) -> int:
        """Record the latest due run of each schedule, and return the number."""
        now = timezone.now()
        states = {state.name: state for state in ScheduleState.objects.all()}
        if not self._fired_until:
            self._fired_until = _last_runs(now)
        new = []
        for schedule in registered_project().schedules:
            after, state = self._fired_until.get(schedule.name, now), states.get(schedule.name)
            self._fired_until[schedule.name] = now
            if state is not None and state.is_paused:
                continue
            at = latest_run(schedule, max(after, state.changed_at) if state else after, now)
            if at is not None:
                new.append(scheduled_record(schedule, at))
        TaskRecord.objects.bulk_create(new, ignore_conflicts=True)
        return len(new)


def latest_run(schedule: Schedule, after: datetime, until: datetime) -> datetime | None:
    """Return the latest time within (after, until] at which a schedule runs; None without one."""
    latest, since = None, after
    while found := next_runs(schedule.expression, schedule.time_zone, since, _FOUND_AT_ONCE, since=_EPOCH):
        past = [at for at in found if at <= until]
        latest = past[-1] if past else latest
        if len(past) < _FOUND_AT_ONCE:
            break
        since = past[-1]
    return latest


def _last_runs(now: datetime) -> dict[str, datetime]:
    """Return when each schedule that has run within LOOK_BACK was last recorded."""
    recent = TaskRecord.objects.exclude(schedule="").filter(enqueued_at__gte=now - LOOK_BACK)
    return dict(recent.order_by().values_list("schedule").annotate(last=Max("enqueued_at")))
