"""Starts one execution per task message: SQS -> Step Functions."""

import time
from typing import Any

from lambdas.dispatch_tasks.batch import DispatchOutcome, DispatchStatus, dispatch
from lambdas.dispatch_tasks.settings import state_machine_arns, trace_sampled_percent
from lambdas.dispatch_tasks.starts import ExecutionStarter, StartFailed, step_functions
from lambdas.shared.runtime.powertools import count, logger, metrics, traced
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.project import register
from workflows.project import PROJECT

register(PROJECT)

METRICS = {
    DispatchStatus.STARTED: "ExecutionsStarted",
    DispatchStatus.ALREADY_STARTED: "ExecutionsAlreadyStarted",
    DispatchStatus.REJECTED: "MessagesRejected",
    DispatchStatus.THROTTLED: "StartsThrottled",
    DispatchStatus.FAILED: "StartsFailed",
    DispatchStatus.HELD_BACK: "MessagesHeldBack",
}


@traced
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start an execution for each record and report the messages that failed, and only those.

    Safe to repeat: a task id starts one execution, whatever is delivered twice. A message that can
    never be dispatched is reported each time, which brings it to the dead-letter queue.
    Raises SettingError when STATE_MACHINE_ARNS is missing or contradicts the catalog.
    """
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    starter = ExecutionStarter(step_functions(), state_machine_arns(), deadline)
    try:
        return dispatch(event, starter.start, _report, trace_sampled_percent())
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()


def _report(outcome: DispatchOutcome) -> None:
    _log(outcome)
    count(METRICS[outcome.status])


def _log(outcome: DispatchOutcome) -> None:
    message, error = outcome.message, outcome.error
    keys = {
        "message_id": message.message_id,
        "task_id": message.task_id,
        "receive_count": message.receive_count,
        "status": outcome.status.value,
    }
    if error is None:
        logger.info("execution started", extra=keys)
        return
    keys |= {"error": type(error).__name__, "reason": str(error) or repr(error)}
    unforeseen = not isinstance(error, MessageRejected | StartFailed)
    logger.error("message not dispatched", extra=keys, exc_info=error if unforeseen else None)
