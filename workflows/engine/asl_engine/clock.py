"""Clocks of a runner: the machine's, one moved by hand, and one that skips waiting."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """A runner's time and its way of waiting."""

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""
        ...

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        """Return when ``woken`` is set, or at ``until_ms`` (None: never).

        ``busy``: work is under way that will set ``woken``, so a skipping clock must not skip.
        """
        ...


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:  # noqa: ARG002  for a skipping clock
        """Sleep until woken or until the time."""
        if until_ms is None:
            woken.wait()
            return
        seconds = (until_ms - self.now_ms()) / 1000
        if seconds > 0:
            woken.wait(min(seconds, threading.TIMEOUT_MAX))


class SkippableClock(SystemClock):
    """The machine's time, moved forward by hand from any thread, within this process."""

    def __init__(self) -> None:
        self._ahead_ms = 0
        self._lock = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def now_ms(self) -> int:
        """Return the moved time in milliseconds since the epoch."""
        return super().now_ms() + self._ahead_ms

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        """Sleep until woken, until the time, or until the time is moved."""
        with self._lock:
            self._waiting.add(woken)
        super().wait(woken, until_ms, busy=busy)
        with self._lock:
            self._waiting.discard(woken)

    def skip(self, ms: int) -> int:
        """Move the time forward, wake all waiting threads, and return the new time."""
        with self._lock:
            self._ahead_ms += ms
            for woken in self._waiting:
                woken.set()
        return self.now_ms()


class SkippingClock:
    """A time that jumps to the next timer without work, and else stands still.

    A Wait of a year takes no time. ``start_ms`` is by default the machine's time.
    """

    def __init__(self, start_ms: int | None = None) -> None:
        self._now_ms = SystemClock().now_ms() if start_ms is None else start_ms

    def now_ms(self) -> int:
        """Return the skipped time in milliseconds since the epoch."""
        return self._now_ms

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        """Jump to ``until_ms``, or wait for ``woken`` if busy or without a time."""
        if busy or until_ms is None:
            woken.wait()
        elif not woken.is_set():
            self._now_ms = max(self._now_ms, until_ms)

    def skip_to(self, at_ms: int) -> None:
        """Move the time forward to ``at_ms``, unless that is past."""
        self._now_ms = max(self._now_ms, at_ms)
