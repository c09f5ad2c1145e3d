"""The one policy of what can be redriven: of a record in Python, of many as a database condition.

AWS redrives an execution that failed, timed out or was aborted, until 14 days after its end; what ran in this
project's own process is not at AWS. What AWS itself says of an execution goes before what its record says.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from datetime import datetime, timedelta

from django.db.models import Q

from qu_workflows.executions.step_functions import Description
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import UNSUCCESSFUL, WAITING, TaskRecord, TaskStatus

REDRIVABLE_DAYS = 14
# Executions that a process ran by itself have this in place of a Region: Step Functions does not have them.
LOCAL_ARN = "arn:aws:states:local:"
_RESTART = "Restart it: manage.py executions restart."
_REDRIVABLE_TO_AWS = ("REDRIVABLE", "")  # "": a Step Functions that does not say


def is_at_step_functions(record: TaskRecord) -> bool:
    """Return whether Step Functions has the task's execution, or had."""
    return bool(record.execution_arn) and not record.execution_arn.startswith(LOCAL_ARN)


def at_step_functions() -> Q:
    """Return the condition that ``is_at_step_functions`` is of one record."""
    return ~Q(execution_arn="") & ~Q(execution_arn__startswith=LOCAL_ARN)


def redrivable_until(record: TaskRecord) -> datetime | None:
    """Return until when AWS redrives an execution, maybe in the past; None if it never does."""
    if record.status not in UNSUCCESSFUL or not is_at_step_functions(record) or record.finished_at is None:
        return None
    return record.finished_at + timedelta(days=REDRIVABLE_DAYS)


def redrivable(now: datetime) -> Q:
    """Return the condition that ``why_not_redrivable`` is of one record without a description."""
    since = now - timedelta(days=REDRIVABLE_DAYS)
    return Q(status__in=UNSUCCESSFUL, finished_at__gte=since) & at_step_functions()


def why_not_redrivable(
    record: TaskRecord, now: datetime, description: Description | None = None
) -> OperationRefused | None:
    """Return why an execution cannot be redriven, None if it can, by its record and by what AWS says of it.

    A record that is RUNNING while AWS says that the execution has ended has missed the event of its end.
    """
    has_missed_its_end = (
        description is not None and record.status == TaskStatus.RUNNING and description.status != TaskStatus.RUNNING
    )
    why = None if has_missed_its_end and is_at_step_functions(record) else _why_by_record(record, now)
    if why is not None or description is None:
        return why
    if description.status == TaskStatus.RUNNING:
        return OperationRefused(record.pk, "it runs again already.", "Wait for its end.")
    if description.redrive_status not in _REDRIVABLE_TO_AWS:
        reason = description.redrive_status_reason.rstrip(".") or f"it is {description.redrive_status}"
        return OperationRefused(record.pk, f"AWS does not redrive it: {reason}.", _RESTART)
    return None


def _why_by_record(record: TaskRecord, now: datetime) -> OperationRefused | None:
    problem, remedy = "", _RESTART
    until = redrivable_until(record)
    if record.status in WAITING:
        problem = f"it is {record.status}: its execution has not started."
        remedy = "Look for its message: manage.py dlq list."
    elif record.status == TaskStatus.RUNNING:
        problem, remedy = "it is RUNNING.", "Wait for its end, or stop it first: manage.py executions stop."
    elif record.status == TaskStatus.SUCCEEDED:
        problem = "it SUCCEEDED, and AWS redrives only what has not."
        remedy = "To run it all again: manage.py executions restart --even-succeeded."
    elif not is_at_step_functions(record):
        problem = "it ran in this project's own process, where there is nothing to redrive."
    elif until is None or until < now:
        closed = f"{record.finished_at:%Y-%m-%d}" if record.finished_at else "at a time that is not known"
        problem = f"it closed {closed}, and AWS redrives for {REDRIVABLE_DAYS} days."
    return OperationRefused(record.pk, problem, remedy) if problem else None
