"""SQS's own way to move a dead-letter queue back: started, followed to its end, cancelled.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from qu_workflows.aws import clients as aws
from qu_workflows.aws.queues import QueuePair, sqs_refusals
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import ListMessageMoveTasksResultEntryTypeDef

POLL_SECONDS = 2.0
# How often SQS is asked for a move that was just started before it counts as one that nobody sees.
MAX_UNSEEN_POLLS = 15
_UNKNOWN_ACTION = frozenset(
    {"InvalidAction", "UnknownOperation", "UnknownOperationException", "UnsupportedOperation", "NotImplemented"}
)
_GOING_ON = frozenset({"RUNNING", "CANCELLING"})
_GOOD_ENDS = frozenset({"COMPLETED", "CANCELLED"})
_NOT_RUNNING = frozenset({"ResourceNotFoundException", "UnsupportedOperation"})


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
            f"Wait for its end, or: {_how_to_cancel(latest.get('TaskHandle', '…'))}",
        )
    return True


def move_all(pair: QueuePair, per_second: int, stop: Event, tell: Callable[[int], None]) -> MoveEnd:
    """Have SQS move every message, follow it to its end, and return that; ``stop`` cancels it.

    SQS goes on when this process dies; ``are_known`` then says so. The destination is named: a dead letter that
    EventBridge Scheduler put there has no source queue to go back to. Raises OperationRefused or OperationFailed
    when it could not be started or is no longer seen.
    """
    with sqs_refusals():
        before = _latest(pair) or {}
        handle = aws.sqs().start_message_move_task(
            SourceArn=pair.dlq_arn, DestinationArn=pair.queue_arn, MaxNumberOfMessagesPerSecond=per_second
        )["TaskHandle"]
    try:
        return _follow(pair, handle, before.get("StartedTimestamp"), stop, tell)
    except (ClientError, BotoCoreError) as error:
        raise _unseen(pair, handle, f"{type(error).__name__}: {error}") from error


def _follow(
    pair: QueuePair, handle: str, begun_before: int | None, stop: Event, tell: Callable[[int], None]
) -> MoveEnd:
    is_cancelled, unseen_polls = False, 0
    while unseen_polls < MAX_UNSEEN_POLLS:
        latest = _latest(pair)
        begun = None if latest is None else latest.get("StartedTimestamp", 0)
        if latest is None or begun == begun_before:  # as if it had not begun: the one before it ended long ago
            unseen_polls += 1
        else:
            count = latest.get("ApproximateNumberOfMessagesMoved", 0)
            tell(count)
            if latest.get("Status") not in _GOING_ON:
                return _end(latest, count)
        if stop.is_set() and not is_cancelled:
            is_cancelled = _cancel(handle)
        (Event() if is_cancelled else stop).wait(POLL_SECONDS)
    raise _unseen(pair, handle, "SQS does not list it")


def _end(latest: "ListMessageMoveTasksResultEntryTypeDef", count: int) -> MoveEnd:
    status, failure = latest.get("Status", "UNKNOWN"), latest.get("FailureReason", "")
    if status not in _GOOD_ENDS and not failure:
        failure = f"SQS says {status}, and not why"
    return MoveEnd(status, count, failure)


def _unseen(pair: QueuePair, handle: str, why: str) -> OperationFailed:
    return OperationFailed(
        pair.dlq_name,
        f"is being moved by SQS, which goes on though this command sees it no longer ({why}).",
        f"manage.py dlq redrive says when it is done. To end it: {_how_to_cancel(handle)}",
    )


def _how_to_cancel(handle: str) -> str:
    return f"aws sqs cancel-message-move-task --task-handle {handle}"


def _cancel(handle: str) -> bool:
    """Cancel a move. One that ended meanwhile stays as it is: SQS cancels only what is running."""
    try:
        aws.sqs().cancel_message_move_task(TaskHandle=handle)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code", "").rpartition(".")[2] not in _NOT_RUNNING:
            raise
    return True


def _latest(pair: QueuePair) -> "ListMessageMoveTasksResultEntryTypeDef | None":
    results = aws.sqs().list_message_move_tasks(SourceArn=pair.dlq_arn, MaxResults=1).get("Results", [])
    return results[0] if results else None
