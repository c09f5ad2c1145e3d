"""Stops one execution: it ends as ABORTED, and can be redriven or restarted."""

from threading import Event
from uuid import UUID

from qu_workflows.executions.redrivability import is_at_step_functions
from qu_workflows.executions.step_functions import action_time, stop_execution
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import audited
from qu_workflows.records.json_values import is_storable
from qu_workflows.records.models import WAITING, AuditAction, TaskRecord, TaskStatus

MAX_REASON_LENGTH = 1000


def stop_one(
    record: TaskRecord, actor: str, reason: str, *, batch: UUID | None = None, stop: Event | None = None
) -> str:
    """Stop an execution, audited, and return the result. Safe to repeat.

    ``reason`` and ``actor`` become the execution's cause. Raises OperationRefused.
    """
    check_reason(reason)
    if why := why_not_stoppable(record):
        raise why
    reason = reason.strip()
    details = {"execution_arn": record.execution_arn, "reason": reason}
    with audited(actor, AuditAction.STOP_EXECUTION, record.pk, batch, details) as entry:
        stopped_at = stop_execution(record.execution_arn, f"{reason} ({actor})", stop)
        entry.details["stopped_at"] = stopped_at.isoformat()
        entry.message = action_time("stopped", "already ended", stopped_at, entry.at)
    return entry.message


def why_not_stoppable(record: TaskRecord) -> OperationRefused | None:
    """Return why an execution cannot be stopped, from the record alone, or None."""
    if record.status in WAITING:
        return OperationRefused(
            record.pk, f"it is {record.status}: its execution has not started.", "Wait for its start, then stop it."
        )
    if record.status != TaskStatus.RUNNING:
        return OperationRefused(record.pk, f"it is {record.status}, not running.", "Leave it out.")
    if not is_at_step_functions(record):
        return OperationRefused(
            record.pk, "it runs in a process of this project, not at Step Functions.", "Stop that process instead."
        )
    return None


def check_reason(reason: str) -> None:
    """Raise OperationRefused for an empty, too long or unprintable reason."""
    if not 0 < len(reason.strip()) <= MAX_REASON_LENGTH or not is_storable(reason):
        raise OperationRefused(
            "--reason", "is empty, too long or not text.", f"Give a reason of 1 to {MAX_REASON_LENGTH} characters."
        )
