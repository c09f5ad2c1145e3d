"""SQS's own move of a dead-letter queue: start, follow and cancel it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import QueuePair, sqs_refusals
from qu_workflows.dead_letters.receiving import QueuePass
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import ListMessageMoveTasksResultEntryTypeDef

POLL_SECONDS = 2.0
# Polls for a move that was just started, before it counts as not listed.
MAX_UNSEEN_POLLS = 15
_UNKNOWN_ACTION = frozenset(
    {"InvalidAction", "UnknownOperation", "UnknownOperationException", "UnsupportedOperation", "NotImplemented"}
)
_GOING_ON = frozenset({"RUNNING", "CANCELLING"})
_GOOD_ENDS = frozenset({"COMPLETED", "CANCELLED"})
_NOT_RUNNING = frozenset({"ResourceNotFoundException", "UnsupportedOperation"})


def is_supported(pair: QueuePair) -> bool:
    """Return whether the endpoint can move messages itself.

    Raises OperationRefused while a move of this queue is running: SQS allows one at a time.
    """
    with sqs_refusals():
        try:
            latest = _latest(pair)
        except ClientError as error:
            if _code(error) in _UNKNOWN_ACTION:
                return False
            raise
    if latest.get("Status") in _GOING_ON:
        raise OperationRefused(
            pair.dlq_name,
            f"is already being moved by SQS ({latest.get('ApproximateNumberOfMessagesMoved', 0):,} so far).",
            f"Wait until the move ends, or run: {_how_to_cancel(latest.get('TaskHandle', '…'))}",
        )
    return True


def move_all(pair: QueuePair, per_second: int, run: QueuePass) -> str:
    """Let SQS move all messages, and return its final status; ``run.stop`` cancels the move.

    The result's count is SQS's approximate number. SQS continues if this process dies. The destination is given
    because dead letters from EventBridge Scheduler have no source queue. Raises OperationRefused or OperationFailed
    when the move could not be started or is no longer listed.
    """
    with sqs_refusals():
        begun_before = _latest(pair).get("StartedTimestamp")
        handle = aws.sqs().start_message_move_task(
            SourceArn=pair.dlq_arn, DestinationArn=pair.queue_arn, MaxNumberOfMessagesPerSecond=per_second
        )["TaskHandle"]
    why = "SQS does not list it"
    try:
        if status := _follow(pair, handle, begun_before, run):
            return status
    except (ClientError, BotoCoreError) as error:
        why = f"{type(error).__name__}: {error}"
    raise OperationFailed(
        pair.dlq_name,
        f"is being moved by SQS, which continues although its progress is unknown ({why}).",
        f"manage.py dlq redrive refuses to start until it has ended. To cancel it: {_how_to_cancel(handle)}",
    )


def _follow(pair: QueuePair, handle: str, begun_before: int | None, run: QueuePass) -> str | None:
    is_cancelled, unseen_polls = False, 0
    while unseen_polls < MAX_UNSEEN_POLLS:
        latest = _latest(pair)
        if latest.get("StartedTimestamp") == begun_before:  # still the previous move
            unseen_polls += 1
        else:
            run.result.count = latest.get("ApproximateNumberOfMessagesMoved", 0)
            run.report(run.result)
            if latest.get("Status") not in _GOING_ON:
                return _end(latest, run)
        if run.stop.is_set() and not is_cancelled:
            is_cancelled = True
            _cancel(handle)
        (Event() if is_cancelled else run.stop).wait(POLL_SECONDS)
    return None


def _end(latest: "ListMessageMoveTasksResultEntryTypeDef", run: QueuePass) -> str:
    status = latest.get("Status", "UNKNOWN")
    run.result.error = latest.get("FailureReason", "")
    if status not in _GOOD_ENDS and not run.result.error:
        run.result.error = f"SQS reports {status} without a reason"
    run.result.was_stopped = status == "CANCELLED"
    return status


def _how_to_cancel(handle: str) -> str:
    return f"aws sqs cancel-message-move-task --task-handle {handle}"


def _cancel(handle: str) -> None:
    """Cancel a move, unless it has ended meanwhile."""
    try:
        aws.sqs().cancel_message_move_task(TaskHandle=handle)
    except ClientError as error:
        if _code(error) not in _NOT_RUNNING:
            raise


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]


def _latest(pair: QueuePair) -> "ListMessageMoveTasksResultEntryTypeDef":
    results = aws.sqs().list_message_move_tasks(SourceArn=pair.dlq_arn, MaxResults=1).get("Results", [])
    return results[0] if results else {}
