"""manage.py executions: what became of tasks, and how those that failed are run again."""

import json
from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from qu_workflows.executions.acting import DEFAULT_PER_SECOND
from qu_workflows.executions.operations import (
    DIFFERENCE,
    REPEATED,
    Deeds,
    LeftOut,
    OperationFailed,
    OperationRefused,
    OperationStopped,
    PlannedRedrive,
    RedrivePlan,
    RestartPlan,
    check_redrive_pace,
    check_stop,
    inspect_task,
    plan_redrives,
    plan_redrives_of,
    plan_restarts,
    plan_restarts_of,
    plan_stops,
    redrive_all,
    restart_all,
    states_that_run_again,
    stop_all,
    task_history,
)
from qu_workflows.executions.queries import (
    DEFAULT_LIMIT,
    TaskFilter,
    find_record,
    list_tasks,
    nothing_matches,
    read_moment,
    records_of_report,
)
from qu_workflows.executions.stopping import DEFAULT_PER_SECOND as STOPS_PER_SECOND
from qu_workflows.executions.wording import as_json, events, inspected, printable, row_as_json, states, table, time_left
from qu_workflows.records.audit import command_actor
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.records.shutdown import stop_event

PREVIEWED = 50  # histories that a preview reads; AWS lets them be asked for 20 a second
MAX_LIMIT = 1_000_000
_HELP = f"""Tasks and their executions: what became of each, and what to do about it.

{DIFFERENCE[0]}
{DIFFERENCE[1]}
Nothing changes without --yes. Every redrive, stop and restart is written to the audit table.
A message that started no execution is not here: see manage.py dlq."""


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        from django.core.management.base import DjangoHelpFormatter

        class AsWritten(DjangoHelpFormatter):
            def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002  argparse's signature
                return text

        return super().create_parser(prog_name, subcommand, formatter_class=AsWritten, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="list|show|history|redrive|stop|restart")
        listed = commands.add_parser("list", help="Tasks, the newest first.")
        _add_filter(listed)
        listed.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help=f"At most so many ({DEFAULT_LIMIT}).")
        listed.add_argument("--after", default="", help="Those after a page: what its list ended with.")
        listed.add_argument("--json", action="store_true", help="As JSON.")
        _add_reference(commands.add_parser("show", help="One task: how it stands, where it is, what to do."))
        told = commands.add_parser("history", help="The states that an execution entered, and how each ended.")
        _add_reference(told)
        told.add_argument("--events", action="store_true", help="Every event of it instead.")
        self._add_acts(commands)

    def _add_acts(self, commands: Any) -> None:
        redriven = commands.add_parser("redrive", help="Let failed executions go on where they failed. Preview first.")
        _add_chosen(redriven)
        _add_act(redriven, DEFAULT_PER_SECOND)
        stopped = commands.add_parser("stop", help="End running executions as ABORTED. Preview first.")
        stopped.add_argument("ids", nargs="+", metavar="ID", help="A task's id, or its execution's ARN.")
        stopped.add_argument("--reason", required=True, help="Why; it becomes the execution's cause.")
        _add_act(stopped, STOPS_PER_SECOND)
        restarted = commands.add_parser("restart", help="Run tasks again as new executions. Preview first.")
        _add_chosen(restarted)
        restarted.add_argument("--even-succeeded", action="store_true", help="Also what succeeded: it is done twice.")
        _add_act(restarted, None)

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            with stop_event() as stop:
                getattr(self, f"_{action}")(options, stop)
        except OperationRefused as error:
            raise CommandError(str(error), returncode=error.exit_code) from error

    def _list(self, options: dict[str, Any], _stop: Event) -> None:
        chosen = _filter(options)
        page = list_tasks(chosen, _limit(options) or DEFAULT_LIMIT, options["after"])
        if not page.rows:
            raise nothing_matches(chosen)
        now = timezone.now()
        if options["json"]:
            rows = [row_as_json(row, now) for row in page.rows]
            self._json({"tasks": rows, "next_page": page.next_page})
            return
        self._lines(table(page.rows, now))
        if page.next_page:
            self.stdout.write(f"There are more: --after {page.next_page}")

    def _show(self, options: dict[str, Any], stop: Event) -> None:
        found = inspect_task(_record(options), stop)
        if options["json"]:
            self._json(as_json(found))
            return
        self._lines(inspected(found))

    def _history(self, options: dict[str, Any], stop: Event) -> None:
        history = task_history(_record(options), stop)
        if options["json"]:
            shown = as_json(history)
            self._json(shown if options["events"] else {name: shown[name] for name in ("status", "redrives", "visits")})
            return
        self._lines(events(history) if options["events"] else states(history, timezone.now()))

    def _redrive(self, options: dict[str, Any], stop: Event) -> None:
        actor = command_actor(options["actor"])
        by_id = _is_by_id(options)
        check_redrive_pace(options["per_second"])
        plan = plan_redrives_of(options["ids"], stop) if by_id else plan_redrives(_filter(options), _limit(options))
        if not options["yes"]:
            self._preview_redrives(plan, options["per_second"], stop)
            return
        self._say_left_out(plan.left_out)
        self._report("redriven", redrive_all(plan, actor, options["per_second"], stop))

    def _preview_redrives(self, plan: RedrivePlan, per_second: float, stop: Event) -> None:
        seconds = timedelta(seconds=round(len(plan.redrives) / per_second))
        self.stdout.write(f"Would redrive {len(plan.redrives):,} executions, {per_second:g} a second ({seconds}):")
        for planned in plan.redrives[:PREVIEWED]:
            if stop.is_set():
                break
            self.stdout.write(f"  {_planned_line(planned, stop)}")
        if len(plan.redrives) > PREVIEWED:
            self.stdout.write(f"  and {len(plan.redrives) - PREVIEWED:,} more")
        self._say_left_out(plan.left_out)
        self._end_preview({planned.workflow for planned in plan.redrives})

    def _stop(self, options: dict[str, Any], stop: Event) -> None:
        actor = command_actor(options["actor"])
        check_stop(options["reason"], options["per_second"])
        stops = plan_stops(options["ids"])
        if not options["yes"]:
            self.stdout.write(f"Would stop {len(stops):,} executions, which end as ABORTED:")
            self._lines([f"  {planned.task_id} {planned.workflow}" for planned in stops])
            self.stdout.write("What they have done stays done; they can be redriven or restarted after it.")
            self.stdout.write("Nothing was changed. Give --yes to do it.")
            return
        self._report("stopped", stop_all(stops, actor, options["reason"], options["per_second"], stop))

    def _restart(self, options: dict[str, Any], stop: Event) -> None:
        actor, even = command_actor(options["actor"]), options["even_succeeded"]
        if _is_by_id(options):
            plan = plan_restarts_of(options["ids"], even_succeeded=even)
        else:
            plan = plan_restarts(_filter(options), _limit(options), even_succeeded=even)
        if not options["yes"]:
            self._preview_restarts(plan)
            return
        self._say_left_out(plan.left_out)
        self._report("restarted", restart_all(plan, actor, even_succeeded=even, stop=stop))

    def _preview_restarts(self, plan: RestartPlan) -> None:
        self.stdout.write(f"Would restart {len(plan.restarts):,} tasks, each from its first state:")
        for planned in plan.restarts[:PREVIEWED]:
            twice = ", which SUCCEEDED: all of it is done twice" if planned.status == TaskStatus.SUCCEEDED else ""
            self.stdout.write(f"  {planned.task_id} {planned.task} as {planned.new_id}{twice}")
        if len(plan.restarts) > PREVIEWED:
            self.stdout.write(f"  and {len(plan.restarts) - PREVIEWED:,} more")
        self._say_left_out(plan.left_out)
        self._end_preview({planned.workflow for planned in plan.restarts})

    def _end_preview(self, workflows: set[str]) -> None:
        self._lines([*DIFFERENCE, *(f"{name}: {REPEATED[name]}" for name in sorted(workflows & REPEATED.keys()))])
        self.stdout.write("Nothing was changed. Give --yes to do it.")

    def _say_left_out(self, left_out: Sequence[LeftOut]) -> None:
        if left_out:
            self.stdout.write(f"{len(left_out):,} that fit are left out:")
            self._lines([f"  {one}" for one in left_out[:PREVIEWED]])
            if len(left_out) > PREVIEWED:
                self.stdout.write(f"  and {len(left_out) - PREVIEWED:,} more")

    def _report(self, what: str, deeds: Deeds) -> None:
        self._lines([printable(f"{deed.task_id}: {deed.said}") for deed in deeds.done])
        self.stdout.write(f"{len(deeds.done):,} {what}. In the audit table as batch {deeds.batch}.")
        ends = [printable(f"{deed.task_id} was not {what}: {deed.said}") for deed in deeds.failed]
        if deeds.not_tried:
            ends.append(
                f"{len(deeds.not_tried):,} were not tried, from {deeds.not_tried[0]} on. Run it again for them."
            )
        if ends:
            raise CommandError("\n".join(ends), returncode=1 if deeds.failed else OperationStopped.exit_code)

    def _lines(self, lines: Sequence[str]) -> None:
        self.stdout.writelines(f"{line}\n" for line in lines)

    def _json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2))


