"""SQS's own way to move a dead-letter queue back: started, followed to its end, cancelled.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from executions import aws
from executions.queue_pair import QueuePair, said, sqs_refusals
from executions.refusals import OperationRefused

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import ListMessageMoveTasksResultEntryTypeDef

POLL_SECONDS = 2.0
_UNKNOWN_ACTION = frozenset(
    {"InvalidAction", "UnknownOperation", "UnknownOperationException", "UnsupportedOperation", "NotImplemented"}
)
_GOING_ON = frozenset({"RUNNING", "CANCELLING"})


@dataclass(frozen=True)
class MoveEnd:
    """How a move ended: ``count`` is SQS's approximate number of messages moved, ``status`` its own word."""

    status: str
    count: int
    failure: str = ""

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody ended it early; what was moved stays moved."""
        return self.status == "CANCELLED"


def are_known(pair: QueuePair) -> bool:
    """Return whether the endpoint can move messages by itself. Asks only.

    Raises OperationRefused while a move of this queue is going on: there is one at a time.
    """
    with sqs_refusals():
        try:
            latest = _latest(pair)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "").rpartition(".")[2] in _UNKNOWN_ACTION:
                return False
            raise
    if latest is not None and latest.get("Status") in _GOING_ON:
        raise OperationRefused(
            pair.dlq_name,
            f"is being moved by SQS already ({latest.get('ApproximateNumberOfMessagesMoved', 0):,} so far).",
            f"Wait for its end, or: aws sqs cancel-message-move-task --task-handle {latest.get('TaskHandle', '…')}",
        )
    return True


def move_all(pair: QueuePair, per_second: int, stop: Event, tell: Callable[[int], None]) -> MoveEnd:
    """Have SQS move every message, follow it to its end, and return that; ``stop`` cancels it.

    SQS goes on when this process dies; ``are_known`` then says so. The destination is named: a dead letter that
    EventBridge Scheduler put there has no source queue to go back to. Raises OperationRefused or OperationFailed
    when it could not be started or is no longer seen.
    """
    with sqs_refusals():
        handle = aws.sqs().start_message_move_task(
            SourceArn=pair.dlq_arn, DestinationArn=pair.queue_arn, MaxNumberOfMessagesPerSecond=per_second
        )["TaskHandle"]
        is_cancelled = False
        while True:
            latest = _latest(pair) or {}
            count = latest.get("ApproximateNumberOfMessagesMoved", 0)
            tell(count)
            if latest.get("Status") not in _GOING_ON:
                return MoveEnd(latest.get("Status", "UNKNOWN"), count, latest.get("FailureReason", ""))
            if stop.is_set() and not is_cancelled:
                is_cancelled = _cancel(handle)
            _ = stop.wait(POLL_SECONDS) if not is_cancelled else Event().wait(POLL_SECONDS)


def _cancel(handle: str) -> bool:
    try:
        aws.sqs().cancel_message_move_task(TaskHandle=handle)
    except ClientError as error:  # ended meanwhile: SQS cancels only what is running
        if error.response.get("Error", {}).get("Code", "").rpartition(".")[2] == "ResourceNotFoundException":
            return True
        raise said(error, "AWS_SQS_DLQ_URL") from error
    return True


def _latest(pair: QueuePair) -> "ListMessageMoveTasksResultEntryTypeDef | None":
    results = aws.sqs().list_message_move_tasks(SourceArn=pair.dlq_arn, MaxResults=1).get("Results", [])
    return results[0] if results else None
