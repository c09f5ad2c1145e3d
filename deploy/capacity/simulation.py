"""One run: tasks go through queue, dispatcher, quotas and steps of a stage, and what became of each is measured."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from deploy.capacity import figures
from deploy.capacity.arrivals import Task
from deploy.capacity.buckets import TokenBucket
from deploy.capacity.clock import Clock
from deploy.capacity.executions import Executions
from deploy.capacity.instances import Instances, Share
from deploy.capacity.queue import Delivery, TaskQueue
from deploy.capacity.shapes import shape_of_workflow
from deploy.packages.functions import FUNCTIONS

MINUTE_SECONDS = 60
RECORDER, DISPATCHER = "record_execution_status", "dispatch_tasks"


@dataclass
class Fate:
    """What became of one task: seconds of its start and end, None if there was none."""

    task: Task
    started_at: float | None = None
    ended_at: float | None = None
    succeeded: bool = False

    @property
    def start_latency(self) -> float:
        """Seconds from sent to started; endless if it never was."""
        return math.inf if self.started_at is None else self.started_at - self.task.sent_at

    @property
    def latency(self) -> float:
        """Seconds from sent to its end; endless if that never came."""
        return math.inf if self.ended_at is None else self.ended_at - self.task.sent_at


@dataclass(frozen=True)
class Minute:
    """How it stood at the end of a minute: tasks without an execution yet, and executions that run."""

    unstarted: int
    running: int


@dataclass(frozen=True)
class Outcome:
    """What a run came to. ``peaks``: most instances at a time, by function."""

    fates: Sequence[Fate]
    minutes: Sequence[Minute]
    batches: int
    throttled_starts: int
    returned: int
    dead_letters: int
    throttled_invocations: int
    peaks: Mapping[str, int]
    transitions: int

    @property
    def failed(self) -> int:
        """How many executions ended as FAILED: a function was throttled at every attempt."""
        return sum(fate.ended_at is not None and not fate.succeeded for fate in self.fates)


@dataclass
class Simulation:
    """A stage: its mapping, and how many instances each function with a database may have.

    ``attempts``: as often is a throttled function tried again, instead of as the definitions say.
    """

    delivery: Delivery
    per_function: int
    seed: int = 1
    attempts: int | None = None
    clock: Clock = field(default_factory=Clock)

    def run(self, tasks: Iterable[Task]) -> Outcome:
        """Send the tasks, each at its time, and return what became of them when all have ended. Once per object."""
        rng = Random(self.seed)  # noqa: S311  simulates, hides nothing
        functions = self._functions(rng)
        executions = Executions(
            self.clock,
            rng,
            TokenBucket(figures.STARTS_BUCKET, figures.STARTS_PER_SECOND),
            TokenBucket(figures.TRANSITIONS_BUCKET, figures.TRANSITIONS_PER_SECOND),
            functions,
            figures.ANSWER_SECONDS,
            self.attempts,
        )
        ledger = _Ledger(self.clock, executions, functions[RECORDER])
        queue = TaskQueue(self.clock, rng, self.delivery, functions[DISPATCHER], figures.CALL_SECONDS, ledger.start)
        for task in tasks:
            self.clock.at(task.sent_at, self._send, ledger, queue, task)
        ledger.watch(queue)
        self.clock.run()
        return _outcome(ledger, queue, executions, functions)

    def _send(self, ledger: "_Ledger", queue: TaskQueue, task: Task) -> None:
        ledger.enter(task)
        queue.send(task)

    def _functions(self, rng: Random) -> dict[str, Instances]:
        reserved = {one.name: self.per_function for one in FUNCTIONS if one.needs_database}
        reserved[DISPATCHER] = self.delivery.maximum_concurrency
        others = Share(figures.LAMBDA_CONCURRENCY - sum(reserved.values()))
        return {
            one.name: Instances(
                self.clock,
                Share(reserved[one.name]) if one.name in reserved else others,
                _seconds_of(one.name, rng),
                figures.cold_seconds(one.name),
            )
            for one in FUNCTIONS
        }


class _Ledger:
    """Starts tasks' executions, and keeps what became of each; its changes of status are recorded, as events are."""

    def __init__(self, clock: Clock, executions: Executions, recorder: Instances) -> None:
        self._clock, self._executions, self._recorder = clock, executions, recorder
        self.fates: dict[int, Fate] = {}
        self.minutes: list[Minute] = []
        self.unended = self.running = 0

    def enter(self, task: Task) -> None:
        self.fates[id(task)] = Fate(task)
        self.unended += 1

    def start(self, task: Task) -> bool:
        fate = self.fates[id(task)]
        if not self._executions.start(shape_of_workflow(task.workflow), task.items, partial(self._end, fate)):
            return False
        if fate.started_at is not None:
            raise AssertionError(f"{task} was started twice.")
        fate.started_at = self._clock.now
        self.running += 1
        self._recorder.submit(_nothing)
        return True

    def _end(self, fate: Fate, succeeded: bool) -> None:
        fate.ended_at, fate.succeeded = self._clock.now, succeeded
        self.running -= 1
        self._recorder.submit(_nothing)

    def watch(self, queue: TaskQueue) -> None:
        """Look how it stands every minute, as long as anything else is to happen."""
        self.minutes.append(Minute(queue.unstarted, self.running))
        if self._clock.has_more:
            self._clock.after(MINUTE_SECONDS, self.watch, queue)


def _nothing() -> None:
    pass


def _seconds_of(function: str, rng: Random) -> Callable[[], float]:
    median, spread = figures.seconds_and_spread(function)
    return partial(rng.lognormvariate, math.log(median), spread)


def _outcome(ledger: _Ledger, queue: TaskQueue, executions: Executions, functions: Mapping[str, Instances]) -> Outcome:
    return Outcome(
        list(ledger.fates.values()),
        ledger.minutes,
        queue.batches,
        queue.throttled_starts,
        queue.returned,
        queue.dead_letters,
        sum(one.throttles for one in functions.values()),
        {name: one.peak for name, one in functions.items()},
        executions.transitions_made,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of ``values`` that ``share`` of them are not above (nearest rank); 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
