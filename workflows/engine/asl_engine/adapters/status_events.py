"""The events that Step Functions sends to EventBridge when an execution's status changes.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from asl_engine.adapters.services import ServiceClients
from asl_engine.jsontext import Json, dumps, size_bytes
from asl_engine.store.records import ExecutionRecord

SOURCE = "aws.states"
DETAIL_TYPE = "Step Functions Execution Status Change"
MAX_TEXT_BYTES = 248 * 1024  # of input and output, escaped as in the event
MAX_ENTRIES = 10  # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
ATTEMPTS = 5

logger = logging.getLogger(__name__)


def detail_of(record: ExecutionRecord) -> dict[str, Json]:
    """Return the event's ``detail``, without an input or output that is too large."""
    output_bytes = _escaped_bytes(record.output)
    output_fits = output_bytes <= MAX_TEXT_BYTES
    input_fits = _escaped_bytes(record.input) + output_bytes <= MAX_TEXT_BYTES
    redrive_status, reason = record.redrivability()
    detail = {name: value for name, value in record.description().items() if name not in ("mapRunArn", "traceHeader")}
    return detail | {
        "input": record.input if input_fits else None,
        "inputDetails": {"included": input_fits},
        "output": record.output if output_fits else None,
        "outputDetails": None if record.output is None else {"included": output_fits},
        "redriveStatus": redrive_status,
        "redriveStatusReason": reason,
    }


def entry_of(record: ExecutionRecord, source: str = SOURCE) -> dict[str, Any]:
    """Return an execution's status change as an entry for PutEvents."""
    return {
        "Source": source,
        "DetailType": DETAIL_TYPE,
        "Detail": dumps(detail_of(record)),
        "Resources": [record.arn],
    }


class EventBridgeStatusEvents:
    """Puts status changes on the default event bus, in order, from its own thread.

    ``source`` is for a local event bus that reserves ``aws.states``. Entries that the bus does not accept
    after ``ATTEMPTS`` are logged and dropped, as no execution depends on them.
    """

    def __init__(
        self, clients: ServiceClients, source: str = SOURCE, pause: Callable[[float], None] | None = None
    ) -> None:
        self._clients, self._source = clients, source
        self._waiting: queue.SimpleQueue[ExecutionRecord | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._thread = threading.Thread(target=self._run, name="status-events", daemon=True)
        self._thread.start()

    def publish(self, record: ExecutionRecord) -> None:
        """Queue a status change."""
        self._waiting.put(record)

    def close(self, timeout_seconds: float = 5) -> None:
        """Put the queued changes and stop."""
        self._waiting.put(None)
        self._thread.join(timeout_seconds)
        self._stopping.set()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._put([entry_of(record, self._source) for record in batch])

    def _next_batch(self) -> list[ExecutionRecord]:
        """Return the queued changes for one call, none at the end."""
        first = self._waiting.get()
        batch = [] if first is None else [first]
        while batch and len(batch) < MAX_ENTRIES:
            try:
                record = self._waiting.get_nowait()
            except queue.Empty:
                break
            if record is None:
                self._waiting.put(None)  # the end, for the next round
                break
            batch.append(record)
        return batch

    def _put(self, entries: list[dict[str, Any]]) -> None:
        problem: object = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(0.2 * 2**attempt)
            try:
                answers = self._clients.client("events").put_events(Entries=entries)["Entries"]
            except Exception as error:  # noqa: BLE001  the engine continues after any fault of the bus
                problem = error
                continue
            refused = [
                (entry, answer) for entry, answer in zip(entries, answers, strict=True) if "EventId" not in answer
            ]
            if not refused:
                return
            entries, problem = [entry for entry, _ in refused], refused[0][1]
        logger.error("%d status events were dropped, as EventBridge did not accept them: %s", len(entries), problem)


def _escaped_bytes(text: str | None) -> int:
    return 0 if text is None else size_bytes(dumps(text))
