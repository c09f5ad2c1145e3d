"""Dispatches the messages of one batch side by side, and tells what became of each.

Powertools' asynchronous batch processor calls for each record and reports those that raised; a start
itself blocks, so it runs in a thread. Messages of one FIFO group take turns, in the order they came.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from lambdas.dispatch_tasks.starts import STARTS_AT_A_TIME, NoTimeLeft, Start, StartFailed
from qu_workflows.protocol.message import ExecutionStart, MessageRejected, read_message, task_id_of
from qu_workflows.protocol.traces import DEFAULT_SAMPLED_PERCENT, trace_header

type StartExecution = Callable[[ExecutionStart, str | None], Start]
type Report = Callable[["Outcome"], None]

# By default a batch that failed as a whole raises, which hides from Lambda which messages it was.
_processor = AsyncBatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
_threads = ThreadPoolExecutor(STARTS_AT_A_TIME)


class Status(StrEnum):
    """What became of a message. All but the first two are reported, and received again."""

    STARTED = "started"
    ALREADY_STARTED = "already_started"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    FAILED = "failed"
    HELD_BACK = "held_back"


class EarlierMessageFailed(StartFailed):
    """An earlier message of the same group failed, and a FIFO queue keeps the order."""


@dataclass(frozen=True)
class Message:
    """One record of the batch, and what its body asks for."""

    message_id: str
    body: str
    receive_count: int
    group: str | None
    trace_header: str | None
    asks_for: ExecutionStart | Exception

    @property
    def task_id(self) -> str | None:
        """The task id, as far as the body tells it."""
        return self.asks_for.name if isinstance(self.asks_for, ExecutionStart) else task_id_of(self.body)


@dataclass(frozen=True)
class Outcome:
    """What became of a message; ``error`` says why it is reported."""

    message: Message
    status: Status
    error: Exception | None = None


def dispatch(
    event: dict[str, Any], start: StartExecution, report: Report, sampled_percent: int = DEFAULT_SAMPLED_PERCENT
) -> PartialItemFailureResponse:
    """Start what each SQS record asks for, report every outcome, and answer which messages failed.

    ``sampled_percent``: how many of the tasks are traced that do not bring a tracing header.
    """
    batch = _Batch(start, report, sampled_percent)
    return async_process_partial_response(event=event, record_handler=batch.dispatch, processor=_processor)


@dataclass
class _Lane:
    """What has to go in order: the messages of one FIFO group; any other message has a lane to itself."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    failed: Message | None = None


class _Batch:
    def __init__(self, start: StartExecution, report: Report, sampled_percent: int) -> None:
        self._start, self._report, self._sampled_percent = start, report, sampled_percent
        self._lanes: defaultdict[tuple[str, str], _Lane] = defaultdict(_Lane)

    async def dispatch(self, record: SQSRecord) -> None:
        """Start what one record asks for. Raises its error, by which the processor reports the message."""
        message = _read(record.raw_event, self._sampled_percent)
        lane = self._lanes[("group", message.group) if message.group else ("message", message.message_id)]
        async with lane.turn:
            if lane.failed:
                outcome = _hold_back(message, lane.failed)
            else:
                outcome = await asyncio.get_running_loop().run_in_executor(
                    _threads, _dispatch_one, message, self._start
                )
            if outcome.error:
                lane.failed = lane.failed or message
        self._report(outcome)
        if outcome.error:
            raise outcome.error


def _read(record: dict[str, Any], sampled_percent: int) -> Message:
    message_id, body, attributes = record["messageId"], record["body"], record.get("attributes", {})
    in_order = record.get("eventSourceARN", "").endswith(".fifo")
    asks_for: ExecutionStart | Exception
    try:
        asks_for = read_message(body, message_id)
    except Exception as error:  # noqa: BLE001  a bug that one body brings out must not fail the others
        asks_for = error
    return Message(
        message_id,
        body,
        int(attributes.get("ApproximateReceiveCount", 1)),
        attributes.get("MessageGroupId") if in_order else None,
        attributes.get("AWSTraceHeader") or _new_trace(asks_for, attributes, sampled_percent),
        asks_for,
    )


def _new_trace(asks_for: ExecutionStart | Exception, attributes: dict[str, str], sampled_percent: int) -> str | None:
    """Return the header of a trace that begins here: EventBridge Scheduler sends none with its messages."""
    if isinstance(asks_for, Exception) or "SentTimestamp" not in attributes:
        return None
    sent_at = datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    return trace_header(asks_for.name, sent_at, sampled_percent)


def _hold_back(message: Message, failed: Message) -> Outcome:
    error = EarlierMessageFailed(
        f"group {message.group}", f"message {failed.message_id} before it failed.", "Mend that one."
    )
    return Outcome(message, Status.HELD_BACK, error)


def _dispatch_one(message: Message, start: StartExecution) -> Outcome:
    if isinstance(message.asks_for, Exception):
        known = isinstance(message.asks_for, MessageRejected)
        return Outcome(message, Status.REJECTED if known else Status.FAILED, message.asks_for)
    try:
        return Outcome(message, Status(start(message.asks_for, message.trace_header)))
    except NoTimeLeft as error:
        return Outcome(message, Status.THROTTLED, error)
    except Exception as error:  # noqa: BLE001  StartRefused, or a bug that must not fail the other messages
        return Outcome(message, Status.FAILED, error)
