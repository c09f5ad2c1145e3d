"""The public face for acting: redrive, restart and stop, one execution or many; keep samples.

What cannot be done raises OperationRefused, whose text is a sentence for the user.

One: ``redrive_one``, ``restart_one``, ``stop_one``. Many, by the command: a plan that can be shown (``plan_named``,
``plan_matching``), then ``run_plan``. Many, by a page: ``preview_bulk``, then ``run_bulk`` for each portion.
Every action is in the audit table.
"""

from qu_workflows.executions.bulk import (
    HISTORIES_PREVIEWED,
    PER_SECOND,
    ActionPlan,
    ActionResult,
    ActionResults,
    BulkAction,
    BulkPreview,
    BulkProgress,
    BulkSelection,
    LeftOut,
    check_pace,
    plan_matching,
    plan_named,
    preview_bulk,
    remaining,
    run_bulk,
    run_plan,
)
from qu_workflows.executions.redriving import AlreadyRedriven, redrive_one, states_that_run_again
from qu_workflows.executions.restarting import restart_one
from qu_workflows.executions.samples import keep_sample, sample_histories
from qu_workflows.executions.snapshots import expire_snapshot
from qu_workflows.executions.stopping import MAX_REASON_LENGTH, check_reason, stop_one

__all__ = [
    "HISTORIES_PREVIEWED",
    "MAX_REASON_LENGTH",
    "PER_SECOND",
    "ActionPlan",
    "ActionResult",
    "ActionResults",
    "AlreadyRedriven",
    "BulkAction",
    "BulkPreview",
    "BulkProgress",
    "BulkSelection",
    "LeftOut",
    "check_pace",
    "check_reason",
    "expire_snapshot",
    "keep_sample",
    "plan_matching",
    "plan_named",
    "preview_bulk",
    "redrive_one",
    "remaining",
    "restart_one",
    "run_bulk",
    "run_plan",
    "sample_histories",
    "states_that_run_again",
    "stop_one",
]
