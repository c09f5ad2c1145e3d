"""Callbacks for the end of an execution and for changes of status."""

import logging
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence

from asl_engine.store.records import ExecutionRecord

logger = logging.getLogger(__name__)

type Listener = Callable[[ExecutionRecord], None]

_UNSAVED_KEPT = 1000


class StatusListeners:
    """Calls waiting callbacks once when an execution closes, and listeners at each change of status.

    Both run in the engine's thread and must return at once. Their exceptions are logged and change nothing.
    """

    def __init__(self, find: Callable[[str], ExecutionRecord | None], listeners: Sequence[Listener]) -> None:
        self._find, self._listeners = find, listeners
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, list[Listener]] = defaultdict(list)
        # The last Express executions, which are not stored.
        self._unsaved: OrderedDict[str, ExecutionRecord] = OrderedDict()

    def when_closed(self, arn: str, notify: Listener) -> None:
        """Call ``notify`` when the execution closes, at once if it is closed."""
        self.when_next_closed(arn, notify)
        record = self._unsaved.get(arn) or self._find(arn)
        if record is not None and record.status != "RUNNING":
            self.notify_closed(record)

    def when_next_closed(self, arn: str, notify: Listener) -> None:
        """Call ``notify`` when the execution next closes, even if it is closed now."""
        with self._lock:
            self._waiting[arn].append(notify)

    def notify_closed(self, record: ExecutionRecord) -> None:
        """Call the callbacks that wait for this execution."""
        with self._lock:
            if record.express:
                self._unsaved[record.arn] = record
                if len(self._unsaved) > _UNSAVED_KEPT:
                    self._unsaved.popitem(last=False)
            waiting = self._waiting.pop(record.arn, [])
        for notify in waiting:
            _call(notify, record)

    def notify_status(self, record: ExecutionRecord) -> None:
        """Call the listeners."""
        for listener in self._listeners:
            _call(listener, record)


def _call(notify: Listener, record: ExecutionRecord) -> None:
    try:
        notify(record)
    except Exception:
        logger.exception("%s: the status listener %r failed.", record.arn, notify)
