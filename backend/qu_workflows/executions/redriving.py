"""Redrives one execution: it continues from its failed states, by its original definition.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
"""

import hashlib
from collections.abc import Sequence
from threading import Event
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.executions.redrivability import is_at_step_functions, why_not_redrivable
from qu_workflows.executions.search import attempt_number, attempts_of_each
from qu_workflows.executions.step_functions import Description, action_time, describe, history_of, redrive_execution
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.audit import audited
from qu_workflows.records.models import (
    UNSUCCESSFUL,
    AuditAction,
    AuditEntry,
    AuditOutcome,
    TaskRecord,
    TaskStatus,
)


class AlreadyRedriven(OperationRefused):
    """The execution was redriven with this token before."""


def redrive_token(record: TaskRecord, description: Description | None = None) -> str:
    """Return the idempotency token of an execution's next redrive, which AWS remembers for 15 minutes.

    AWS's count of redrives takes precedence over the record's.
    """
    count = description.redrive_count if description else record.redrive_count
    return hashlib.sha256(f"{record.execution_arn} {count}".encode()).hexdigest()


def redrive_one(record: TaskRecord, actor: str, token: str) -> str:
    """Redrive the execution that a page showed with this token; return the result.

    Raises AlreadyRedriven for a second click, OperationRefused if it has changed or cannot be redriven.
    """
    if _was_redriven_by(token, record.pk):
        raise AlreadyRedriven(record.pk, "it is already redriven.", "A second click does nothing.")
    record = checked_at_aws(record)
    if token != redrive_token(record):
        raise OperationRefused(record.pk, _("it has changed since the page was loaded."), _("Reload the page."))
    return redrive_checked(record, actor)


def redrive_checked(record: TaskRecord, actor: str, *, batch: UUID | None = None, stop: Event | None = None) -> str:
    """Redrive an execution, audited, and return the result. Safe to repeat within 15 minutes."""
    token = redrive_token(record)
    details = {
        "execution_arn": record.execution_arn,
        "error": record.error,
        "redrive_count": record.redrive_count,
        "client_token": token,
    }
    with audited(actor, AuditAction.REDRIVE_EXECUTION, record.pk, batch, details) as entry:
        redriven_at = redrive_execution(record.execution_arn, token, stop)
        entry.details["redriven_at"] = redriven_at.isoformat()
        entry.message = action_time("redriven", "already redriven", redriven_at, entry.at)
    return entry.message


def checked_at_aws(record: TaskRecord, stop: Event | None = None) -> TaskRecord:
    """Update a record from AWS. Raises OperationRefused if AWS would not redrive it."""
    now = timezone.now()
    may_have_ended = record.status == TaskStatus.RUNNING and is_at_step_functions(record)
    why = None if may_have_ended else why_not_redrivable(record, now)
    if why := why or other_attempts([record]).get(record.pk):
        raise why
    try:
        description = describe(record.execution_arn, stop)
    except OperationFailed:
        raise
    except OperationRefused as refused:
        raise OperationRefused(record.pk, refused.problem, refused.remedy) from refused
    if why := why_not_redrivable(record, now, description):
        raise why
    record.redrive_count = description.redrive_count
    record.finished_at = description.stopped_at or record.finished_at
    return record


def why_not_redrivable_each(records: Sequence[TaskRecord]) -> dict[str, OperationRefused]:
    """Return why records cannot be redriven, by id, from the records alone."""
    now, others = timezone.now(), other_attempts(records)
    found = {record.pk: why_not_redrivable(record, now) or others.get(record.pk) for record in records}
    return {task_id: why for task_id, why in found.items() if why}


def other_attempts(records: Sequence[TaskRecord]) -> dict[str, OperationRefused]:
    """Return the tasks whose work another attempt does, by id.

    The other attempt is in progress or has succeeded, or is the later of two that failed.
    """
    others = {}
    for task_id, attempts in attempts_of_each(records).items():
        of_task = sorted(attempts, key=attempt_number)
        at = next(number for number, one in enumerate(of_task) if one.pk == task_id)
        later = of_task[at + 1 :]
        done = (one for one in reversed(of_task) if one.pk != task_id and one.status not in UNSUCCESSFUL)
        if other := next(done, later[-1] if later else None):
            problem = f"its {'later ' * (other in later)}attempt {other.pk} is {other.status}."
            others[task_id] = OperationRefused(task_id, problem, "Leave it out, and see that attempt.")
    return others


def states_that_run_again(record: TaskRecord, stop: Event | None = None) -> list[str]:
    """Return the states that a redrive would run. Reads the whole history from AWS."""
    return [entry.label for entry in history_of(record.execution_arn, stop).running_again]


def _was_redriven_by(token: str, task_id: str) -> bool:
    return AuditEntry.objects.filter(
        target=task_id,
        action=AuditAction.REDRIVE_EXECUTION,
        outcome=AuditOutcome.DONE,
        details__client_token=token,
    ).exists()
