"""manage.py executions: lists and shows tasks, and redrives, restarts and stops their executions."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
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
from qu_workflows.executions.queries import (
    DIFFERENCE,
    NoSuchPage,
    TaskFilter,
    find_record,
    inspect_task,
    nothing_matches,
    read_moment,
    row_of,
    search_tasks,
    task_history,
)
from qu_workflows.executions.services import (
    PER_SECOND,
    ActionPlan,
    ActionResults,
    BulkAction,
    check_pace,
    check_reason,
    plan_matching,
    plan_named,
    run_plan,
    states_that_run_again,
)
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused, OperationStopped
from qu_workflows.records.audit import command_actor
from qu_workflows.records.json_values import printable, to_json
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.records.shutdown import stop_event

DEFAULT_LIMIT = 50
PREVIEWED = 50  # histories that a preview reads; AWS lets them be asked for 20 a second
MAX_LIMIT = 1_000_000
_HELP = f"""Tasks and their executions: how each stands, and what to do about it.

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
        history = commands.add_parser("history", help="The states that an execution entered, and how each ended.")
        _add_reference(history)
        history.add_argument("--events", action="store_true", help="Every event of it instead.")
        self._add_acts(commands)

    def _add_acts(self, commands: Any) -> None:
        redriven = commands.add_parser("redrive", help="Let failed executions go on where they failed. Preview first.")
        _add_chosen(redriven)
        _add_act(redriven, PER_SECOND[BulkAction.REDRIVE])
        stopped = commands.add_parser("stop", help="End running executions as ABORTED. Preview first.")
        stopped.add_argument("ids", nargs="+", metavar="ID", help="A task's id, or its execution's ARN.")
        stopped.add_argument("--reason", required=True, help="Why; it becomes the execution's cause.")
        _add_act(stopped, PER_SECOND[BulkAction.STOP])
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
        try:
            page = search_tasks(chosen, after=options["after"], limit=_limit(options) or DEFAULT_LIMIT)
        except NoSuchPage:
            given = options["after"][:80]
            raise OperationRefused(
                "--after", f"{given!r} is no page.", "Give what the list before ended with."
            ) from None
        if not page.rows:
            raise nothing_matches(chosen)
        if options["json"]:
            self._json({"tasks": [row_as_json(row) for row in page.rows], "next_page": page.older})
            return
        self._lines(table(page.rows))
        if page.older:
            self.stdout.write(f"There are more: --after {page.older}")

    def _show(self, options: dict[str, Any], stop: Event) -> None:
        found = inspect_task(_record(options), stop)
        if options["json"]:
            self._json(inspection_as_json(found))
            return
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
        self.stdout.write("What they have done stays done; they can be redriven or restarted after it.")
        self.stdout.write("Nothing was changed. Give --yes to do it.")

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
        self._end_preview({record.workflow for record in plan.records})

    def _end_preview(self, workflows: set[str]) -> None:
        repeated = registered_hooks().repeated_effects
        self._lines([*DIFFERENCE, *(f"{name}: {repeated[name]}" for name in sorted(workflows & repeated.keys()))])
        self.stdout.write("Nothing was changed. Give --yes to do it.")

    def _say_left_out(self, plan: ActionPlan) -> None:
        if plan.left_out:
            self.stdout.write(f"{len(plan.left_out):,} that fit are left out:")
            self._lines([f"  {one}" for one in plan.left_out[:PREVIEWED]])
            if len(plan.left_out) > PREVIEWED:
                self.stdout.write(f"  and {len(plan.left_out) - PREVIEWED:,} more")

    def _report(self, what: str, results: ActionResults) -> None:
        self._lines([printable(f"{result.task_id}: {result.message}") for result in results.done])
        self.stdout.write(f"{len(results.done):,} {what}. In the audit table as batch {results.batch}.")
        ends = [printable(f"{result.task_id} was not {what}: {result.message}") for result in results.failed]
        if results.not_tried:
            ends.append(
                f"{len(results.not_tried):,} were not tried, from {results.not_tried[0]} on. Run it again for them."
            )
        if ends:
            raise CommandError("\n".join(ends), returncode=1 if results.failed else OperationStopped.exit_code)

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
    _add_subject(which, "About this {}.")
    which.add_argument("--schedule", default="", help="Runs of this schedule.")


def _add_subject(parser: Any, text: str) -> None:
    subject = registered_hooks().subject
    parser.add_argument(f"--{subject}", type=int, dest="subject", help=text.format(subject))


def _add_chosen(parser: CommandParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="A task's id, or its execution's ARN; or choose by:")
    _add_filter(parser)
    parser.add_argument("--limit", type=int, help="At most so many of those, the newest first.")


def _add_reference(parser: CommandParser) -> None:
    parser.add_argument("id", nargs="?", default="", help="A task's id, or its execution's ARN.")
    _add_subject(parser, "The newest task about this {}.")
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
        errors=(options["error"],) if options["error"] else None,
        subject_ids=None if options["subject"] is None else (options["subject"],),
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
    subject = registered_hooks().subject
    if bool(options["id"]) == (options["subject"] is not None):
        raise OperationRefused("executions", "is not told which task.", f"Give an id or --{subject}, one of the two.")
    if options["id"]:
        return find_record(options["id"])
    chosen = TaskFilter(subject_ids=(options["subject"],))
    record = chosen.records().first()
    if record is None:
        raise nothing_matches(chosen)
    return record


def _redrive_line(record: TaskRecord, stop: Event) -> str:
    try:
        again = ", ".join(states_that_run_again(record, stop)) or "its start"
    except OperationFailed:
        raise
    except OperationRefused as refused:
        return f"{record.pk} will be refused: {refused}"
    left = time_left(row_of(record).days_left)
    return f"{record.pk} {record.workflow} {printable(record.error)}, {left} left, from: {again}"


def _restart_line(record: TaskRecord, new_id: str) -> str:
    twice = ", which SUCCEEDED: all of it is done twice" if record.status == TaskStatus.SUCCEEDED else ""
    return f"{record.pk} {record.task} as {new_id}{twice}"