def _add_filter(parser: CommandParser) -> None:
    which = parser.add_argument_group("which tasks: those that fit all of")
    which.add_argument("--workflow", default="", help="Of this workflow.")
    which.add_argument("--task", default="", help="Of this task.")
    which.add_argument("--status", nargs="+", default=[], help=f"In one of these: {', '.join(TaskStatus.values)}.")
    which.add_argument("--since", default="", help="Enqueued since: 2026-11-24T08:00, or 30m, 2h, 3d ago.")
    which.add_argument("--until", default="", help="Enqueued before.")
    which.add_argument("--error", default="", help="Ended by this error, as ReportNotFound.")
    which.add_argument("--report", type=int, help="About this report.")
    which.add_argument("--schedule", default="", help="Runs of this schedule.")


def _add_chosen(parser: CommandParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="A task's id, or its execution's ARN; or choose by:")
    _add_filter(parser)
    parser.add_argument("--limit", type=int, help="At most so many of those, the newest first.")


def _add_reference(parser: CommandParser) -> None:
    parser.add_argument("id", nargs="?", default="", help="A task's id, or its execution's ARN.")
    parser.add_argument("--report", type=int, help="The newest task about this report.")
    parser.add_argument("--json", action="store_true", help="As JSON.")


def _add_act(parser: CommandParser, per_second: float | None) -> None:
    if per_second is not None:
        parser.add_argument("--per-second", type=float, default=per_second, help=f"How many a second ({per_second:g}).")
    parser.add_argument("--yes", action="store_true", help="Do it; without, only say what would be done.")
    parser.add_argument("--as", default="", dest="actor", help="Who does it, for the audit table (the system's user).")


