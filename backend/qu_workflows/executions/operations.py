"""What operators do with executions, in one place: for commands and pages, which ask nothing of AWS themselves.

Apart from ``tasks.services``, so that no function's package carries it. To read: ``queries`` for
lists, ``inspect_task`` and ``task_history`` for one. To act: a plan that can be shown, then the plan carried out;
what can not be done raises OperationRefused, whose text is a sentence for the user.
"""

from qu_workflows.executions.acting import Deed, Deeds, LeftOut
from qu_workflows.executions.advice import DIFFERENCE, REPEATED
from qu_workflows.executions.histories import Event, History, Outcome, StateVisit
from qu_workflows.executions.inspection import Inspection, inspect_task, task_history
from qu_workflows.executions.redriving import (
    PlannedRedrive,
    RedrivePlan,
    check_redrive_pace,
    plan_redrives,
    plan_redrives_of,
    redrive_all,
    states_that_run_again,
)
from qu_workflows.executions.restarting import PlannedRestart, RestartPlan, plan_restarts, plan_restarts_of, restart_all
from qu_workflows.executions.stopping import PlannedStop, check_stop, plan_stops, stop_all
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused, OperationStopped

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
