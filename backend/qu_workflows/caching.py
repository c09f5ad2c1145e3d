"""The platform's cache of slow services' answers.

Each process makes one read per key at a time, in a thread; callers wait for it at most as long as a page may take, and
then get the previous value. So ten open pages cause no more reads than one, and a hanging service delays no page.
Django's cache framework copies values by pickle, and neither shares a read nor serves old values.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Any

from django.db import connections
from django.utils import timezone
from django.utils.translation import gettext as _

from qu_workflows.protocol.refusals import OperationRefused

PAGE_SECONDS = 10.0
_THREADS = 8
_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="caching")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cached[V]:
    """A value and when it was read, both None before the first successful read.

    ``unanswered`` says why there is no newer value, "" if this is the newest.
    """

    value: V | None = None
    as_of: datetime | None = None
    unanswered: str = ""


@dataclass(eq=False)
class _Entry[V]:
    cached: Cached[V]
    version: Hashable = None
    fresh_until: float = float("-inf")
    reading: "Future[None] | None" = None


class Cache[K: Hashable, V]:
    """The answers of one service by key. Thread-safe; none of its methods raises.

    ``read`` gets the key and the previous value, None at first; it may use the database and raise
    OperationRefused, and must not use another cache. A value is fresh for ``seconds``, or for what that
    returns for it. Above ``capacity``, in units of ``weigh``, the least recently used keys are dropped.
    """

    def __init__(
        self,
        service: str,
        read: Callable[[K, V | None], V],
        seconds: float | Callable[[V], float],
        *,
        retry_seconds: float = 5.0,
        weigh: Callable[[V], int] = lambda _value: 1,
        capacity: int = 1000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service, self._read, self._seconds, self._retry_seconds = service, read, seconds, retry_seconds
        self._weigh, self._capacity, self._clock = weigh, capacity, clock
        self._lock = Lock()
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    def get(self, key: K, wait_seconds: float = PAGE_SECONDS, *, version: Hashable = None) -> Cached[V]:
        """Return a key's value; read it first if it is old or of another ``version``."""
        entry = self._refreshed(key, version)
        reading = entry.reading
        if reading is not None and not wait_for([reading], timeout=max(0.0, wait_seconds)).done:
            return replace(entry.cached, unanswered=_("%(what)s has not answered yet.") % {"what": self._service})
        return entry.cached

    def refresh(self, key: K, *, version: Hashable = None) -> None:
        """Start the read that ``get`` would wait for."""
        self._refreshed(key, version)

    def expire(self, key: K) -> None:
        """Expire a value after a change, so that the next ``get`` starts a new read."""
        with self._lock:
            if entry := self._entries.get(key):
                self._entries[key] = _Entry(entry.cached)

    def clear(self) -> None:
        """Forget every value."""
        with self._lock:
            self._entries.clear()

    def _refreshed(self, key: K, version: Hashable) -> _Entry[V]:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry(Cached()))
            self._entries.move_to_end(key)
            is_fresh = entry.version == version and self._clock() < entry.fresh_until
            if not is_fresh and entry.reading is None:
                entry.reading = _executor.submit(self._read_into, entry, key, version)
            return entry

    def _read_into(self, entry: _Entry[V], key: K, version: Hashable) -> None:
        before = entry.cached
        try:
            value = self._read(key, before.value)
            cached, seconds = Cached(value, timezone.now()), self._seconds_of(value)
        except OperationRefused as refused:
            cached, seconds = replace(before, unanswered=str(refused)), self._retry_seconds
        except Exception as error:
            logger.exception("%s could not be read.", self._service)
            why = f"{self._service}: {type(error).__name__}"
            cached, seconds = replace(before, unanswered=why), self._retry_seconds
        finally:
            connections.close_all()  # this thread's own
        with self._lock:
            entry.cached, entry.version, entry.reading = cached, version, None
            entry.fresh_until = self._clock() + seconds
            self._drop_least_used()

    def _seconds_of(self, value: V) -> float:
        return self._seconds(value) if callable(self._seconds) else self._seconds

    def _drop_least_used(self) -> None:
        weights = {key: self._weight(entry) for key, entry in self._entries.items()}
        total = sum(weights.values())
        while len(self._entries) > 1 and total > self._capacity:
            key, _dropped = self._entries.popitem(last=False)
            total -= weights[key]

    def _weight(self, entry: _Entry[Any]) -> int:
        return self._weigh(entry.cached.value) if entry.cached.value is not None else 1
