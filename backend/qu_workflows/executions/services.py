"""Redrives, restarts and stops executions; the single actions are in modules of their own.

Many executions are a plan that can be shown, then one action after the other, at a pace. The command runs a whole
plan: ``plan_named`` or ``plan_matching``, then ``run_plan``. A page runs portions: ``preview_bulk``, then ``run_bulk``,
which acts for some seconds and returns the cursor of the next portion. So no request lasts for minutes, a closed page
stops the work, no worker needs the right to stop executions, and whatever a crash leaves undone is still in the list.

What cannot be done raises OperationRefused, whose text is a sentence for the user. Every action is in the audit table;
all of one call has one batch there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Event, Timer
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from qu_workflows.aws.pacing import DESCRIBE, HISTORY, REDRIVE, STOP, Pace, check_per_second
from qu_workflows.executions.hooks import registered_hooks
from qu_workflows.executions.redrivability import at_step_functions, redrivable
from qu_workflows.executions.redriving import (
    AlreadyRedriven,
    checked_at_aws,
    redrive_checked,
    redrive_one,
    states_that_run_again,
    why_not_redrivable_each,
)
from qu_workflows.executions.restarting import restart_message, restart_one, restartable_among
from qu_workflows.executions.samples import keep_sample, sample_histories
from qu_workflows.executions.search import (
    LARGE_FIELDS,
    TaskFilter,
    TaskRow,
    bounded_count,
    cursor_of,
    find_records,
    nothing_matches,
    older_than,
    row_of,
)
from qu_workflows.executions.snapshots import expire_snapshot
from qu_workflows.executions.step_functions import StepFunctionsNotReached
from qu_workflows.executions.stopping import check_reason, stop_one, why_not_stoppable
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused, OperationStopped
from qu_workflows.records.audit import new_batch
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

__all__ = [
    "HISTORIES_PREVIEWED",
    "PER_SECOND",
    "AlreadyRedriven",
    "BulkAction",
    "BulkPreview",
    "BulkProgress",
    "BulkSelection",
    "expire_snapshot",
    "keep_sample",
    "plan_matching",
    "plan_named",
    "preview_bulk",
    "redrive_one",
    "remaining",
    "restart_one",
    "run_bulk",
    "run_plan",
    "sample_histories",
    "stop_one",
]

PORTION = 100
PORTION_SECONDS = 8.0
MAX_TICKED = 200
SHOWN = 100
HISTORIES_PREVIEWED = 20  # AWS lets 20 be read a second
PREVIEW_SECONDS = 3.0


class BulkAction(StrEnum):
    """An action on many executions."""

    REDRIVE = "redrive"
    RESTART = "restart"
    STOP = "stop"


# Restarts are paced by the outbox and the dispatcher; this limit only protects the database.
PER_SECOND = {BulkAction.REDRIVE: 20.0, BulkAction.RESTART: 100.0, BulkAction.STOP: 10.0}
_QUOTAS = {BulkAction.REDRIVE: REDRIVE, BulkAction.STOP: STOP}


@dataclass(frozen=True)
class ActionPlan:
    """The tasks of an action, in order, and why others are left out.

    ``new_ids`` maps task ids to the ids of their new attempts, for a restart.
    """

    records: Sequence[TaskRecord]
    left_out: Sequence[OperationRefused] = ()
    new_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionResult:
    """The result of an action on one task."""

    task_id: str
    message: str


@dataclass
class ActionResults:
    """The results by task, all in the audit table under ``batch``."""

    batch: UUID = field(default_factory=new_batch)
    done: list[ActionResult] = field(default_factory=list)
    failed: list[ActionResult] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LeftOut:
    """A selected task that the action does not apply to, and why, in sentences."""

    task_id: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class BulkSelection:
    """The tasks of an action: ``ids``, else all that match ``chosen`` and support it.

    Excludes tasks that were enqueued, started or ended after ``as_of``, the time of the selection.
    """

    action: BulkAction
    as_of: datetime
    ids: Sequence[str] = ()
    chosen: TaskFilter | None = None


@dataclass(frozen=True)
class PreviewedTask:
    """A task of the action; ``again`` says what will run, if known."""

    task: TaskRow
    again: str = ""


@dataclass(frozen=True)
class BulkPreview:
    """The preview of an action.

    ``count`` is the number of tasks it applies to, at most ``search.COUNTED``; ``is_more`` if there are more.
    ``fitting`` counts all that match the filter. ``tasks`` are the first ``SHOWN``.
    """

    act: BulkAction
    count: int
    is_more: bool
    fitting: int
    tasks: Sequence[PreviewedTask]
    left_out: Sequence[LeftOut]
    seconds: float
    notes: Sequence[str]


@dataclass(frozen=True)
class BulkProgress:
    """The results of one portion.

    ``after`` is the cursor of the next one, "" if all is done.
    ``halted``: Step Functions was not reached, or every action of the portion failed, so a person has to decide.
    """

    batch: UUID
    done: Sequence[ActionResult]
    failed: Sequence[ActionResult]
    left_out: Sequence[LeftOut]
    after: str
    halted: bool


def plan_named(
    action: BulkAction, references: Sequence[str], *, even_succeeded: bool = False, stop: Event | None = None
) -> ActionPlan:
    """Return the plan for tasks given by id or ARN, all or none.

    A redrive checks each with AWS. Raises OperationRefused with the reason of each task that the action does not
    apply to; for a redrive also StepFunctionsNotReached, and OperationStopped once ``stop`` is set.
    """
    records = find_records(references)
    if action is BulkAction.REDRIVE:
        plan = _plan_checked_redrives(records, stop)
    else:
        plan = plan_among(action, records, even_succeeded=even_succeeded)
    _refuse_all(plan.left_out, len(records))
    return plan


def plan_matching(
    action: BulkAction, chosen: TaskFilter, limit: int | None = None, *, even_succeeded: bool = False
) -> ActionPlan:
    """Return the plan for tasks that match a filter, newest first.

    A filter without a status matches those that failed, timed out or were aborted. Raises OperationRefused if none
    matches, or the action applies to none of them.
    """
    chosen.check()
    found = chosen.records() if chosen.statuses else chosen.records().filter(status__in=UNSUCCESSFUL)
    if action is BulkAction.RESTART:
        plan = plan_among(action, found[:limit].iterator(chunk_size=PORTION), even_succeeded=even_succeeded)
    else:
        plan = plan_among(action, found.defer(*LARGE_FIELDS)[:limit])
    if not plan.records and not plan.left_out:
        what = "redrivable execution" if action is BulkAction.REDRIVE else "restartable task"
        raise nothing_matches(chosen, what)
    if not plan.records:
        _refuse_all(plan.left_out, len(plan.left_out))
    return plan


def plan_among(action: BulkAction, records: Iterable[TaskRecord], *, even_succeeded: bool = False) -> ActionPlan:
    """Return the plan for records, which may leave out all of them."""
    if action is BulkAction.RESTART:
        by_new_id, refusals = restartable_among(records, even_succeeded=even_succeeded)
        return ActionPlan(
            tuple(by_new_id.values()), tuple(refusals), {record.pk: new_id for new_id, record in by_new_id.items()}
        )
    records = list(records)
    if action is BulkAction.REDRIVE:
        refused = why_not_redrivable_each(records)
    else:
        refused = {record.pk: why for record in records if (why := why_not_stoppable(record))}
    return ActionPlan(tuple(record for record in records if record.pk not in refused), tuple(refused.values()))


def check_pace(action: BulkAction, per_second: float) -> None:
    """Raise OperationRefused for an invalid pace, or one above AWS's quota."""
    if action in _QUOTAS:
        check_per_second(per_second, _QUOTAS[action], settings.AWS_REGION)


