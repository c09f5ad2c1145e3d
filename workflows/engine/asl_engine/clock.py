"""Time as an argument: the one of this machine, that time moved forward, or one that skips to the next thing due."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """The time of a runner, and how it waits."""

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""
        ...

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        """Return when ``woken`` is set, or once it is ``until_ms`` (None: never).

        ``busy`` says that work is under way that will set ``woken`` by itself: only then must time
        that can be skipped not be.
        """
        ...


class SystemClock:
    """The time of this machine."""

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:  # noqa: ARG002  only a skipping clock asks
        """Sleep until woken, or until the time has come."""
        if until_ms is None:
            woken.wait()
            return
        seconds = (until_ms - self.now_ms()) / 1000
        if seconds > 0:
            woken.wait(min(seconds, threading.TIMEOUT_MAX))


class SkippableClock(SystemClock):
    """The time of this machine, which can be moved forward by hand, from any thread.

    It goes on from there as fast as before. How far it was moved is not kept: another process begins with
    the time of the machine.
    """

    def __init__(self) -> None:
        self._ahead_ms = 0
        self._lock = threading.Lock()
        self._waiting: set[threading.Event] = set()

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch, moved forward."""
        return super().now_ms() + self._ahead_ms

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        """Sleep until woken, until the time has come, or until it is moved."""
        with self._lock:
            self._waiting.add(woken)
        super().wait(woken, until_ms, busy=busy)
        with self._lock:
            self._waiting.discard(woken)

    def skip(self, ms: int) -> int:
        """Move forward by so many milliseconds, 0 or more; the time it is then. Who waits looks at the time again."""
        with self._lock:
            self._ahead_ms += ms
            for woken in self._waiting:
                woken.set()
        return self.now_ms()


class SkippingClock:
    """A time that stands still while there is work, and jumps to the next timer when there is none.

    A year of Wait takes as long as the states around it. It begins at ``start_ms``, by default now.
    """

    def __init__(self, start_ms: int | None = None) -> None:
        self._now_ms = SystemClock().now_ms() if start_ms is None else start_ms

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch that have been skipped to."""
        return self._now_ms

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        """Jump to ``until_ms`` unless work is under way; with nothing to jump to, wait for what may come."""
        if busy or until_ms is None:
            woken.wait()
        elif not woken.is_set():
            self._now_ms = max(self._now_ms, until_ms)

    def skip_to(self, at_ms: int) -> None:
        """Move forward by hand; a time that has passed changes nothing."""
        self._now_ms = max(self._now_ms, at_ms)
