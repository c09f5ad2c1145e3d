"""The public face for reading: lists, one task in full, histories, definitions, samples. Changes nothing."""

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
from qu_workflows.executions.inspection import DIFFERENCE, Inspection, advise, inspect_task, task_history
from qu_workflows.executions.redrivability import (
    REDRIVABLE_DAYS,
    is_at_step_functions,
    redrivable,
    redrivable_until,
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
from qu_workflows.executions.state_machines import Deployed, clear_state_machines, deployed
from qu_workflows.executions.step_logs import StepLog, function_of, step_log
from qu_workflows.executions.stopping import MAX_REASON_LENGTH, why_not_stoppable
from qu_workflows.executions.workflow_statistics import Contract, Machine, contracts_of, find_machine, list_machines

__all__ = [
    "COUNTED",
    "DEFINITION_OF_FILES",
    "DEFINITION_UNKNOWN",
    "DIFFERENCE",
    "MAX_REASON_LENGTH",
    "REDRIVABLE_DAYS",
    "Contract",
    "Deployed",
    "EdgeCounts",
    "EntryDetails",
    "Event",
    "ExecutionSnapshot",
    "History",
    "Inspection",
    "Machine",
    "StateAttempt",
    "StateEntry",
    "StateOutcome",
    "StepLog",
    "StepStatistics",
    "TaskFilter",
    "TaskPage",
    "TaskRow",
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
    "find_machine",
    "find_record",
    "function_of",
    "inspect_task",
    "is_at_step_functions",
    "iterations_of",
    "list_machines",
    "next_attempt_id",
    "read_moment",
    "redrivable",
    "redrivable_until",
    "redrive_token",
    "row_of",
    "search_tasks",
    "snapshot_of",
    "step_log",
    "step_statistics",
    "task_history",
    "values_of",
    "why_not_redrivable",
    "why_not_restartable",
    "why_not_stoppable",
    "worst",
]
