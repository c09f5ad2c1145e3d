"""manage.py schedules: lists, pauses, resumes and runs schedules, and previews expressions."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import command_actor
from qu_workflows.records.models import TaskRecord
from qu_workflows.schedules.expressions import ExpressionRefused
from qu_workflows.schedules.problems import time_zone_problem
from qu_workflows.schedules.queries import (
    NEXT_RUNS,
    ScheduleStanding,
    deployed_state,
    find_schedule,
    next_runs,
    schedule_standings,
)
from qu_workflows.schedules.services import pause, resume, run_now, why_not_run_now

MAX_COUNT = 1000
_BAD_INPUT = 2
_ACTIONS = {
    "pause": "Pause a schedule until it is resumed; a deploy that changes it sets it to SchedulesState.",
    "resume": "Resume a paused schedule; missed runs are not made up for.",
    "run": "Run a schedule's task once, now.",
}


class Command(BaseCommand):
    help = (
        "The schedules of workflows/schedules.py: their next and last runs; pause, resume or run one now; and "
        "the next runs of any expression. Exit code 2 if EventBridge Scheduler would refuse the expression. "
        "Nothing changes without --yes."
    )
    requires_system_checks: list[str] = []  # a schedule with a problem is listed with it

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="list|next|pause|resume|run")
        listed = commands.add_parser("list", help="All schedules with their next three runs and their last one.")
        listed.add_argument("--json", action="store_true", help="As JSON, times in the schedule's time zone.")
        coming = commands.add_parser("next", help="The next runs of an expression.")
        coming.add_argument("expression", help='"cron(0 7 * * ? *)", "rate(5 minutes)" or "at(2026-11-24T12:00:00)".')
        coming.add_argument("--time-zone", default="UTC", help="A name such as America/New_York (UTC).")
        coming.add_argument(
            "--count", type=int, default=NEXT_RUNS, help=f"Number of runs, 1 to {MAX_COUNT:,} ({NEXT_RUNS})."
        )
        coming.add_argument("--json", action="store_true", help="As JSON.")
        for name, what in _ACTIONS.items():
            parser = commands.add_parser(name, help=what)
            parser.add_argument("name", help="The schedule's name.")
            parser.add_argument("--yes", action="store_true", help="Do it; without, only show a preview.")
            parser.add_argument(
                "--as", default="", dest="actor", help="Your name for the audit table (the system's user)."
            )

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "list":
            self._list(as_json=options["json"])
        elif action == "next":
            self._next(options["expression"], options["time_zone"], options["count"], as_json=options["json"])
        else:
            try:
                if options["yes"]:
                    self.stdout.write(self._act(action, options["name"], options["actor"]))
                else:
                    self.stdout.write(self._preview(action, options["name"]))
            except OperationRefused as refused:
                raise CommandError(str(refused), returncode=refused.exit_code) from refused

    def _act(self, action: str, name: str, actor: str) -> str:
        if action == "run":
            return f"{name} runs as {run_now(name, command_actor(actor)).pk}."
        return f"{(pause if action == 'pause' else resume)(name, command_actor(actor))}."

    def _preview(self, action: str, name: str) -> str:
        schedule = find_schedule(name)
        if action == "run":
            if why := why_not_run_now(name):
                raise why
            return f"{schedule.task} would run once, now. Nothing was changed. Repeat with --yes to do it."
        deployed = deployed_state(name)
        state = deployed.why or f"{name} is {deployed.state.value}."
        return f"{state} Would {action} it. Nothing was changed. Repeat with --yes to do it."

    def _list(self, *, as_json: bool) -> None:
        standings = schedule_standings()
        if as_json:
            self.stdout.write(json.dumps([_as_json(standing) for standing in standings], indent=2))
            return
        self.stdout.write("\n\n".join("\n".join(_lines(standing)) for standing in standings))

    def _next(self, expression: str, time_zone: str, count: int, *, as_json: bool) -> None:
        problem = time_zone_problem(time_zone)
        if problem:
            raise CommandError(f"--time-zone: {problem}", returncode=_BAD_INPUT)
        if not 1 <= count <= MAX_COUNT:
            raise CommandError(
                f"--count: {count:,} is not 1 to {MAX_COUNT:,}. Give a number in this range.", returncode=_BAD_INPUT
            )
        try:
            runs = next_runs(expression, time_zone, timezone.now(), count)
        except ExpressionRefused as error:
            raise CommandError(str(error), returncode=_BAD_INPUT) from None
        zone = ZoneInfo(time_zone)
        if as_json:
            given = {"expression": expression, "time_zone": time_zone}
            self.stdout.write(json.dumps(given | {"next_runs": _in_zone(runs, zone)}, indent=2))
            return
        self.stdout.write("\n".join(_shown(run, zone) for run in runs) or f"{expression} never runs again.")


def _lines(standing: ScheduleStanding) -> Iterator[str]:
    schedule = standing.schedule
    zone = None if standing.problems else ZoneInfo(schedule.time_zone)
    yield f"{schedule.name}  {schedule.description}"
    yield f"  task      {schedule.task}"
    yield f"  runs      {schedule.expression} in {schedule.time_zone}{_window(schedule.flexible_window_minutes)}"
    yield from (f"  problem   {problem}" for problem in standing.problems)
    if zone:
        yield f"  next      {', '.join(_shown(run, zone) for run in standing.next_runs) or 'never'}"
    deadline = schedule.start_deadline_seconds
    yield f"  overlap   {schedule.overlap.value}"
    yield f"  deadline  {'none' if deadline is None else f'{deadline:,} s after its time'}"
    yield f"  last      {_last(standing, zone)}"


def _window(minutes: int) -> str:
    return f", within {minutes:,} minutes" if minutes else ""


def _last(standing: ScheduleStanding, zone: ZoneInfo | None) -> str:
    record = standing.last_run
    if record is None:
        return "not recorded yet"
    began = f" at {_shown(_begun_at(record), zone)}" if zone else ""
    return f"{record.pk} {record.status}{began}{f', skipped: {standing.skipped}' if standing.skipped else ''}"


def _begun_at(record: TaskRecord) -> datetime:
    return record.started_at or record.enqueued_at


def _shown(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def _in_zone(moments: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    return [moment.astimezone(zone).isoformat() for moment in moments]


def _as_json(standing: ScheduleStanding) -> dict[str, Any]:
    schedule, record = standing.schedule, standing.last_run
    zone = ZoneInfo("UTC" if standing.problems else schedule.time_zone)
    last_run = record and {
        "task_id": record.pk,
        "status": record.status,
        "began_at": _begun_at(record).astimezone(zone).isoformat(),
        "finished_at": record.finished_at and record.finished_at.astimezone(zone).isoformat(),
        "skipped": standing.skipped,
    }
    return {
        "name": schedule.name,
        "description": schedule.description,
        "task": schedule.task,
        "payload": dict(schedule.payload),
        "expression": schedule.expression,
        "time_zone": schedule.time_zone,
        "flexible_window_minutes": schedule.flexible_window_minutes,
        "overlap": schedule.overlap.value,
        "start_deadline_seconds": schedule.start_deadline_seconds,
        "problems": list(standing.problems),
        "next_runs": _in_zone(standing.next_runs, zone),
        "last_run": last_run,
    }
