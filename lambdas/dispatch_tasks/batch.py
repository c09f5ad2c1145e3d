"""Dispatches the messages of one batch side by side, and answers which of them failed.

A start blocks, so it runs in a thread. The messages of one FIFO group are started one after the other, in the order
they came; after the first that fails, the rest of its group is held back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from lambdas.dispatch_tasks.starts import STARTS_AT_A_TIME, NoTimeLeft, StartFailed
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.message import ExecutionStart, read_message, task_id_of
from qu_workflows.protocol.traces import DEFAULT_SAMPLED_PERCENT, trace_header

# Returns False for a task id that was started before.
type StartExecution = Callable[[ExecutionStart, str | None], bool]
type Report = Callable[["DispatchOutcome"], None]

_threads = ThreadPoolExecutor(STARTS_AT_A_TIME)


class DispatchStatus(StrEnum):
    """The outcome of a message. All but the first two are reported, and received again."""

    STARTED = "started"
    ALREADY_STARTED = "already_started"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    FAILED = "failed"
    HELD_BACK = "held_back"


class EarlierMessageFailed(StartFailed):
    """An earlier message of the same group failed, and a FIFO queue keeps the order."""


@dataclass(frozen=True)
class QueueMessage:
    """One record of the batch, and what its body asks for."""

    message_id: str
    body: str
    receive_count: int
    group: str | None
    trace_header: str | None
    asks_for: ExecutionStart | Exception

    @property
    def task_id(self) -> str | None:
        """The task id, as far as the body has it."""
        return self.asks_for.name if isinstance(self.asks_for, ExecutionStart) else task_id_of(self.body)


@dataclass(frozen=True)
class DispatchOutcome:
    """The status of a message; ``error`` says why it is reported."""

    message: QueueMessage
    status: DispatchStatus
    error: Exception | None = None


def dispatch(
    event: dict[str, Any], start: StartExecution, report: Report, sampled_percent: int = DEFAULT_SAMPLED_PERCENT
) -> dict[str, Any]:
    """Start what each SQS record asks for, report every outcome, and answer which messages failed.

    ``sampled_percent``: how many of the tasks are traced that do not bring a tracing header.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    failed = []
    messages = (_read(record, sampled_percent) for record in event["Records"])
    for outcomes in _threads.map(lambda in_order: _dispatch(in_order, start), _in_order(messages)):
        for outcome in outcomes:
            report(outcome)
            if outcome.error:
                failed.append({"itemIdentifier": outcome.message.message_id})
    return {"batchItemFailures": failed}


def _in_order(messages: Iterable[QueueMessage]) -> Iterable[Sequence[QueueMessage]]:
    """Return what has to go in order: the messages of each FIFO group, and each other message by itself."""
    lanes: defaultdict[tuple[str, str], list[QueueMessage]] = defaultdict(list)
    for message in messages:
        lanes["group" if message.group else "message", message.group or message.message_id].append(message)
    return lanes.values()


def _dispatch(messages: Sequence[QueueMessage], start: StartExecution) -> list[DispatchOutcome]:
    outcomes: list[DispatchOutcome] = []
    for message in messages:
        failed = next((outcome.message for outcome in outcomes if outcome.error), None)
        outcomes.append(_hold_back(message, failed) if failed else _dispatch_one(message, start))
    return outcomes


def _hold_back(message: QueueMessage, failed: QueueMessage) -> DispatchOutcome:
    error = EarlierMessageFailed(
        f"group {message.group}", f"message {failed.message_id} before it failed.", "Correct that one."
    )
    return DispatchOutcome(message, DispatchStatus.HELD_BACK, error)


def _dispatch_one(message: QueueMessage, start: StartExecution) -> DispatchOutcome:
    if isinstance(message.asks_for, Exception):
        known = isinstance(message.asks_for, MessageRejected)
        return DispatchOutcome(message, DispatchStatus.REJECTED if known else DispatchStatus.FAILED, message.asks_for)
    try:
        is_new = start(message.asks_for, message.trace_header)
        return DispatchOutcome(message, DispatchStatus.STARTED if is_new else DispatchStatus.ALREADY_STARTED)
    except NoTimeLeft as error:
        return DispatchOutcome(message, DispatchStatus.THROTTLED, error)
    except Exception as error:  # noqa: BLE001  StartRefused, or a bug that must not fail the other messages
        return DispatchOutcome(message, DispatchStatus.FAILED, error)


def _read(record: dict[str, Any], sampled_percent: int) -> QueueMessage:
    message_id, body, attributes = record["messageId"], record["body"], record.get("attributes", {})
    is_fifo = record.get("eventSourceARN", "").endswith(".fifo")
    asks_for: ExecutionStart | Exception
    try:
        asks_for = read_message(body, message_id)
    except Exception as error:  # noqa: BLE001  a bug that one body brings out must not fail the others
        asks_for = error
    return QueueMessage(
        message_id,
        body,
        int(attributes.get("ApproximateReceiveCount", 1)),
        attributes.get("MessageGroupId") if is_fifo else None,
        attributes.get("AWSTraceHeader") or _new_trace(asks_for, attributes, sampled_percent),
        asks_for,
    )


def _new_trace(asks_for: ExecutionStart | Exception, attributes: dict[str, str], sampled_percent: int) -> str | None:
    """Return the header of a trace that begins here: EventBridge Scheduler sends none with its messages."""
    if isinstance(asks_for, Exception) or "SentTimestamp" not in attributes:
        return None
    sent_at = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    return trace_header(asks_for.name, sent_at, sampled_percent)
