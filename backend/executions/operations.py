"""What operators do with executions, in one place: for commands and pages, which ask nothing of AWS themselves.

Apart from ``executions.services``, so that no function's package carries it. To read: ``executions.queries`` for
lists, ``inspect_task`` and ``task_history`` for one. To act: a plan that can be shown, then the plan carried out;
what can not be done raises OperationRefused, whose text is a sentence for the user.
"""

from executions.acting import Deed, Deeds, LeftOut
from executions.advice import DIFFERENCE, REPEATED
from executions.execution_stops import PlannedStop, check_stop, plan_stops, stop_all
from executions.histories import Event, History, Outcome, StateVisit
from executions.inspection import Inspection, inspect_task, task_history
from executions.redriving import (
    PlannedRedrive,
    RedrivePlan,
    check_redrive_pace,
    plan_redrives,
    plan_redrives_of,
    redrive_all,
    states_that_run_again,
)
from executions.refusals import OperationFailed, OperationRefused, OperationStopped
from executions.restarting import PlannedRestart, RestartPlan, plan_restarts, plan_restarts_of, restart_all

__all__ = [
    "DIFFERENCE",
    "REPEATED",
    "Deed",
    "Deeds",
    "Event",
    "History",
    "Inspection",
    "LeftOut",
    "OperationFailed",
    "OperationRefused",
    "OperationStopped",
    "Outcome",
    "PlannedRedrive",
    "PlannedRestart",
    "PlannedStop",
    "RedrivePlan",
    "RestartPlan",
    "StateVisit",
    "check_redrive_pace",
    "check_stop",
    "inspect_task",
    "plan_redrives",
    "plan_redrives_of",
    "plan_restarts",
    "plan_restarts_of",
    "plan_stops",
    "redrive_all",
    "restart_all",
    "states_that_run_again",
    "stop_all",
    "task_history",
]
