"""Stopping executions: each ends as ABORTED, and can be redriven or restarted after that."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from uuid import UUID

from django.conf import settings

from qu_workflows.aws.pacing import STOP, check_per_second
from qu_workflows.executions.acting import Deeds, LeftOut, act_on_each, refuse_all, said_of
from qu_workflows.executions.queries import find_records, is_at_aws
from qu_workflows.executions.step_functions import stop_execution
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import audited
from qu_workflows.records.json_values import is_storable
from qu_workflows.records.models import WAITING, AuditAction, TaskRecord, TaskStatus

DEFAULT_PER_SECOND = 10.0
MAX_REASON_LENGTH = 1000


@dataclass(frozen=True)
class PlannedStop:
    """An execution that would be stopped."""

    task_id: str
    workflow: str
    arn: str


@dataclass(frozen=True)
class StopPlan:
    """What would be stopped, in this order, and what would not although it was chosen."""

    stops: tuple[PlannedStop, ...]
    left_out: tuple[LeftOut, ...] = ()


def why_not_stoppable(record: TaskRecord) -> LeftOut | None:
    """Return why a task's execution can not be stopped, as far as the record knows, or None."""
    if record.status in WAITING:
        return LeftOut(
            record.pk, f"it is {record.status}: its execution has not started.", "Wait until it has, then stop it."
        )
    if record.status != TaskStatus.RUNNING:
        return LeftOut(record.pk, f"it is {record.status}: there is nothing to stop.", "Leave it out.")
    if not is_at_aws(record):
        return LeftOut(
            record.pk, "it runs in a process of this project, not at Step Functions.", "End that process instead."
        )
    return None


def plan_stops(references: Sequence[str]) -> tuple[PlannedStop, ...]:
    """Return what stopping these tasks, by id or ARN, would stop.

    All or none: raises OperationRefused with the reason of each that can not be.
    """
    records = find_records(references)
    refuse_all([why for record in records if (why := why_not_stoppable(record))], len(records))
    return tuple(PlannedStop(record.pk, record.workflow, record.execution_arn) for record in records)


def plan_stops_among(records: Sequence[TaskRecord]) -> StopPlan:
    """Return the plan for some records, by what they know; it may leave all of them out."""
    left_out = tuple(why for record in records if (why := why_not_stoppable(record)))
    refused = {one.task_id for one in left_out}
    stoppable = (record for record in records if record.pk not in refused)
    return StopPlan(tuple(PlannedStop(one.pk, one.workflow, one.execution_arn) for one in stoppable), left_out)


def check_stop(reason: str, per_second: float) -> None:
    """Raise OperationRefused for a reason that is empty, too long or no text, or for a pace above AWS's quota."""
    if not 0 < len(reason.strip()) <= MAX_REASON_LENGTH or not is_storable(reason):
        raise OperationRefused(
            "--reason", "is empty, too long or no text.", f"Say why in 1 to {MAX_REASON_LENGTH} characters."
        )
    check_per_second(per_second, STOP, settings.AWS_REGION)


def stop_all(
    stops: Sequence[PlannedStop],
    actor: str,
    reason: str,
    per_second: float = DEFAULT_PER_SECOND,
    stop: Event | None = None,
    batch: UUID | None = None,
) -> Deeds:
    """Stop executions, and return what became of each. Safe to repeat: one that has ended stays as it ended.

    ``reason`` becomes the execution's cause, with who stopped it. Raises OperationRefused for a reason that is
    empty or too long, or for a pace above AWS's quota.
    """
    check_stop(reason, per_second)
    return act_on_each(
        stops,
        lambda planned: planned.task_id,
        lambda planned, batch: _stop(planned, actor, reason.strip(), batch, stop),
        per_second=per_second,
        stop=stop,
        batch=batch,
    )


def _stop(planned: PlannedStop, actor: str, reason: str, batch: UUID, stop: Event | None) -> str:
    details = {"execution_arn": planned.arn, "reason": reason}
    with audited(actor, AuditAction.STOP_EXECUTION, planned.task_id, batch, details) as entry:
        stopped_at = stop_execution(planned.arn, f"{reason} ({actor})", stop)
        entry.details["stopped_at"] = stopped_at.isoformat()
        entry.message = said_of("stopped", "had ended before,", stopped_at, entry.at)
    return entry.message
