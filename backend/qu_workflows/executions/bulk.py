"""Redriving, restarting and stopping many executions from a page: previewed, then done in portions.

A web request acts on a portion of some seconds and says where the next one begins; the page asks for it, until all
is done or somebody closes it. So no request lasts for minutes, nothing is done that nobody watches, no worker needs
the right to stop executions, and what a crash leaves undone is still in the list. Each act is in the audit table, all
under the batch of the first portion. Above ``search.COUNTED`` executions it is the command's work, which needs no
open page.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Event, Timer
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from qu_workflows.aws.pacing import HISTORY, Pace
from qu_workflows.executions.acting import DEFAULT_PER_SECOND, Deed, Deeds, LeftOut
from qu_workflows.executions.advice import REPEATED
from qu_workflows.executions.redriving import (
    PlannedRedrive,
    RedrivePlan,
    plan_redrives_among,
    redrive_all,
    states_that_run_again,
)
from qu_workflows.executions.restarting import PER_SECOND as RESTARTS_PER_SECOND
from qu_workflows.executions.restarting import RestartPlan, plan_restarts_among, restart_all
from qu_workflows.executions.search import (
    ListedTask,
    TaskSearch,
    bounded_count,
    cursor_of,
    found_by,
    is_at_step_functions,
    is_redrivable,
    listed,
    older_than,
)
from qu_workflows.executions.step_functions import StepFunctionsUnavailable
from qu_workflows.executions.stopping import DEFAULT_PER_SECOND as STOPS_PER_SECOND
from qu_workflows.executions.stopping import StopPlan, check_stop, plan_stops_among, stop_all
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import new_batch
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

PORTION = 100
PORTION_SECONDS = 8.0
MAX_TICKED = 200
SHOWN = 100
FORETOLD = 20  # histories that a preview reads; AWS lets them be asked for 20 a second
FORETOLD_SECONDS = 3.0
_UNREAD = ("payload", "result", "errors", "cause")


class BulkAct(StrEnum):
    """What can be done to many."""

    REDRIVE = "redrive"
    RESTART = "restart"
    STOP = "stop"


PER_SECOND = {
    BulkAct.REDRIVE: DEFAULT_PER_SECOND,
    BulkAct.RESTART: RESTARTS_PER_SECOND,
    BulkAct.STOP: STOPS_PER_SECOND,
}


@dataclass(frozen=True)
class Choice:
    """Which tasks an act is for: those of ``ids``, else all that fit ``search`` and can take the act.

    ``as_of`` is when it was made: what was enqueued, began or ended after that is not part of it.
    """

    act: BulkAct
    as_of: datetime
    ids: Sequence[str] = ()
    search: TaskSearch | None = None


@dataclass(frozen=True)
class Foretold:
    """A task that the act is for. ``again`` is what will run, as far as it was asked for and is known."""

    task: ListedTask
    again: str = ""


@dataclass(frozen=True)
class Preview:
    """What an act would do. Nothing has been changed.

    ``count`` is of all that can take the act, at most ``search.COUNTED``; ``is_more``: there are more than that.
    ``fitting`` counts all that fit the filter, whether or not they can take it. ``tasks`` are the first some of them.
    """

    act: BulkAct
    count: int
    is_more: bool
    fitting: int
    tasks: Sequence[Foretold]
    left_out: Sequence[LeftOut]
    seconds: float
    notes: Sequence[str]


@dataclass(frozen=True)
class Portion:
    """What became of one portion. ``after`` is where the next one begins, "" if all is done.

    ``halted``: Step Functions was not reached, or nothing of the portion could be done: a person has to decide.
    """

    batch: UUID
    done: Sequence[Deed]
    failed: Sequence[Deed]
    left_out: Sequence[LeftOut]
    after: str
    halted: bool


def candidates(choice: Choice) -> QuerySet[TaskRecord]:
    """Return the records of a choice, the newest first: those that were named, or those that can take the act."""
    if choice.search is None:
        return TaskRecord.objects.filter(pk__in=choice.ids).order_by("-enqueued_at", "-id")
    found = found_by(choice.search).filter(enqueued_at__lte=choice.as_of)
    match choice.act:
        case BulkAct.STOP:
            running = Q(status=TaskStatus.RUNNING, started_at__lte=choice.as_of)
            return found.filter(running & is_at_step_functions())
        case BulkAct.REDRIVE:
            return found.filter(is_redrivable(timezone.now()), finished_at__lte=choice.as_of)
        case BulkAct.RESTART:
            return found.filter(status__in=UNSUCCESSFUL, finished_at__lte=choice.as_of)


def preview(choice: Choice) -> Preview:
    """Return what an act would do, the first some of it told one by one. Changes nothing.

    Raises OperationRefused for a choice of nothing, of more tasks than can be ticked, or of names that there are not.
    """
    _check(choice)
    found = candidates(choice)
    count, is_more = bounded_count(found)
    fitting = bounded_count(found_by(choice.search))[0] if choice.search else count
    records = _first(found, choice.act, max(SHOWN, len(choice.ids)))
    plan = _plan(choice.act, records)
    refused = {one.task_id for one in plan.left_out}
    planned = [record for record in records if record.pk not in refused]
    again = _foretell(plan)
    now = timezone.now()
    able = count - len(plan.left_out)
    return Preview(
        act=choice.act,
        count=able,
        is_more=is_more,
        fitting=fitting,
        tasks=[Foretold(listed(record, now), again.get(record.pk, "")) for record in planned[:SHOWN]],
        left_out=plan.left_out,
        seconds=able / PER_SECOND[choice.act],
        notes=[REPEATED[name] for name in sorted({record.workflow for record in planned} & REPEATED.keys())],
    )


def act_on_portion(
    choice: Choice,
    actor: str,
    *,
    reason: str = "",
    after: str = "",
    batch: UUID | None = None,
    seconds: float = PORTION_SECONDS,
) -> Portion:
    """Do the act to the next portion of a choice, for some seconds at the most, and say where the one after it begins.

    ``after`` and ``batch`` are of the portion before. Safe to repeat: a redrive is one within 15 minutes, a restart
    is refused while an attempt is under way, a stop stays as it was. ``reason`` is for stops. Raises OperationRefused.
    """
    _check(choice)
    if choice.act is BulkAct.STOP:
        check_stop(reason, STOPS_PER_SECOND)
    found = candidates(choice)
    records = _first(older_than(found, after) if after else found, choice.act, PORTION)
    plan = _plan(choice.act, records)
    with _ended_after(seconds) as stop:
        deeds = _carry_out(plan, actor, reason, stop, batch or new_batch())
    tried = _tried(records, deeds)
    is_last = len(tried) == len(records) < PORTION
    is_cut_short = bool(deeds.not_tried) and not stop.is_set()
    next_after = cursor_of(tried[-1].enqueued_at, tried[-1].pk) if tried else after
    return Portion(
        batch=deeds.batch,
        done=deeds.done,
        failed=deeds.failed,
        left_out=plan.left_out,
        after="" if is_last else next_after,
        halted=is_cut_short or bool(deeds.failed and not deeds.done),
    )


def remaining(choice: Choice, after: str) -> int:
    """Return how many of a choice come after a cursor, at most ``search.COUNTED``."""
    return bounded_count(older_than(candidates(choice), after))[0] if after else 0


def _check(choice: Choice) -> None:
    if choice.search is not None:
        choice.search.filter.check()
    elif not choice.ids:
        raise OperationRefused("tasks", "none is ticked.", "Go back and tick some, or choose all that fit the filter.")
    elif len(choice.ids) > MAX_TICKED:
        raise OperationRefused("tasks", f"over {MAX_TICKED} are ticked.", "Choose them by a filter.")


def _first(found: QuerySet[TaskRecord], act: BulkAct, limit: int) -> list[TaskRecord]:
    # A restart's payload is held against today's parameters; the others leave it in the database.
    return list((found if act is BulkAct.RESTART else found.defer(*_UNREAD))[:limit])


def _plan(act: BulkAct, records: Sequence[TaskRecord]) -> RedrivePlan | RestartPlan | StopPlan:
    match act:
        case BulkAct.REDRIVE:
            return plan_redrives_among(records)
        case BulkAct.RESTART:
            return plan_restarts_among(records)
        case BulkAct.STOP:
            return plan_stops_among(records)


def _carry_out(plan: RedrivePlan | RestartPlan | StopPlan, actor: str, reason: str, stop: Event, batch: UUID) -> Deeds:
    match plan:
        case RedrivePlan():
            return redrive_all(plan, actor, stop=stop, batch=batch)
        case RestartPlan():
            return restart_all(plan, actor, stop=stop, batch=batch)
        case StopPlan():
            return stop_all(plan.stops, actor, reason, stop=stop, batch=batch)


def _tried(records: Sequence[TaskRecord], deeds: Deeds) -> Sequence[TaskRecord]:
    """Return the records up to the first that was not tried."""
    if not deeds.not_tried:
        return records
    return records[: next(at for at, record in enumerate(records) if record.pk == deeds.not_tried[0])]


def _foretell(plan: RedrivePlan | RestartPlan | StopPlan) -> dict[str, str]:
    """Return, by task id, what will run: of a restart its new id, of a redrive the states, if they are few."""
    match plan:
        case RestartPlan():
            return {one.task_id: one.new_id for one in plan.restarts}
        case RedrivePlan() if len(plan.redrives) <= FORETOLD:
            return dict(_states_again(plan.redrives))
    return {}


def _states_again(redrives: Sequence[PlannedRedrive]) -> Iterator[tuple[str, str]]:
    """Yield, by task id, the states that run again, until Step Functions is not reached or some seconds are over."""
    with _ended_after(FORETOLD_SECONDS) as stop:
        pace = Pace(HISTORY.of(settings.AWS_REGION), stop)
        for planned in redrives:
            if not pace.wait():
                return
            try:
                yield planned.task_id, ", ".join(states_that_run_again(planned, stop))
            except StepFunctionsUnavailable as error:
                yield planned.task_id, str(error)
                return
            except OperationRefused as refused:
                yield planned.task_id, f"{refused.problem} {refused.remedy}"


@contextmanager
def _ended_after(seconds: float) -> Iterator[Event]:
    """Give an event that is set once some seconds are over."""
    stop = Event()
    timer = Timer(seconds, stop.set)
    timer.daemon = True
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