def run_plan(
    action: BulkAction,
    plan: ActionPlan,
    actor: str,
    *,
    reason: str = "",
    even_succeeded: bool = False,
    per_second: float | None = None,
    stop: Event | None = None,
    batch: UUID | None = None,
) -> ActionResults:
    """Run an action on each task of a plan, one after the other.

    A refused task is a failure of its own; once Step Functions is not reached, or ``stop`` is set, the rest are not
    tried. ``batch`` continues an earlier call. Safe to repeat: redrives within 15 minutes count once, a restart is
    refused while an attempt is in progress, and a stopped execution keeps its end. Raises OperationRefused for a pace
    above AWS's quota, or a stop without a reason.
    """
    per_second = PER_SECOND[action] if per_second is None else per_second
    check_pace(action, per_second)
    if action is BulkAction.STOP:
        check_reason(reason)
    batch = batch or new_batch()
    act: Mapping[BulkAction, Callable[[TaskRecord], str]] = {
        BulkAction.REDRIVE: lambda record: redrive_checked(record, actor, batch=batch, stop=stop),
        BulkAction.RESTART: lambda record: restart_message(
            restart_one(record, actor, even_succeeded=even_succeeded, batch=batch)
        ),
        BulkAction.STOP: lambda record: stop_one(record, actor, reason, batch=batch, stop=stop),
    }
    return _act_on_each(plan.records, act[action], Pace(per_second, stop), stop or Event(), batch)


