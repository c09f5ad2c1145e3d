"""What can be done with a task as it stands, in words: chiefly whether to redrive or to restart."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from qu_workflows.executions.histories import History
from qu_workflows.executions.redriving import why_not_redrivable
from qu_workflows.executions.restarting import next_attempt_id, why_not_restartable
from qu_workflows.executions.step_functions import REDRIVABLE_DAYS, Description
from qu_workflows.records.models import TaskRecord, TaskStatus

DIFFERENCE = (
    "redrive: the same execution goes on where it failed, by the definition of its start; what was finished keeps "
    f"its results. For {REDRIVABLE_DAYS} days after its end.",
    "restart: a new execution runs everything again, by today's definition, under a new name (names stay taken for "
    "90 days). Choose it when the definition had to be mended.",
)
# What a second run of a workflow does again. Held against the keys of its effects by a test.
REPEATED: Mapping[str, str] = {
    "daily_report_digest": "A client who was sent the day's digest is not sent it again either way.",
    "guard_report": "A mail about the report that was sent is not sent again either way.",
    "incident_escalation": "Until somebody has acknowledged, a redrive goes on with whose turn it is; a restart asks "
    "all anew, from the first.",
    "notification_email": "A redrive does not send again a mail that was sent; a restart does.",
    "run_task": "A redrive does not call again a function that has returned; a restart does.",
}


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
    return (
        "redrive: not possible, Step Functions does not have the execution."
        if is_gone
        else _redrive(record, description, history, now),
        _restart(record, attempts),
        *([REPEATED[record.workflow]] if record.workflow in REPEATED else []),
    )


def _running(record: TaskRecord, description: Description | None) -> str:
    if description is None or description.status == TaskStatus.RUNNING:
        return f'To end it: manage.py executions stop {record.pk} --reason "…"'
    missed = f"AWS has it as {description.status}: the event that tells so is late, or was lost."
    if description.status == TaskStatus.SUCCEEDED:
        return f"{missed} Nothing is left to do."
    return f"{missed} To let it go on where it failed: manage.py executions redrive {record.pk}"


def _redrive(record: TaskRecord, description: Description | None, history: History | None, now: datetime) -> str:
    why = why_not_redrivable(record, now)
    if why:
        return f"redrive: not possible, {why.problem}"
    if description and description.redrive_status == "NOT_REDRIVABLE":
        return f"redrive: not possible: {description.redrive_status_reason.rstrip('.')}."
    states = ", ".join(visit.label for visit in history.running_again) if history else ""
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
