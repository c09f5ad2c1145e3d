"""``manage.py executions``: list and show tasks, redrive, restart and stop executions."""

import json
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.utils import timezone

from qu_workflows.executions.hooks import registered_hooks
from qu_workflows.executions.management.terminal import (
    events,
    inspected,
    inspection_as_json,
    row_as_json,
    states,
    table,
    time_left,
)
from qu_workflows.executions.queries import DIFFERENCE, inspect_task, task_history
from qu_workflows.executions.redriving import states_that_run_again
from qu_workflows.executions.search import (
    NoSuchPage,
    TaskFilter,
    find_record,
    nothing_matches,
    read_moment,
    row_of,
    search_tasks,
)
from qu_workflows.executions.services import (
    PER_SECOND,
    ActionPlan,
    ActionResults,
    BulkAction,
    check_pace,
    plan_matching,
    plan_named,
    run_plan,
)
from qu_workflows.executions.stopping import check_reason
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused, OperationStopped
from qu_workflows.records.audit import command_actor
from qu_workflows.records.json_values import printable, to_json
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.records.shutdown import stop_event

DEFAULT_LIMIT = 50
PREVIEWED = 50  # histories that a preview reads; AWS allows 20 a second
MAX_LIMIT = 1_000_000
_HELP = f"""Lists tasks and their executions, and redrives, restarts and stops them.

{DIFFERENCE[0]}
{DIFFERENCE[1]}
Nothing changes without --yes. Every redrive, stop and restart is recorded in the audit table.
For messages that started no execution, see manage.py dlq."""

_UNCHANGED = "Nothing was changed. Add --yes to do it."


