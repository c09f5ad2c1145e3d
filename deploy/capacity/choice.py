"""Choose MaximumConcurrency and BatchSize: the loads, the sweep over settings, and the rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from statistics import quantiles

from deploy.capacity.simulation import SimulatedStage, Task
from deploy.stages import read_stage
from deploy.template.check import instances_per_function

# Guards are on their rounds at night too.
TASKS_A_DAY = {
    "guard_report": 20_000,
    "incident_escalation": 60,
    "notification_email": 2_000,
    "daily_report_digest": 1,
    "run_task": 2_000,
}
SHARES_OF_HOURS = (3, 3, 3, 3, 3, 4, 5, 6, 5, 4, 4, 4, 4, 4, 5, 5, 5, 6, 7, 7, 6, 4, 3, 3)
# Reports at the end of a shift, most of them early in these ten minutes; a standing queue has as many, all at once.
BURST, BURST_AT, BURST_SECONDS, BURST_PEAK = 3_000, 19 * 3_600.0, 600.0, 0.3
MAXIMUM_CONCURRENCIES, BATCH_SIZES = (2, 3, 5, 10, 20), (1, 2, 5, 10)
MOST_START_SECONDS = 2.0


@dataclass(frozen=True)
class SimulatedDay:
    """Results of a load; the first three in seconds after sending."""

    start_p95: float
    start_longest: float
    end_p95: float
    failed: int
    throttled_starts: int
    throttled_functions: int
    batches: int


# MaximumConcurrency and BatchSize; the results of the burst and of the standing queue for each.
type Setting = tuple[int, int]
type Sweep = dict[Setting, tuple[SimulatedDay, SimulatedDay]]


def burst(reports: int = BURST) -> list[Task]:
    """Return the reports of the burst."""
    rng, peak = Random(1), BURST_AT + BURST_PEAK * BURST_SECONDS  # noqa: S311  simulates, hides nothing
    times = (rng.triangular(BURST_AT, BURST_AT + BURST_SECONDS, peak) for _ in range(reports))
    return [Task(at, "guard_report") for at in times]


def standing_queue() -> list[Task]:
    """Return reports that all wait at once, as after an outage."""
    return [Task(0.0, "guard_report") for _ in range(BURST)]


def day() -> list[Task]:
    """Return every task of a day, the burst included."""
    rng = Random(1)  # noqa: S311  simulates, hides nothing
    workflows = (workflow for workflow, count in TASKS_A_DAY.items() for _ in range(count))
    hours = range(len(SHARES_OF_HOURS))
    return burst() + [Task((rng.choices(hours, SHARES_OF_HOURS)[0] + rng.random()) * 3_600, one) for one in workflows]


def production_connections() -> int:
    """Return the DatabaseMaxConnections of the stage production."""
    return int(read_stage("production").parameters["DatabaseMaxConnections"])


def simulate(tasks: list[Task], setting: Setting, connections: int) -> SimulatedDay:
    """Run tasks through a stage whose database allows this number of connections."""
    stage = SimulatedStage(*setting, instances_per_function(connections))
    return outcome(stage, stage.run(tasks))


def outcome(stage: SimulatedStage, tasks: Sequence[Task]) -> SimulatedDay:
    """Return the results of all or some of the tasks that a stage has run."""
    starts = [task.started_at - task.sent_at for task in tasks]
    failed = sum(not task.succeeded for task in tasks)
    end_p95 = _p95([task.ended_at - task.sent_at for task in tasks])
    throttled = stage.throttled_starts, stage.throttled_functions
    return SimulatedDay(_p95(starts), max(starts), end_p95, failed, *throttled, stage.batches)


def sweep(connections: int) -> Sweep:
    """Run both loads with every setting of the grid."""
    return {
        setting: (simulate(burst(), setting, connections), simulate(standing_queue(), setting, connections))
        for setting in product(MAXIMUM_CONCURRENCIES, BATCH_SIZES)
    }


def choose(found: Sweep) -> Setting:
    """Return the setting that ``capacity.md`` describes. Raises ValueError if none starts the burst in time."""
    in_time = [setting for setting, (burst, _) in found.items() if burst.start_p95 <= MOST_START_SECONDS]
    if not in_time:
        raise ValueError(
            f"No setting starts 95 % of the burst within {MOST_START_SECONDS} s. "
            "Raise MOST_START_SECONDS in deploy/capacity/choice.py, or request a higher StartExecution quota."
        )
    # A throttled start delays its batch, each batch is billed, and waiting in the queue is free.
    return min(
        in_time,
        key=lambda setting: (
            sum(one.throttled_starts for one in found[setting]),
            sum(one.batches for one in found[setting]),
            setting,
        ),
    )


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