def bulk_candidates(selection: BulkSelection) -> QuerySet[TaskRecord]:
    """Return the records of a selection, newest first."""
    if selection.chosen is None:
        return TaskRecord.objects.filter(pk__in=selection.ids).order_by("-enqueued_at", "-id")
    found = selection.chosen.records().filter(enqueued_at__lte=selection.as_of)
    match selection.action:
        case BulkAction.STOP:
            running = Q(status=TaskStatus.RUNNING, started_at__lte=selection.as_of)
            return found.filter(running & at_step_functions())
        case BulkAction.REDRIVE:
            return found.filter(redrivable(timezone.now()), finished_at__lte=selection.as_of)
        case BulkAction.RESTART:
            return found.filter(status__in=UNSUCCESSFUL, finished_at__lte=selection.as_of)


def preview_bulk(selection: BulkSelection) -> BulkPreview:
    """Preview an action. Raises OperationRefused for an empty or too large selection, or unknown names."""
    _check(selection)
    found = bulk_candidates(selection)
    count, is_more = bounded_count(found)
    fitting = bounded_count(selection.chosen.records())[0] if selection.chosen else count
    plan = plan_among(selection.action, _first(found, selection.action, max(SHOWN, len(selection.ids))))
    again = _what_runs_again(selection.action, plan)
    repeated = registered_hooks().repeated_effects
    now = timezone.now()
    able = count - len(plan.left_out)
    return BulkPreview(
        act=selection.action,
        count=able,
        is_more=is_more,
        fitting=fitting,
        tasks=[PreviewedTask(row_of(record, now), again.get(record.pk, "")) for record in plan.records[:SHOWN]],
        left_out=_rows_of(plan.left_out),
        seconds=able / PER_SECOND[selection.action],
        notes=[repeated[name] for name in sorted({record.workflow for record in plan.records} & repeated.keys())],
    )


def run_bulk(
    selection: BulkSelection,
    actor: str,
    *,
    reason: str = "",
    after: str = "",
    batch: UUID | None = None,
    seconds: float = PORTION_SECONDS,
) -> BulkProgress:
    """Run the action on the next portion of a selection, for at most ``seconds``.

    ``after`` and ``batch`` are those of the previous portion. ``reason`` is for stops. Safe to repeat, as ``run_plan``
    is. Raises OperationRefused.
    """
    _check(selection)
    found = bulk_candidates(selection)
    records = _first(older_than(found, after) if after else found, selection.action, PORTION)
    plan = plan_among(selection.action, records)
    with _ended_after(seconds) as stop:
        results = run_plan(selection.action, plan, actor, reason=reason, stop=stop, batch=batch)
    return BulkProgress(
        batch=results.batch,
        done=results.done,
        failed=results.failed,
        left_out=_rows_of(plan.left_out),
        after=_next_portion(records, results, after),
        halted=bool(results.not_tried and not stop.is_set()) or bool(results.failed and not results.done),
    )


def remaining(selection: BulkSelection, after: str) -> int:
    """Count the tasks of a selection after a cursor, at most ``search.COUNTED``."""
    return bounded_count(older_than(bulk_candidates(selection), after))[0] if after else 0


