"""One task, looked at closely: its record, its other attempts, and what Step Functions says of its execution."""

from dataclasses import dataclass
from datetime import datetime
from threading import Event

from django.utils import timezone

from qu_workflows.executions.advice import advise
from qu_workflows.executions.histories import History
from qu_workflows.executions.queries import TaskRow, attempts_of, is_at_aws, row_of
from qu_workflows.executions.step_functions import Description, ExecutionGone, describe, history_of
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord


@dataclass(frozen=True)
class Inspection:
    """What is known of a task. ``description`` and ``history`` are None where Step Functions could not be asked.

    ``unanswered`` says why it could not, "" if it was. ``advice`` is sentences: what can be done next, and how.
    """

    task: TaskRow
    execution_arn: str
    cause: str
    last_send_error: str
    attempts: tuple[TaskRow, ...]
    description: Description | None
    history: History | None
    unanswered: str
    advice: tuple[str, ...]
    looked_at: datetime


def inspect_task(record: TaskRecord, stop: Event | None = None) -> Inspection:
    """Return what is known of a task. Step Functions is asked twice, and its failing is told, not raised."""
    now = timezone.now()
    attempts = attempts_of(record)
    description: Description | None = None
    history: History | None = None
    unanswered, is_gone = why_not_asked(record), False
    if not unanswered:
        try:
            description = describe(record.execution_arn, stop)
            history = history_of(record.execution_arn, stop)
        except OperationRefused as refused:
            unanswered, is_gone = str(refused), isinstance(refused, ExecutionGone)
    return Inspection(
        task=row_of(record),
        execution_arn=record.execution_arn,
        cause=record.cause,
        last_send_error=record.last_send_error,
        attempts=tuple(row_of(one) for one in attempts),
        description=description,
        history=history,
        unanswered=unanswered,
        advice=advise(record, attempts, description, history, now, is_gone=is_gone),
        looked_at=now,
    )


def task_history(record: TaskRecord, stop: Event | None = None) -> History:
    """Return what a task's execution has done. Raises OperationRefused, also for one that has none at AWS."""
    why = why_not_asked(record)
    if why:
        raise OperationRefused(record.pk, why, "Look at the record: manage.py executions show.")
    return history_of(record.execution_arn, stop)


def why_not_asked(record: TaskRecord) -> str:
    """Return why Step Functions knows nothing of a task, "" if it should."""
    if is_at_aws(record):
        return ""
    if record.ran_inline or record.execution_arn:
        return "it ran in this project's own process: Step Functions knows nothing of it."
    return f"it is {record.status}: its execution has not started."
