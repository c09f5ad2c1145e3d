"""The instances of Lambda functions: how many may run at a time, which are warm, and what waits or is throttled.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from deploy.capacity.clock import Clock

# AWS does not say how long an idle instance is kept; some minutes are what is seen. Coarse.
KEPT_WARM_SECONDS = 300.0

type Done = Callable[[], None]


@dataclass
class Share:
    """Concurrency that is set aside for one function, or what all the others have together."""

    limit: int
    busy: int = 0

    @property
    def has_room(self) -> bool:
        """Whether one more instance may run."""
        return self.busy < self.limit


class Instances:
    """The instances of one function. ``duration`` draws the seconds of one invocation, without a cold start."""

    def __init__(self, clock: Clock, share: Share, duration: Callable[[], float], cold_seconds: float = 0.0) -> None:
        self._clock, self._share, self._duration, self._cold_seconds = clock, share, duration, cold_seconds
        self._idle: list[float] = []
        self._waiting: deque[Done] = deque()
        self.busy = self.peak = self.invocations = self.cold_starts = self.throttles = 0

    def invoke(self, done: Done) -> bool:
        """Invoke the function, which calls ``done`` at its end; or answer False: throttled."""
        if not self._share.has_room:
            self.throttles += 1
            return False
        self._begin(done)
        return True

    def submit(self, done: Done) -> None:
        """Invoke the function as soon as it has room, as an event: Lambda itself keeps it that long.

        Coarse: in order and without Lambda's backoff of up to five minutes.
        """
        if self._share.has_room:
            self._begin(done)
        else:
            self._waiting.append(done)

    def acquire(self) -> float:
        """Take an instance, and return the seconds until its code begins: those of a cold start, or 0."""
        self._share.busy += 1
        self.busy += 1
        self.invocations += 1
        self.peak = max(self.peak, self.busy)
        return self._start_seconds()

    def release(self) -> None:
        """Give an instance back, which stays warm for a while."""
        self._share.busy -= 1
        self.busy -= 1
        self._idle.append(self._clock.now)
        if self._waiting and self._share.has_room:
            self._begin(self._waiting.popleft())

    def seconds(self) -> float:
        """Draw how long an invocation's code takes."""
        return self._duration()

    def _begin(self, done: Done) -> None:
        self._clock.after(self.acquire() + self._duration(), self._end, done)

    def _end(self, done: Done) -> None:
        self.release()
        done()

    def _start_seconds(self) -> float:
        if self._idle and self._clock.now - self._idle[-1] <= KEPT_WARM_SECONDS:
            self._idle.pop()
            return 0.0
        self._idle.clear()  # the last to become idle has gone, so the others have
        self.cold_starts += 1
        return self._cold_seconds