class _KeepLines(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the line breaks of the help text."""


class Command(BaseCommand):
    help = _HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=_KeepLines, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True, metavar="list|show|history|redrive|stop|restart")
        listed = commands.add_parser("list", help="List tasks, newest first.")
        _add_filter(listed)
        listed.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help=f"Maximum number ({DEFAULT_LIMIT}).")
        listed.add_argument("--after", default="", help="Continue after a page: the value printed at its end.")
        listed.add_argument("--json", action="store_true", help="Print JSON.")
        _add_reference(commands.add_parser("show", help="Show one task: its status, current states and next actions."))
        history = commands.add_parser("history", help="Show the states that an execution entered, and their outcomes.")
        _add_reference(history)
        history.add_argument("--events", action="store_true", help="Show every event instead.")
        self._add_acts(commands)

    def _add_acts(self, commands: Any) -> None:
        redriven = commands.add_parser("redrive", help="Continue failed executions from their failed states.")
        _add_chosen(redriven)
        _add_act(redriven, PER_SECOND[BulkAction.REDRIVE])
        stopped = commands.add_parser("stop", help="Stop running executions, which end as ABORTED.")
        stopped.add_argument("ids", nargs="+", metavar="ID", help="A task id or execution ARN.")
        stopped.add_argument("--reason", required=True, help="The reason, which becomes the execution's cause.")
        _add_act(stopped, PER_SECOND[BulkAction.STOP])
        restarted = commands.add_parser("restart", help="Run tasks again as new executions.")
        _add_chosen(restarted)
        restarted.add_argument("--even-succeeded", action="store_true", help="Also restart succeeded tasks.")
        _add_act(restarted, None)

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            with stop_event() as stop:
                getattr(self, f"_{action}")(options, stop)
        except OperationRefused as error:
            raise CommandError(str(error), returncode=error.exit_code) from error

    def _list(self, options: dict[str, Any], _stop: Event) -> None:
        chosen = _filter(options)
        try:
            page = search_tasks(chosen, after=options["after"], limit=_limit(options) or DEFAULT_LIMIT)
        except NoSuchPage:
            problem = f"{options['after'][:80]!r} is not the cursor of a page."
            raise OperationRefused("--after", problem, "Use the value printed at the end of a list.") from None
        if not page.rows:
            raise nothing_matches(chosen)
        if options["json"]:
            self._json({"tasks": [row_as_json(row) for row in page.rows], "next_page": page.older})
            return
        self._lines(table(page.rows))
        if page.older:
            self.stdout.write(f"For more: --after {page.older}")

    def _show(self, options: dict[str, Any], stop: Event) -> None:
        found = inspect_task(_record(options), stop)
        if options["json"]:
            self._json(inspection_as_json(found))
        else:
            self._lines(inspected(found))

    def _history(self, options: dict[str, Any], stop: Event) -> None:
        history = task_history(_record(options), stop)
        if options["json"]:
            shown = to_json(history)
            if not options["events"]:
                del shown["events"]
            self._json(shown)
            return
        self._lines(events(history) if options["events"] else states(history, timezone.now()))

    def _redrive(self, options: dict[str, Any], stop: Event) -> None:
        actor, per_second = command_actor(options["actor"]), options["per_second"]
        by_id = _is_by_id(options)
        check_pace(BulkAction.REDRIVE, per_second)
        plan = self._plan(BulkAction.REDRIVE, options, stop, by_id=by_id)
        if options["yes"]:
            self._say_left_out(plan)
            self._report("redriven", run_plan(BulkAction.REDRIVE, plan, actor, per_second=per_second, stop=stop))
            return
        seconds = timedelta(seconds=round(len(plan.records) / per_second))
        self.stdout.write(f"Would redrive {len(plan.records):,} executions, {per_second:g} a second ({seconds}):")
        self._preview(plan, (_redrive_line(record, stop) for record in plan.records))

    def _stop(self, options: dict[str, Any], stop: Event) -> None:
        actor, reason, per_second = command_actor(options["actor"]), options["reason"], options["per_second"]
        check_reason(reason)
        check_pace(BulkAction.STOP, per_second)
        plan = plan_named(BulkAction.STOP, options["ids"])
        if options["yes"]:
            results = run_plan(BulkAction.STOP, plan, actor, reason=reason, per_second=per_second, stop=stop)
            self._report("stopped", results)
            return
        self.stdout.write(f"Would stop {len(plan.records):,} executions, which end as ABORTED:")
        self._lines([f"  {record.pk} {record.workflow}" for record in plan.records])
        self.stdout.write("Completed work is kept; they can be redriven or restarted afterwards.")
        self.stdout.write(_UNCHANGED)

    def _restart(self, options: dict[str, Any], stop: Event) -> None:
        actor, even = command_actor(options["actor"]), options["even_succeeded"]
        plan = self._plan(BulkAction.RESTART, options, stop, by_id=_is_by_id(options), even_succeeded=even)
        if options["yes"]:
            self._say_left_out(plan)
            self._report("restarted", run_plan(BulkAction.RESTART, plan, actor, even_succeeded=even, stop=stop))
            return
        self.stdout.write(f"Would restart {len(plan.records):,} tasks, each from its first state:")
        self._preview(plan, (_restart_line(record, plan.new_ids[record.pk]) for record in plan.records))

    def _plan(
        self, action: BulkAction, options: dict[str, Any], stop: Event, *, by_id: bool, even_succeeded: bool = False
    ) -> ActionPlan:
        if by_id:
            return plan_named(action, options["ids"], even_succeeded=even_succeeded, stop=stop)
        return plan_matching(action, _filter(options), _limit(options), even_succeeded=even_succeeded)

    def _preview(self, plan: ActionPlan, lines: Iterator[str]) -> None:
        self.stdout.writelines(f"  {line}\n" for line in islice(lines, PREVIEWED))
        if len(plan.records) > PREVIEWED:
            self.stdout.write(f"  and {len(plan.records) - PREVIEWED:,} more")
        self._say_left_out(plan)
        workflows, repeated = {record.workflow for record in plan.records}, registered_hooks().repeated_effects
        self._lines([*DIFFERENCE, *(f"{name}: {repeated[name]}" for name in sorted(workflows & repeated.keys()))])
        self.stdout.write(_UNCHANGED)

    def _say_left_out(self, plan: ActionPlan) -> None:
        if plan.left_out:
            self.stdout.write(f"{len(plan.left_out):,} matching tasks are left out:")
            self._lines([f"  {one}" for one in plan.left_out[:PREVIEWED]])
            if len(plan.left_out) > PREVIEWED:
                self.stdout.write(f"  and {len(plan.left_out) - PREVIEWED:,} more")

    def _report(self, what: str, results: ActionResults) -> None:
        self._lines([printable(f"{result.task_id}: {result.message}") for result in results.done])
        self.stdout.write(f"{len(results.done):,} {what}. In the audit table as batch {results.batch}.")
        ends = [printable(f"{result.task_id} was not {what}: {result.message}") for result in results.failed]
        if results.not_tried:
            first, count = results.not_tried[0], len(results.not_tried)
            ends.append(f"{count:,} were not tried, from {first} on. Run the command again for them.")
        if ends:
            raise CommandError("\n".join(ends), returncode=1 if results.failed else OperationStopped.exit_code)

    def _lines(self, lines: Sequence[str]) -> None:
        self.stdout.writelines(f"{line}\n" for line in lines)

    def _json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2))


def _add_filter(parser: CommandParser) -> None:
    which = parser.add_argument_group("filters, all of which must match")
    which.add_argument("--workflow", default="", help="Tasks of this workflow.")
    which.add_argument("--task", default="", help="Tasks of this name.")
    which.add_argument("--status", nargs="+", default=[], help=f"Any of: {', '.join(TaskStatus.values)}.")
    which.add_argument("--since", default="", help="Enqueued since: 2026-11-24T08:00, or 30m, 2h, 3d ago.")
    which.add_argument("--until", default="", help="Enqueued before a time.")
    which.add_argument("--error", default="", help="Failed with this error, such as ReportNotFound.")
    _add_subject(which, "Tasks about this {}.")
    which.add_argument("--schedule", default="", help="Runs of this schedule.")


def _add_subject(parser: Any, text: str) -> None:
    subject = registered_hooks().subject
    parser.add_argument(f"--{subject}", type=int, dest="subject", help=text.format(subject))


def _add_chosen(parser: CommandParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="Task ids or execution ARNs; or select by:")
    _add_filter(parser)
    parser.add_argument("--limit", type=int, help="Maximum number of tasks, newest first.")


def _add_reference(parser: CommandParser) -> None:
    parser.add_argument("id", nargs="?", default="", help="A task id or execution ARN.")
    _add_subject(parser, "The newest task about this {}.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")


def _add_act(parser: CommandParser, per_second: float | None) -> None:
    if per_second is not None:
        parser.add_argument("--per-second", type=float, default=per_second, help=f"Maximum rate ({per_second:g}).")
    parser.add_argument("--yes", action="store_true", help="Do it; without it, only preview.")
    parser.add_argument("--as", default="", dest="actor", help="Actor in the audit table (the system's user).")


def _filter(options: dict[str, Any]) -> TaskFilter:
    return TaskFilter(
        workflow=options["workflow"],
        task=options["task"],
        statuses=tuple(status.upper() for status in options["status"]),
        since=read_moment(options["since"], "--since") if options["since"] else None,
        until=read_moment(options["until"], "--until") if options["until"] else None,
        errors=(options["error"],) if options["error"] else None,
        subject_ids=None if options["subject"] is None else (options["subject"],),
        schedule=options["schedule"],
    )


def _is_by_id(options: dict[str, Any]) -> bool:
    """Return whether tasks are selected by id. Raises OperationRefused for ids and filters, or neither."""
    is_filtered = _filter(options) != TaskFilter()
    if options["ids"] and (is_filtered or options["limit"] is not None):
        raise OperationRefused("executions", "has both ids and a filter.", "Use one of the two.")
    if not options["ids"] and not is_filtered:
        raise OperationRefused("executions", "has no ids and no filter.", "Add ids, or a filter such as --since 2h.")
    return bool(options["ids"])


def _limit(options: dict[str, Any]) -> int | None:
    limit: int | None = options["limit"]
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise OperationRefused("--limit", f"is {limit}.", f"Use 1 to {MAX_LIMIT:,}.")
    return limit


def _record(options: dict[str, Any]) -> TaskRecord:
    subject = registered_hooks().subject
    if bool(options["id"]) == (options["subject"] is not None):
        raise OperationRefused("executions", "needs exactly one task.", f"Add either an id or --{subject}.")
    if options["id"]:
        return find_record(options["id"])
    chosen = TaskFilter(subject_ids=(options["subject"],))
    record = chosen.records().first()
    if record is None:
        raise nothing_matches(chosen)
    return record


def _redrive_line(record: TaskRecord, stop: Event) -> str:
    try:
        again = ", ".join(states_that_run_again(record, stop)) or "the start"
    except OperationFailed:
        raise
    except OperationRefused as refused:
        return f"{record.pk} will be refused: {refused}"
    left = time_left(row_of(record).days_left)
    return f"{record.pk} {record.workflow} {printable(record.error)}, {left} left, from: {again}"


def _restart_line(record: TaskRecord, new_id: str) -> str:
    twice = ", which SUCCEEDED: its work is done twice" if record.status == TaskStatus.SUCCEEDED else ""
    return f"{record.pk} {record.task} as {new_id}{twice}"
