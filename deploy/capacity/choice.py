"""The sweep over MaximumConcurrency and BatchSize, and what it chooses.

**Objective**: among the settings with which 95 % of the burst's reports are started within
``MOST_START_SECONDS`` and nothing is dead-lettered, the one that has no start refused, or the fewest: a refused start
keeps its message hidden for the visibility time-out. Of those the one with the fewest batches, since each is a paid
invocation and two paid requests, and of those the least concurrency, which leaves the steps most air: what waits in
the queue costs nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from deploy.capacity.arrivals import Day, Task, tasks_of_burst, tasks_waiting
from deploy.capacity.queue import Delivery
from deploy.capacity.simulation import Outcome, Simulation, percentile
from deploy.template.connections import instances_per_function

MOST_START_SECONDS = 2.0
SEED = 1
MAXIMUM_CONCURRENCIES = (2, 3, 5, 10, 20)
BATCH_SIZES = (1, 2, 5, 10)


@dataclass(frozen=True)
class Case:
    """What one setting makes of one load. Seconds; ``start`` and ``end`` are p50, p95, p99 and the longest."""

    start: tuple[float, float, float, float]
    end: tuple[float, float, float, float]
    failed: int
    dead_letters: int
    throttled_starts: int
    throttled_invocations: int
    batches: int


@dataclass(frozen=True)
class Setting:
    """One row of the sweep: the burst, and the queue that stood still."""

    maximum_concurrency: int
    batch_size: int
    burst: Case
    waiting: Case

    @property
    def refused(self) -> int:
        """Calls that were throttled, in both loads."""
        return sum(case.throttled_starts + case.throttled_invocations for case in (self.burst, self.waiting))

    @property
    def is_allowed(self) -> bool:
        """Whether it starts the burst in time, and loses nothing."""
        cases = (self.burst, self.waiting)
        return self.burst.start[1] <= MOST_START_SECONDS and not any(case.dead_letters for case in cases)


def case_of(outcome: Outcome) -> Case:
    """Return the figures of a run."""
    return Case(
        _spread(fate.start_latency for fate in outcome.fates),
        _spread(fate.latency for fate in outcome.fates),
        outcome.failed,
        outcome.dead_letters,
        outcome.throttled_starts,
        outcome.throttled_invocations,
        outcome.batches,
    )


def try_setting(maximum_concurrency: int, batch_size: int, max_connections: int, day: Day) -> Setting:
    """Run both loads with one setting, by a database with so many connections."""
    burst, waiting = (
        simulate(tasks, maximum_concurrency, batch_size, max_connections)
        for tasks in (tasks_of_burst(day, _random()), tasks_waiting(day, _random()))
    )
    return Setting(maximum_concurrency, batch_size, case_of(burst), case_of(waiting))


def simulate(
    tasks: Sequence[Task],
    maximum_concurrency: int,
    batch_size: int,
    max_connections: int,
    attempts: int | None = None,
) -> Outcome:
    """Run tasks through a stage with one setting; ``attempts`` as ``Simulation`` takes it."""
    delivery = Delivery(batch_size, maximum_concurrency)
    return Simulation(delivery, instances_per_function(max_connections), SEED, attempts).run(tasks)


def choose(settings: Iterable[Setting]) -> Setting:
    """Return the setting that the objective takes. Raises ValueError if none is allowed."""
    allowed = [setting for setting in settings if setting.is_allowed]
    if not allowed:
        raise ValueError(
            f"No setting starts 95 % of the burst within {MOST_START_SECONDS} s and loses nothing: "
            "allow more time in deploy/capacity/choice.py, or ask AWS for more starts a second."
        )
    return min(allowed, key=_cost)


def _cost(setting: Setting) -> tuple[int, int, int]:
    cases = (setting.burst, setting.waiting)
    refused_starts = sum(case.throttled_starts for case in cases)
    return refused_starts, sum(case.batches for case in cases), setting.maximum_concurrency


def _spread(values: Iterable[float]) -> tuple[float, float, float, float]:
    known = list(values)
    p50, p95, p99, longest = (round(percentile(known, share), 1) for share in (0.5, 0.95, 0.99, 1))
    return p50, p95, p99, longest


def _random() -> Random:
    return Random(SEED)  # noqa: S311  the same reports for every setting