def _plan_checked_redrives(records: Sequence[TaskRecord], stop: Event | None) -> ActionPlan:
    pace = Pace(DESCRIBE.of(settings.AWS_REGION) / 2, stop)
    checked, refusals = [], []
    for record in records:
        if not pace.wait():
            raise OperationStopped("executions", "was interrupted; nothing was changed.", "Run it again.")
        try:
            checked.append(checked_at_aws(record, stop))
        except OperationFailed:
            raise
        except OperationRefused as refused:
            refusals.append(refused)
    return ActionPlan(checked, refusals)


def _refuse_all(left_out: Sequence[OperationRefused], asked: int) -> None:
    """Raise OperationRefused with every reason, if any."""
    if len(left_out) == 1:
        raise left_out[0]
    if left_out:
        reasons = "".join(f"\n  {one}" for one in left_out)
        raise OperationRefused(
            "executions",
            f"the action does not apply to {len(left_out)} of {asked} tasks; nothing was changed.{reasons}\n",
            "Leave these out.",
        )


def _act_on_each(
    records: Sequence[TaskRecord], act: Callable[[TaskRecord], str], pace: Pace, stop: Event, batch: UUID
) -> ActionResults:
    results = ActionResults(batch)
    for number, record in enumerate(records):
        pace.wait()
        if stop.is_set():
            results.not_tried = [one.pk for one in records[number:]]
            break
        try:
            results.done.append(ActionResult(record.pk, act(record)))
        except OperationRefused as error:
            results.failed.append(ActionResult(record.pk, str(error)))
            if isinstance(error, StepFunctionsNotReached):
                results.not_tried = [one.pk for one in records[number + 1 :]]
                break
    return results


def _check(selection: BulkSelection) -> None:
    if selection.chosen is not None:
        selection.chosen.check()
    elif not selection.ids:
        raise OperationRefused("tasks", "none is selected.", "Go back and select some, or all that match the filter.")
    elif len(selection.ids) > MAX_TICKED:
        raise OperationRefused("tasks", f"over {MAX_TICKED} are selected.", "Select them by a filter.")


def _first(found: QuerySet[TaskRecord], action: BulkAction, limit: int) -> list[TaskRecord]:
    # Only a restart reads the payload, to validate it against the task's current parameters.
    return list((found if action is BulkAction.RESTART else found.defer(*LARGE_FIELDS))[:limit])


def _rows_of(refusals: Sequence[OperationRefused]) -> list[LeftOut]:
    return [LeftOut(one.where, one.problem, one.remedy) for one in refusals]


def _next_portion(records: Sequence[TaskRecord], results: ActionResults, after: str) -> str:
    """Return the cursor of the next portion, "" if all is done."""
    tried = records
    if results.not_tried:
        tried = records[: next(at for at, record in enumerate(records) if record.pk == results.not_tried[0])]
    elif len(records) < PORTION:
        return ""
    return cursor_of(tried[-1]) if tried else after


def _what_runs_again(action: BulkAction, plan: ActionPlan) -> Mapping[str, str]:
    """Return by task id the states of a few redrives, or the ids of restarts."""
    if action is BulkAction.REDRIVE and len(plan.records) <= HISTORIES_PREVIEWED:
        return dict(_states_again(plan.records))
    return plan.new_ids


def _states_again(records: Sequence[TaskRecord]) -> Iterator[tuple[str, str]]:
    with _ended_after(PREVIEW_SECONDS) as stop:
        pace = Pace(HISTORY.of(settings.AWS_REGION), stop)
        for record in records:
            if not pace.wait():
                return
            try:
                yield record.pk, ", ".join(states_that_run_again(record, stop))
            except StepFunctionsNotReached as error:
                yield record.pk, str(error)
                return
            except OperationRefused as refused:
                yield record.pk, f"{refused.problem} {refused.remedy}"


@contextmanager
def _ended_after(seconds: float) -> Iterator[Event]:
    """Yield an event that is set after ``seconds``."""
    stop = Event()
    timer = Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
