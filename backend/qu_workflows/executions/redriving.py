"""Redriving executions: each goes on where it failed, with the definition of its start.

First a plan, which changes nothing and can be shown; then the plan is carried out. Every redrive is written to
the audit table.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from qu_workflows.aws.pacing import DESCRIBE, REDRIVE, Pace, check_per_second
from qu_workflows.executions.acting import DEFAULT_PER_SECOND, Deeds, LeftOut, act_on_each, refuse_all, said_of
from qu_workflows.executions.queries import (
    TaskFilter,
    find_records,
    is_at_aws,
    matching,
    nothing_matches,
    redrivable_until,
)
from qu_workflows.executions.step_functions import (
    REDRIVABLE_DAYS,
    Description,
    ExecutionGone,
    describe,
    history_of,
    redrive,
    redrive_token,
)
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused, OperationStopped
from qu_workflows.protocol.task_ids import split_attempt
from qu_workflows.records.audit import audited
from qu_workflows.records.models import (
    UNSUCCESSFUL,
    WAITING,
    AuditAction,
    AuditEntry,
    AuditOutcome,
    TaskRecord,
    TaskStatus,
)

_RESTART = "Restart it: manage.py executions restart."


@dataclass(frozen=True)
class PlannedRedrive:
    """An execution that would be redriven. ``token`` makes that it is redriven once, however often that is asked."""

    task_id: str
    workflow: str
    arn: str
    error: str
    redrive_count: int
    redrivable_until: datetime

    @property
    def token(self) -> str:
        """The client token."""
        return redrive_token(self.arn, self.redrive_count)


@dataclass(frozen=True)
class RedrivePlan:
    """What would be redriven, in this order, and what would not although it was chosen."""

    redrives: tuple[PlannedRedrive, ...]
    left_out: tuple[LeftOut, ...] = ()


def why_not_redrivable(record: TaskRecord, now: datetime) -> LeftOut | None:
    """Return why AWS would not redrive a task's execution, as far as the record knows, or None."""
    left_out = partial(LeftOut, record.pk)
    if record.status in WAITING:
        return left_out(
            f"it is {record.status}: its execution has not started.",
            "Look for its message: manage.py dlq list.",
        )
    if record.status == TaskStatus.RUNNING:
        return left_out("it is RUNNING.", "Wait for its end, or stop it first: manage.py executions stop.")
    if record.status == TaskStatus.SUCCEEDED:
        return left_out(
            "it SUCCEEDED, and AWS redrives only what has not.",
            "To run it all again: manage.py executions restart --even-succeeded.",
        )
    if not is_at_aws(record):
        return left_out("it ran in this project's own process, where there is nothing to redrive.", _RESTART)
    until = redrivable_until(record)
    if until is None or until <= now:
        closed = f"{record.finished_at:%Y-%m-%d}" if record.finished_at else "at a time that is not known"
        return left_out(f"it closed {closed}, and AWS redrives for {REDRIVABLE_DAYS} days.", _RESTART)
    return None


def check_redrive_pace(per_second: float) -> None:
    """Raise OperationRefused for a pace that is none, or above AWS's quota."""
    check_per_second(per_second, REDRIVE, settings.AWS_REGION)


def plan_redrives_of(references: Sequence[str], stop: Event | None = None) -> RedrivePlan:
    """Return the plan for tasks that are named, by id or ARN; AWS is asked about each, a dozen a second.

    All or none: raises OperationRefused with the reason of each that can not be redriven; raises
    StepFunctionsUnavailable, or OperationStopped once ``stop`` is set.
    """
    now = timezone.now()
    records = find_records(references)
    others = _other_attempts(records)
    against = [
        others.get(record.pk)
        if _missed_its_end(record, stop)
        else why_not_redrivable(record, now) or others.get(record.pk)
        for record in records
    ]
    refuse_all([why for why in against if why], len(records))
    pace = Pace(DESCRIBE.of(settings.AWS_REGION) / 2, stop)
    outcomes: list[PlannedRedrive | LeftOut] = []
    for record in records:
        if not pace.wait():
            raise OperationStopped("executions", "ended while AWS was asked; nothing was changed.", "Run it again.")
        outcomes.append(_as_aws_has_it(record, stop))
    refuse_all([one for one in outcomes if isinstance(one, LeftOut)], len(records))
    return RedrivePlan(tuple(one for one in outcomes if isinstance(one, PlannedRedrive)))


def plan_redrives(chosen: TaskFilter, limit: int | None = None) -> RedrivePlan:
    """Return the plan for the tasks that fit a filter, the newest first, by what the records know.

    Without a status in the filter: those that failed, timed out or were aborted. Raises OperationRefused when
    none fits or none of them can be redriven.
    """
    chosen.check()
    found = matching(chosen) if chosen.statuses else matching(chosen).filter(status__in=UNSUCCESSFUL)
    records = list(found.defer("payload", "result", "errors", "cause")[:limit])
    if not records:
        raise nothing_matches(chosen, "execution that could be redriven")
    plan = plan_redrives_among(records)
    if not plan.redrives:
        refuse_all(plan.left_out, len(records))
    return plan