def _filter(options: dict[str, Any]) -> TaskFilter:
    return TaskFilter(
        workflow=options["workflow"],
        task=options["task"],
        statuses=tuple(status.upper() for status in options["status"]),
        since=read_moment(options["since"], "--since") if options["since"] else None,
        until=read_moment(options["until"], "--until") if options["until"] else None,
        error=options["error"],
        report_id=options["report"],
        schedule=options["schedule"],
    )


def _is_by_id(options: dict[str, Any]) -> bool:
    """Return whether tasks are chosen by id. Raises OperationRefused for both ways at once, or neither."""
    is_filtered = not _filter(options).is_empty
    if options["ids"] and (is_filtered or options["limit"] is not None):
        raise OperationRefused("executions", "is given ids and a filter.", "Give one of the two.")
    if not options["ids"] and not is_filtered:
        raise OperationRefused("executions", "is not told which tasks.", "Give ids, or a filter such as --since 2h.")
    return bool(options["ids"])


def _limit(options: dict[str, Any]) -> int | None:
    limit: int | None = options["limit"]
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise OperationRefused("--limit", f"is {limit}.", f"Give 1 to {MAX_LIMIT:,}.")
    return limit


def _record(options: dict[str, Any]) -> TaskRecord:
    if bool(options["id"]) == (options["report"] is not None):
        raise OperationRefused("executions", "is not told which task.", "Give an id or --report, one of the two.")
    return find_record(options["id"]) if options["id"] else records_of_report(options["report"])[0]


def _planned_line(planned: PlannedRedrive, stop: Event) -> str:
    try:
        again = ", ".join(states_that_run_again(planned, stop)) or "its start"
    except OperationFailed:
        raise
    except OperationRefused as refused:
        return f"{planned.task_id} will be refused: {refused}"
    left = time_left((planned.redrivable_until - timezone.now()).total_seconds() / 86_400)
    return f"{planned.task_id} {planned.workflow} {printable(planned.error)}, {left} left, from: {again}"
