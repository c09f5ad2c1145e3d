"""The policy of redrives: a check of one record, and a database condition.

AWS redrives an execution that failed, timed out or was aborted, until 14 days after its end. Executions in this
project's own process are not at AWS. AWS's description of an execution takes precedence over its record.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from datetime import datetime, timedelta

from django.db.models import Q

from qu_workflows.executions.step_functions import Description
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import UNSUCCESSFUL, WAITING, TaskRecord, TaskStatus

REDRIVABLE_DAYS = 14
# The ARNs of executions in this project's own process.
LOCAL_ARN = "arn:aws:states:local:"
_RESTART = "Restart it: manage.py executions restart."
_REDRIVABLE_AT_AWS = ("REDRIVABLE", "")  # "": an emulator without the field


def is_at_step_functions(record: TaskRecord) -> bool:
    """Return whether Step Functions has or had the task's execution."""
    return bool(record.execution_arn) and not record.execution_arn.startswith(LOCAL_ARN)


def why_not_asked(record: TaskRecord) -> str:
    """Return why Step Functions does not know the task, "" if it should."""
    if is_at_step_functions(record):
        return ""
    if record.ran_inline or record.execution_arn:
        return "it ran in this project's own process, unknown to Step Functions."
    return f"it is {record.status}: its execution has not started."


def at_step_functions() -> Q:
    """Return ``is_at_step_functions`` as a database condition."""
    return ~Q(execution_arn="") & ~Q(execution_arn__startswith=LOCAL_ARN)


def redrivable_until(record: TaskRecord) -> datetime | None:
    """Return the deadline of a redrive, maybe in the past, None without one."""
    if record.status not in UNSUCCESSFUL or not is_at_step_functions(record) or record.finished_at is None:
        return None
    return record.finished_at + timedelta(days=REDRIVABLE_DAYS)


def redrivable(now: datetime) -> Q:
    """Return ``why_not_redrivable``, without a description, as a database condition."""
    since = now - timedelta(days=REDRIVABLE_DAYS)
    return Q(status__in=UNSUCCESSFUL, finished_at__gte=since) & at_step_functions()


def why_not_redrivable(
    record: TaskRecord, now: datetime, description: Description | None = None
) -> OperationRefused | None:
    """Return why an execution cannot be redriven, or None, by its record and AWS's description.

    A record that is RUNNING while the execution has ended at AWS has missed the event of its end.
    """
    has_missed_its_end = (
        description is not None and record.status == TaskStatus.RUNNING and description.status != TaskStatus.RUNNING
    )
    why = None if has_missed_its_end and is_at_step_functions(record) else _why_by_record(record, now)
    if why is not None or description is None:
        return why
    if description.status == TaskStatus.RUNNING:
        return OperationRefused(record.pk, "it is already RUNNING again.", "Wait for its end.")
    if description.redrive_status not in _REDRIVABLE_AT_AWS:
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
        problem = "it SUCCEEDED, and AWS redrives only failed executions."
        remedy = "To run it again: manage.py executions restart --even-succeeded."
    elif not is_at_step_functions(record):
        problem = "it ran in this project's own process, and cannot be redriven."
    elif until is None or until < now:
        closed = f"on {record.finished_at:%Y-%m-%d}" if record.finished_at else "at an unknown time"
        problem = f"it ended {closed}, and AWS redrives for {REDRIVABLE_DAYS} days."
    return OperationRefused(record.pk, problem, remedy) if problem else None
