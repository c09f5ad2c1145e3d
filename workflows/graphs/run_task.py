"""The run_task workflow: any registered Django task in one step with retries."""

from typing import Any

from workflows.contracts.run_task import FATAL_ERRORS, TRANSIENT_ERRORS, TaskReturn
from workflows.graphs.asl import RETRY_COUNT, LambdaTask, retriers, state_machine

# The maximum of a Lambda function. The function keeps a reserve of it to respond.
TASK_TIMEOUT_SECONDS = 900


def definition() -> dict[str, Any]:
    """Return the state machine. The execution ends with the function's return value as its output."""
    run_task = LambdaTask(
        "Run Task",
        comment="The registered Django task that the input names. Any exception but a fatal one is tried again.",
        payload={"attempt.$": RETRY_COUNT, "input.$": "$"},
        answer=TaskReturn,
        output_path="$.return_value",
        timeout_seconds=TASK_TIMEOUT_SECONDS,
        retry=retriers(transient=TRANSIENT_ERRORS, permanent=FATAL_ERRORS),
    )
    return state_machine("Runs one registered Django task.", run_task, timeout_seconds=2 * 3600)
