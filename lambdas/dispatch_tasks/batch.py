"""Dispatches the messages of a batch concurrently, in threads.

The messages of a FIFO group are dispatched in order; after a failure, the rest of the group is held back.
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

# Returns False for a task id that was started earlier.
type StartExecution = Callable[[ExecutionStart, str | None], bool]
type Report = Callable[["DispatchOutcome"], None]

_threads = ThreadPoolExecutor(STARTS_AT_A_TIME)


class DispatchStatus(StrEnum):
    """Outcome of a message; all but the first two are failures, received again."""

    STARTED = "started"
    ALREADY_STARTED = "already_started"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    FAILED = "failed"
    HELD_BACK = "held_back"


class EarlierMessageFailed(StartFailed):
    """An earlier message of the same FIFO group failed."""


@dataclass(frozen=True)
class QueueMessage:
    """A record of the batch, with the start that its body requests, or its error."""

    message_id: str
    body: str
    receive_count: int
    group: str | None
    trace_header: str | None
    request: ExecutionStart | Exception

    @property
    def task_id(self) -> str | None:
        """The task id, None if the body has none."""
        return self.request.name if isinstance(self.request, ExecutionStart) else task_id_of(self.body)


@dataclass(frozen=True)
class DispatchOutcome:
    """The status of a message, and why it failed."""

    message: QueueMessage
    status: DispatchStatus
    error: Exception | None = None


def dispatch(
    event: dict[str, Any], start: StartExecution, report: Report, sampled_percent: int = DEFAULT_SAMPLED_PERCENT
) -> dict[str, Any]:
    """Start an execution for each SQS record, report each outcome, and return the failures.

    ``sampled_percent``: share of tasks without a tracing header that are traced.
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
    """Group the messages of each FIFO group; other messages are alone."""
    lanes: defaultdict[tuple[str, str], list[QueueMessage]] = defaultdict(list)
    for message in messages:
        lanes["group" if message.group else "message", message.group or message.message_id].append(message)
    return lanes.values()


def _dispatch(messages: Sequence[QueueMessage], start: StartExecution) -> list[DispatchOutcome]:
    outcomes: list[DispatchOutcome] = []
    for message in messages:
        if failed := next((outcome.message for outcome in outcomes if outcome.error), None):
            problem = f"the earlier message {failed.message_id} failed."
            error = EarlierMessageFailed(f"group {message.group}", problem, "Correct that one.")
            outcomes.append(DispatchOutcome(message, DispatchStatus.HELD_BACK, error))
        else:
            outcomes.append(_dispatch_one(message, start))
    return outcomes


def _dispatch_one(message: QueueMessage, start: StartExecution) -> DispatchOutcome:
    if isinstance(message.request, Exception):
        known = isinstance(message.request, MessageRejected)
        return DispatchOutcome(message, DispatchStatus.REJECTED if known else DispatchStatus.FAILED, message.request)
    try:
        is_new = start(message.request, message.trace_header)
        return DispatchOutcome(message, DispatchStatus.STARTED if is_new else DispatchStatus.ALREADY_STARTED)
    except NoTimeLeft as error:
        return DispatchOutcome(message, DispatchStatus.THROTTLED, error)
    except Exception as error:  # noqa: BLE001  StartRefused, or a bug, which must not fail other messages
        return DispatchOutcome(message, DispatchStatus.FAILED, error)


def _read(record: dict[str, Any], sampled_percent: int) -> QueueMessage:
    message_id, body, attributes = record["messageId"], record["body"], record.get("attributes", {})
    is_fifo = record.get("eventSourceARN", "").endswith(".fifo")
    request: ExecutionStart | Exception
    try:
        request = read_message(body, message_id)
    except Exception as error:  # noqa: BLE001  a bug with one body must not fail other messages
        request = error
    return QueueMessage(
        message_id,
        body,
        int(attributes.get("ApproximateReceiveCount", 1)),
        attributes.get("MessageGroupId") if is_fifo else None,
        attributes.get("AWSTraceHeader") or _new_trace(request, attributes, sampled_percent),
        request,
    )


def _new_trace(request: ExecutionStart | Exception, attributes: dict[str, str], sampled_percent: int) -> str | None:
    """Return the header of a new trace: EventBridge Scheduler sends none."""
    if isinstance(request, Exception) or "SentTimestamp" not in attributes:
        return None
    sent_at = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    return trace_header(request.name, sent_at, sampled_percent)
