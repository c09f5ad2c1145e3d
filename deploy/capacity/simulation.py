"""Simulate one stage: tasks pass queue, dispatcher, quotas and the steps of their workflows.

Durations, task shapes and quotas are those of ``deploy/cost``; executions catch nothing. The event loop's time jumps to
the next timer, so that a simulated day takes seconds.
"""

import asyncio
import math
import selectors
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from deploy.cost.figures import CORE_MB, MEASURED, MEASURED_BATCH, QUOTAS, SHAPES, START_EXECUTION_MS, WorkflowShape
from deploy.cost.transitions import Definition, function_of, next_states, read_definition
from deploy.cost.usage import DISPATCHER, memory_mb
from deploy.packages.functions import FUNCTIONS
from lambdas.dispatch_tasks.starts import FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS

WINDOW_SECONDS = 1.0  # the template's MaximumBatchingWindowInSeconds
CALL_SECONDS = START_EXECUTION_MS / 1_000
# A few samples of very different tasks spread more than one kind of work does; above this a mean means nothing.
MOST_SPREAD = 1.0


class _NoWaiting(selectors.SelectSelector):
    """A selector that advances the time instead of waiting."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("The simulation cannot continue: no timer is left.")
        self.seconds += timeout
        return []


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _NoWaiting()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.seconds


def run_simulated[T](main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in simulated time, which starts at 0."""
    with asyncio.Runner(debug=False, loop_factory=_SimulatedLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Return the simulated seconds."""
    return asyncio.get_running_loop().time()


class TokenBucket:
    """A bucket of at most ``capacity`` tokens, full at first, that gains ``per_second``."""

    def __init__(self, capacity: float, per_second: float) -> None:
        self.capacity, self.per_second = capacity, per_second
        self._tokens, self._at = capacity, 0.0

    def take(self) -> bool:
        """Take a token and return True; return False for a throttled call."""
        self._refill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def wait(self) -> None:
        """Wait for a token. Step Functions delays transitions in order and refuses none."""
        self._refill()
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self.per_second)

    def _refill(self) -> None:
        self._tokens = min(self.capacity, self._tokens + (now() - self._at) * self.per_second)
        self._at = now()


class Throttled(Exception):
    """A function has no free instance."""


@dataclass
class Task:
    """One message, and the seconds at which its execution started and ended."""

    sent_at: float
    workflow: str
    started_at: float = math.inf
    ended_at: float = math.inf
    succeeded: bool = False


class SimulatedStage:
    """A stage with ``per_function`` instances of each function with a database. For one run."""

    def __init__(self, maximum_concurrency: int, batch_size: int, per_function: int, seed: int = 1) -> None:
        self._dispatchers, self._batch_size = maximum_concurrency, batch_size
        self._rng = Random(seed)  # noqa: S311  simulates, hides nothing
        self._starts, self._transitions = (
            TokenBucket(QUOTAS[name].bucket, QUOTAS[name].limit) for name in ("StartExecution", "StateTransition")
        )
        account = QUOTAS["Lambda concurrency"].limit
        self._instances = {one.name: per_function if one.needs_database else account for one in FUNCTIONS}
        self._running: Counter[str] = Counter()
        self.batches = self.throttled_starts = self.throttled_functions = 0

    def run(self, tasks: Iterable[Task]) -> list[Task]:
        """Send each task at its time; return when the last one has ended."""
        return run_simulated(self._run(sorted(tasks, key=lambda task: task.sent_at)))

    async def _run(self, tasks: list[Task]) -> list[Task]:
        self._queue: asyncio.Queue[Task] = asyncio.Queue()
        self._gathering = asyncio.Lock()
        async with asyncio.TaskGroup() as self._executions:
            dispatchers = [self._executions.create_task(self._dispatch()) for _ in range(self._dispatchers)]
            for task in tasks:
                await asyncio.sleep(task.sent_at - now())
                self._queue.put_nowait(task)
            await self._queue.join()
            for dispatcher in dispatchers:
                dispatcher.cancel()
        return tasks

    async def _dispatch(self) -> None:
        while True:
            batch = await self._next_batch()
            self.batches += 1
            await asyncio.sleep(sum(self._seconds(DISPATCHER) for _ in batch) + CALL_SECONDS)
            await asyncio.gather(*map(self._start, batch))

    async def _next_batch(self) -> list[Task]:
        async with self._gathering:
            batch = [await self._queue.get()]
            try:
                async with asyncio.timeout_at(batch[0].sent_at + WINDOW_SECONDS):
                    while len(batch) < self._batch_size:
                        batch.append(await self._queue.get())
            except TimeoutError:
                pass
            return batch

    async def _start(self, task: Task) -> None:
        """Start an execution, with the retries of ``lambdas/dispatch_tasks`` while it is throttled."""
        delay = FIRST_DELAY_SECONDS
        while not self._starts.take():
            self.throttled_starts += 1
            await asyncio.sleep(self._rng.uniform(0, delay) + CALL_SECONDS)
            delay = min(delay * 2, MAX_DELAY_SECONDS)
        task.started_at = now()
        self._executions.create_task(self._execute(task))
        self._queue.task_done()

    async def _execute(self, task: Task) -> None:
        try:
            await self._run_states(read_definition(task.workflow), SHAPES[task.workflow])
            task.succeeded = True
        except* Throttled:
            pass
        task.ended_at = now()

    async def _run_states(self, machine: Definition, shape: WorkflowShape) -> None:
        name = machine["StartAt"]
        while name:
            state = machine["States"][name]
            await self._transitions.wait()
            if state["Type"] == "Task":
                await self._perform(name, state, shape)
            elif state["Type"] == "Map":
                await self._map(state, shape.items[name], shape)
            following = next_states(name, state, shape)
            name = self._rng.choices(list(following), list(following.values()))[0] if following else ""

    async def _map(self, state: Mapping[str, Any], items: int, shape: WorkflowShape) -> None:
        left = iter(range(items))

        async def some() -> None:
            for _ in left:
                await self._run_states(state["ItemProcessor"], shape)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(items, state.get("MaxConcurrency") or items)):
                group.create_task(some())

    async def _perform(self, name: str, state: Mapping[str, Any], shape: WorkflowShape) -> None:
        """Invoke a Task's function, with the retries of its Retry while throttled."""
        function = function_of(name, state)
        retry = next(one for one in state["Retry"] if "Lambda.TooManyRequestsException" in one["ErrorEquals"])
        for attempt in range(retry["MaxAttempts"] + 1):
            try:
                await self._invoke(function)
                break
            except Throttled:
                if attempt == retry["MaxAttempts"]:
                    raise
            longest = min(retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt, retry["MaxDelaySeconds"])
            await asyncio.sleep(self._rng.uniform(0, longest))  # JitterStrategy FULL
            await self._transitions.wait()  # a retry is a transition too
        if state["Resource"].endswith(".waitForTaskToken"):
            await asyncio.sleep(shape.waits_seconds)

    async def _invoke(self, function: str) -> None:
        if self._running[function] >= self._instances[function]:
            self.throttled_functions += 1
            raise Throttled
        self._running[function] += 1
        try:
            await asyncio.sleep(self._seconds(function))
        finally:
            self._running[function] -= 1

    def _seconds(self, function: str) -> float:
        return self._rng.lognormvariate(*duration(function))


@cache
def duration(function: str) -> tuple[float, float]:
    """Return the lognormal distribution of a function's seconds: logarithm of the median, and sigma.

    Durations measured on a whole core are scaled to the MemorySize. The dispatcher's is of one message: `make bench`
    has 2.7 ms for a batch of one and 12.7 ms for ten, starts apart, so nearly all of a batch's is that of its messages.
    """
    found = MEASURED[function]
    slower = max(1.0, CORE_MB / memory_mb(function))
    messages = MEASURED_BATCH if function == DISPATCHER else 1
    spread = math.log(found.p95_ms / found.p50_ms) / 1.645  # the normal distribution's 95 %
    return math.log(found.p50_ms / 1_000 * slower / messages), min(spread, MOST_SPREAD)
