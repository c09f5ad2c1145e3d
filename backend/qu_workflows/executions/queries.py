"""Lists, histories, definitions and samples of executions, and the details of one task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event as StopEvent

from django.utils import timezone

from qu_workflows.aws.console_urls import execution_url, map_run_url, state_machine_url, trace_url
from qu_workflows.executions.attempts import (
    EntryDetails,
    StateAttempt,
    attempts_of_entry,
    count_by_outcome,
    details_of,
    iterations_of,
    worst,
)
from qu_workflows.executions.histories import Event, History, StateEntry, StateOutcome
from qu_workflows.executions.hooks import registered_hooks
from qu_workflows.executions.redrivability import (
    REDRIVABLE_DAYS,
    is_at_step_functions,
    redrivable,
    redrivable_until,
    why_not_asked,
    why_not_redrivable,
)
from qu_workflows.executions.redriving import redrive_token
from qu_workflows.executions.restarting import next_attempt_id, why_not_restartable
from qu_workflows.executions.samples import EdgeCounts, StepStatistics, edge_counts, step_statistics
from qu_workflows.executions.search import (
    COUNTED,
    TaskFilter,
    TaskPage,
    TaskRow,
    attempts_of,
    errors_called,
    find_record,
    read_moment,
    row_of,
    search_tasks,
    values_of,
)
from qu_workflows.executions.snapshots import (
    DEFINITION_OF_FILES,
    DEFINITION_UNKNOWN,
    ExecutionSnapshot,
    clear_snapshots,
    snapshot_of,
)
from qu_workflows.executions.state_machines import (
    DeployedStateMachine,
    StateMachine,
    WorkflowContract,
    clear_state_machines,
    contracts_of,
    deployed,
    find_machine,
    list_machines,
)
from qu_workflows.executions.step_functions import Description, ExecutionGone, describe, history_of
from qu_workflows.executions.step_logs import StepLog, function_of, step_log
from qu_workflows.executions.stopping import MAX_REASON_LENGTH, why_not_stoppable
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import TaskRecord, TaskStatus

__all__ = [
    "COUNTED",
    "DEFINITION_OF_FILES",
    "DEFINITION_UNKNOWN",
    "DIFFERENCE",
    "MAX_REASON_LENGTH",
    "REDRIVABLE_DAYS",
    "DeployedStateMachine",
    "EdgeCounts",
    "EntryDetails",
    "Event",
    "ExecutionSnapshot",
    "History",
    "StateAttempt",
    "StateEntry",
    "StateMachine",
    "StateOutcome",
    "StepLog",
    "StepStatistics",
    "TaskFilter",
    "TaskPage",
    "TaskRow",
    "WorkflowContract",
    "advise",
    "attempts_of",
    "attempts_of_entry",
    "clear_snapshots",
    "clear_state_machines",
    "contracts_of",
    "count_by_outcome",
    "deployed",
    "details_of",
    "edge_counts",
    "errors_called",
    "execution_url",
    "find_machine",
    "find_record",
    "function_of",
    "inspect_task",
    "is_at_step_functions",
    "iterations_of",
    "list_machines",
    "map_run_url",
    "next_attempt_id",
    "read_moment",
    "redrivable",
    "redrivable_until",
    "redrive_token",
    "row_of",
    "search_tasks",
    "snapshot_of",
    "state_machine_url",
    "step_log",
    "step_statistics",
    "trace_url",
    "values_of",
    "why_not_redrivable",
    "why_not_restartable",
    "why_not_stoppable",
    "worst",
]

DIFFERENCE = (
    "redrive: continues the same execution from its failed states, by the definition that it started with; finished "
    f"states keep their results. Possible for {REDRIVABLE_DAYS} days after its end.",
    "restart: starts a new execution from the first state, by the current definition, under a new name (names are "
    "reserved for 90 days). Choose it when the definition had to be fixed.",
)


@dataclass(frozen=True)
class Inspection:
    """The details of a task. Without ``description`` and ``history``, ``unanswered`` says why.

    ``advice`` lists the next actions and their commands, in sentences.
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


def inspect_task(record: TaskRecord, stop: StopEvent | None = None) -> Inspection:
    """Return the details of a task; errors of Step Functions are reported, not raised."""
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


def task_history(record: TaskRecord, stop: StopEvent | None = None) -> History:
    """Return the history of a task's execution. Raises OperationRefused, also if AWS has none."""
    if why := why_not_asked(record):
        raise OperationRefused(record.pk, why, "See its record: manage.py executions show.")
    return history_of(record.execution_arn, stop)


def advise(
    record: TaskRecord,
    attempts: Sequence[TaskRecord],
    description: Description | None,
    history: History | None,
    now: datetime,
    *,
    is_gone: bool = False,
) -> tuple[str, ...]:
    """Return the possible actions on a task and their commands, a sentence each.

    ``is_gone``: Step Functions does not have the execution.
    """
    newest = attempts[-1]
    if newest.pk != record.pk:
        return (f"A later attempt is {newest.status}: manage.py executions show {newest.pk}",)
    match record.status:
        case TaskStatus.READY:
            return ("It is unsent: the schedule send_outbox sends it every minute, or run manage.py resend_tasks.",)
        case TaskStatus.SENT:
            return ("Its message is in the task queue or, after three failures, a dead letter: manage.py dlq list",)
        case TaskStatus.RUNNING:
            return (_running(record, description),)
        case TaskStatus.SUCCEEDED:
            return (f"Nothing to do. To run it all again: {_restart_command(record)} --even-succeeded",)
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
        return f'To stop it: manage.py executions stop {record.pk} --reason "…"'
    missed = f"It is {description.status} at AWS: that event is late or lost."
    if description.status == TaskStatus.SUCCEEDED:
        return f"{missed} Nothing to do."
    return f"{missed} To redrive it: manage.py executions redrive {record.pk}"


def _redrive(record: TaskRecord, description: Description | None, history: History | None, now: datetime) -> str:
    if why := why_not_redrivable(record, now, description):
        return f"redrive: not possible, {why.problem}"
    states = ", ".join(entry.label for entry in history.running_again) if history else ""
    at = states or "its failed states"
    version = f" (version {description.version})" if description and description.version else ""
    return (
        f"redrive: continues from {at}, by the definition that it started with{version}; finished states keep their "
        f"results. manage.py executions redrive {record.pk}"
    )


def _restart(record: TaskRecord, attempts: Sequence[TaskRecord]) -> str:
    if why := why_not_restartable(record, attempts, even_succeeded=False):
        return f"restart: not possible, {why.problem} {why.remedy}"
    new_id = next_attempt_id(attempts)
    return f"restart: starts {new_id} from the first state, by the current definition. {_restart_command(record)}"


def _restart_command(record: TaskRecord) -> str:
    return f"manage.py executions restart {record.pk}"