def plan_redrives_among(records: Sequence[TaskRecord]) -> RedrivePlan:
    """Return the plan for some records, by what they know; it may leave all of them out."""
    now = timezone.now()
    others = _other_attempts(records)
    left_out = tuple(why for record in records if (why := why_not_redrivable(record, now) or others.get(record.pk)))
    refused = {one.task_id for one in left_out}
    return RedrivePlan(tuple(_planned(record) for record in records if record.pk not in refused), left_out)


def _other_attempts(records: Sequence[TaskRecord]) -> dict[str, LeftOut]:
    """Return, by id, which tasks are not to be redriven for another attempt: both would do the same work.

    Another one is under way or has succeeded, or is the later of two that failed.
    """
    first_of = {record.pk: record.attempt_of or record.pk for record in records}
    firsts = set(first_of.values())
    attempts = TaskRecord.objects.filter(Q(pk__in=firsts) | Q(attempt_of__in=firsts))
    found: dict[str, list[tuple[int, str, str]]] = {}
    for task_id, attempt_of, status in attempts.values_list("pk", "attempt_of", "status"):
        number = split_attempt(task_id)[1] if attempt_of else 1
        found.setdefault(attempt_of or task_id, []).append((number, task_id, status))
    others = {}
    for task_id, first in first_of.items():
        of_task = sorted(found.get(first, ()), reverse=True)
        later = of_task[: next((at for at, one in enumerate(of_task) if one[1] == task_id), 0)]
        done = (one for one in of_task if one[1] != task_id and one[2] not in UNSUCCESSFUL)
        if other := next(done, next(iter(later), None)):
            problem = f"its {'later ' * (other in later)}attempt {other[1]} is {other[2]}."
            others[task_id] = LeftOut(task_id, problem, "Leave it out, and see to that one.")
    return others


def was_redriven_by(token: str, task_id: str) -> bool:
    """Return whether a task's execution was redriven with this client token: a form was sent twice."""
    return AuditEntry.objects.filter(
        target=task_id,
        action=AuditAction.REDRIVE_EXECUTION,
        outcome=AuditOutcome.DONE,
        details__client_token=token,
    ).exists()


def states_that_run_again(planned: PlannedRedrive, stop: Event | None = None) -> list[str]:
    """Return the states that a redrive would run: those entered and not exited. Asks AWS for the whole history."""
    return [visit.label for visit in history_of(planned.arn, stop).running_again]


def redrive_all(
    plan: RedrivePlan,
    actor: str,
    per_second: float = DEFAULT_PER_SECOND,
    stop: Event | None = None,
    batch: UUID | None = None,
) -> Deeds:
    """Carry a plan out, and return what became of each. Safe to repeat within 15 minutes.

    Raises OperationRefused for a pace above AWS's quota.
    """
    check_redrive_pace(per_second)
    return act_on_each(
        plan.redrives,
        lambda planned: planned.task_id,
        lambda planned, batch: _redrive(planned, actor, batch, stop),
        per_second=per_second,
        stop=stop,
        batch=batch,
    )


def _redrive(planned: PlannedRedrive, actor: str, batch: UUID, stop: Event | None) -> str:
    details = {
        "execution_arn": planned.arn,
        "error": planned.error,
        "redrive_count": planned.redrive_count,
        "client_token": planned.token,
    }
    with audited(actor, AuditAction.REDRIVE_EXECUTION, planned.task_id, batch, details) as entry:
        redriven_at = redrive(planned.arn, planned.token, stop)
        entry.details["redriven_at"] = redriven_at.isoformat()
        entry.message = said_of("redriven", "had been redriven before,", redriven_at, entry.at)
    return entry.message


def _planned(record: TaskRecord, description: Description | None = None) -> PlannedRedrive:
    closed_at = (description and description.stopped_at) or record.finished_at or timezone.now()
    return PlannedRedrive(
        task_id=record.pk,
        workflow=record.workflow,
        arn=record.execution_arn,
        error=record.error,
        redrive_count=description.redrive_count if description else record.redrive_count,
        redrivable_until=closed_at + timedelta(days=REDRIVABLE_DAYS),
    )


def _missed_its_end(record: TaskRecord, stop: Event | None) -> bool:
    """Return whether a record is RUNNING only since the event of its execution's end was lost, or is late."""
    if record.status != TaskStatus.RUNNING or not is_at_aws(record):
        return False
    try:
        return describe(record.execution_arn, stop).status != TaskStatus.RUNNING
    except OperationRefused:
        return False


def _as_aws_has_it(record: TaskRecord, stop: Event | None) -> PlannedRedrive | LeftOut:
    try:
        description = describe(record.execution_arn, stop)
    except ExecutionGone as gone:
        return LeftOut(record.pk, gone.problem, gone.remedy)
    except OperationFailed:
        raise
    except OperationRefused as refused:
        return LeftOut(record.pk, refused.problem, refused.remedy)
    if description.redrive_status not in ("REDRIVABLE", ""):  # "": a Step Functions that does not say
        reason = description.redrive_status_reason.rstrip(".") or f"it is {description.redrive_status}"
        return LeftOut(record.pk, f"AWS does not redrive it: {reason}.", _RESTART)
    return _planned(record, description)
