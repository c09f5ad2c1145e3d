"""Starts one execution per task message: SQS -> Step Functions."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from lambdas.dispatch_tasks.batch import DispatchOutcome, DispatchStatus, dispatch
from lambdas.dispatch_tasks.starts import ExecutionStarter, StartFailed, step_functions
from lambdas.shared.runtime.powertools import count, logger, metrics, traced
from lambdas.shared.runtime.settings import SettingError, read_int, read_text
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.project import register
from qu_workflows.protocol.traces import DEFAULT_SAMPLED_PERCENT
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
# A state machine, or a version or alias of one.
_ARN = re.compile(r"arn:[\w-]+:states:[\w-]+:\d{12}:stateMachine:[^\s:]+(:[^\s:]+)?")
_REMEDY = f'Set it to a JSON object {{"<workflow>": "<state machine ARN>"}} with {", ".join(PROJECT.workflows)}.'


@traced
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start an execution for each record, and return the messages that failed.

    Safe to retry: a task id starts one execution, even if delivered twice. A message that can never be dispatched fails
    each time, which moves it to the dead-letter queue. Raises SettingError.
    """
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    starter = ExecutionStarter(step_functions(), state_machine_arns(), deadline)
    sampled_percent = read_int("TRACE_SAMPLED_PERCENT", DEFAULT_SAMPLED_PERCENT, least=0, most=100)
    try:
        return dispatch(event, starter.start, _report, sampled_percent)
    finally:
        if metrics.metric_set:
            metrics.flush_metrics()


def state_machine_arns() -> Mapping[str, str]:
    """Return the state machine ARN of each workflow, from ``STATE_MACHINE_ARNS``.

    Raises SettingError if a workflow is missing or unknown, or two share a state machine.
    """
    text = read_text("STATE_MACHINE_ARNS")
    if not text:
        raise SettingError("STATE_MACHINE_ARNS", "is not set.", _REMEDY)
    try:
        arns = json.loads(text)
    except ValueError as error:
        raise SettingError("STATE_MACHINE_ARNS", f"is not JSON ({error}).", _REMEDY) from None
    if problem := _problem(arns):
        raise SettingError("STATE_MACHINE_ARNS", problem, _REMEDY)
    return {workflow: arns[workflow] for workflow in PROJECT.workflows}


def _problem(arns: object) -> str:
    if not isinstance(arns, dict):
        return "is not a JSON object."
    if missing := [workflow for workflow in PROJECT.workflows if workflow not in arns]:
        return f"lacks {', '.join(missing)}."
    if unknown := sorted(arns.keys() - set(PROJECT.workflows)):
        return f"names unknown workflows: {', '.join(unknown)}."
    if wrong := [workflow for workflow, arn in arns.items() if not isinstance(arn, str) or not _ARN.fullmatch(arn)]:
        return f"has no state machine ARN for {', '.join(wrong)}."
    if len(set(arns.values())) < len(arns):
        return "gives two workflows the same state machine."
    return ""


def _report(outcome: DispatchOutcome) -> None:
    message, error = outcome.message, outcome.error
    keys = {
        "message_id": message.message_id,
        "task_id": message.task_id,
        "receive_count": message.receive_count,
        "status": outcome.status.value,
    }
    if error is None:
        logger.info("execution started", extra=keys)
    else:
        keys |= {"error": type(error).__name__, "reason": str(error) or repr(error)}
        unexpected = not isinstance(error, MessageRejected | StartFailed)
        logger.error("message not dispatched", extra=keys, exc_info=error if unexpected else None)
    count(METRICS[outcome.status])
