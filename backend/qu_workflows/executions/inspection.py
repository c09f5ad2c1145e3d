"""One task in full: its record, its attempts, what Step Functions says of its execution, and what can be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from django.utils import timezone

from qu_workflows.executions.histories import History
from qu_workflows.executions.hooks import registered_hooks
from qu_workflows.executions.redrivability import REDRIVABLE_DAYS, is_at_step_functions, why_not_redrivable
from qu_workflows.executions.restarting import next_attempt_id, why_not_restartable
from qu_workflows.executions.search import TaskRow, attempts_of, row_of
from qu_workflows.executions.step_functions import Description, ExecutionGone, describe, history_of
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus

DIFFERENCE = (
    "redrive: the same execution goes on where it failed, by the definition of its start; what was finished keeps "
    f"its results. For {REDRIVABLE_DAYS} days after its end.",
    "restart: a new execution runs everything again, by today's definition, under a new name (names stay taken for "
    "90 days). Choose it when the definition had to be corrected.",
)


@dataclass(frozen=True)
class Inspection:
    """The details of a task. ``description`` and ``history`` are None where Step Functions could not be asked.

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
    """Return what is known of a task. Step Functions is asked twice, and its errors are reported, not raised."""
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
        task=row_of(record, now),
        execution_arn=record.execution_arn,
        cause=record.cause,
        last_send_error=record.last_send_error,
        attempts=tuple(row_of(one, now) for one in attempts),
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
    if is_at_step_functions(record):
        return ""
    if record.ran_inline or record.execution_arn:
        return "it ran in this project's own process: Step Functions knows nothing of it."
    return f"it is {record.status}: its execution has not started."


def advise(
    record: TaskRecord,
    attempts: Sequence[TaskRecord],
    description: Description | None,
    history: History | None,
    now: datetime,
    *,
    is_gone: bool = False,
) -> tuple[str, ...]:
    """Return what can be done with a task, a sentence each, and by which command.

    ``is_gone`` says that Step Functions does not know the task's execution.
    """
    newest = attempts[-1]
    if newest.pk != record.pk:
        return (f"A later attempt of it is {newest.status}: manage.py executions show {newest.pk}",)
    match record.status:
        case TaskStatus.READY:
            return ("It waits to be sent: the schedule send_outbox does that each minute, or manage.py resend_tasks.",)
        case TaskStatus.SENT:
            return ("Its message is in the task queue or, after three refusals, in the other: manage.py dlq list",)
        case TaskStatus.RUNNING:
            return (_running(record, description),)
        case TaskStatus.SUCCEEDED:
            return (f"Nothing is left to do. To do it all again: {_restart_command(record)} --even-succeeded",)
    repeated = registered_hooks().repeated_effects
    return (
        "redrive: not possible, Step Functions does not have the execution."
        if is_gone
        else _redrive(record, description, history, now),
        _restart(record, attempts),
        *([repeated[record.workflow]] if record.workflow in repeated else []),
    )


def _running(record: TaskRecord, description: Description | None) -> str:
    if description is None or description.status == TaskStatus.RUNNING:
        return f'To end it: manage.py executions stop {record.pk} --reason "…"'
    missed = f"AWS has it as {description.status}: the event of that is late, or was lost."
    if description.status == TaskStatus.SUCCEEDED:
        return f"{missed} Nothing is left to do."
    return f"{missed} To let it go on where it failed: manage.py executions redrive {record.pk}"


def _redrive(record: TaskRecord, description: Description | None, history: History | None, now: datetime) -> str:
    why = why_not_redrivable(record, now, description)
    if why:
        return f"redrive: not possible, {why.problem}"
    states = ", ".join(entry.label for entry in history.running_again) if history else ""
    at = f"at {states}" if states else "where it failed"
    version = f" (version {description.version})" if description and description.version else ""
    return (
        f"redrive: goes on {at}, by the definition of its start{version}; what was finished keeps its results. "
        f"manage.py executions redrive {record.pk}"
    )


def _restart(record: TaskRecord, attempts: Sequence[TaskRecord]) -> str:
    why = why_not_restartable(record, attempts, even_succeeded=False)
    if why:
        return f"restart: not possible, {why.problem} {why.remedy}"
    new_id = next_attempt_id(attempts)
    return f"restart: runs everything again as {new_id}, by today's definition. {_restart_command(record)}"


def _restart_command(record: TaskRecord) -> str:
    return f"manage.py executions restart {record.pk}"
