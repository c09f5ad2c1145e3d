"""SQS, the event source mapping and the dispatcher: from a task that was sent to a start that Step Functions took.

The dispatcher is ``lambdas/dispatch_tasks``: a batch's starts go side by side, each is tried again for as long as
the function's time allows, and what was throttled to the end comes back after the visibility timeout.
Coarse: one buffer gathers batches, where Lambda's pollers (five at first) each gather their own.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from deploy.capacity.arrivals import Task
from deploy.capacity.clock import Clock
from deploy.capacity.instances import Instances
from lambdas.dispatch_tasks.starts import FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS, RESERVE_SECONDS


@dataclass(frozen=True)
class Delivery:
    """How messages reach the dispatcher: the template's event source mapping, queue and dispatcher."""

    batch_size: int
    maximum_concurrency: int
    window_seconds: float = 1.0
    visibility_timeout_seconds: float = 300.0
    max_receive_count: int = 3
    dispatcher_timeout_seconds: float = 30.0


@dataclass
class Message:
    """A task on the queue, and how often it was received."""

    task: Task
    receive_count: int = 0


@dataclass
class _Batch:
    unsettled: int
    deadline: float


class TaskQueue:
    """The task queue with its mapping. ``start`` starts a task's execution, or answers False: throttled.

    ``dispatcher`` draws the seconds that a message takes besides its call, of ``call_seconds``.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Random,
        delivery: Delivery,
        dispatcher: Instances,
        call_seconds: float,
        start: Callable[[Task], bool],
    ) -> None:
        self._clock, self._rng, self._delivery = clock, rng, delivery
        self._dispatcher, self._call_seconds, self._start = dispatcher, call_seconds, start
        self._ready: deque[Message] = deque()
        self._ready_since: deque[float] = deque()
        self._wakes_at = -1.0
        self._busy = 0
        self.batches = self.throttled_starts = self.returned = self.dead_letters = self.unstarted = 0

    def send(self, task: Task) -> None:
        """Put a task on the queue."""
        self.unstarted += 1
        self._put(Message(task))

    def _put(self, message: Message) -> None:
        self._ready.append(message)
        self._ready_since.append(self._clock.now)
        self._poll()

    def _poll(self) -> None:
        while self._ready and self._busy < self._delivery.maximum_concurrency:
            whole_at = self._ready_since[0] + self._delivery.window_seconds
            if len(self._ready) < self._delivery.batch_size and self._clock.now < whole_at:
                if self._wakes_at < whole_at:
                    self._wakes_at = whole_at
                    self._clock.at(whole_at, self._poll)
                return
            self._deliver(min(len(self._ready), self._delivery.batch_size))

    def _deliver(self, size: int) -> None:
        messages = [self._ready.popleft() for _ in range(size)]
        for _ in messages:
            self._ready_since.popleft()
        self._busy += 1
        self.batches += 1
        batch = _Batch(size, self._clock.now + self._delivery.dispatcher_timeout_seconds)
        for message in messages:
            message.receive_count += 1
        first_at = self._dispatcher.acquire() + self._dispatcher.seconds() * len(messages) + self._call_seconds
        for message in messages:
            self._clock.after(first_at, self._try, message, batch, FIRST_DELAY_SECONDS)

    def _try(self, message: Message, batch: _Batch, delay: float) -> None:
        if self._start(message.task):
            self.unstarted -= 1
            self._settle(batch)
            return
        self.throttled_starts += 1
        wait = self._rng.uniform(0, delay)
        if self._clock.now + wait + RESERVE_SECONDS > batch.deadline:
            self._give_back(message)
            self._settle(batch)
            return
        delay = min(delay * 2, MAX_DELAY_SECONDS)
        self._clock.after(wait + self._call_seconds, self._try, message, batch, delay)

    def _give_back(self, message: Message) -> None:
        self.returned += 1
        if message.receive_count >= self._delivery.max_receive_count:
            self.dead_letters += 1
            self.unstarted -= 1
        else:
            self._clock.after(self._delivery.visibility_timeout_seconds, self._put, message)

    def _settle(self, batch: _Batch) -> None:
        batch.unsettled -= 1
        if not batch.unsettled:
            self._busy -= 1
            self._dispatcher.release()
            self._poll()
