"""All runs of ``make capacity``, kept in ``results.json``: some minutes, so that ``--render`` and tests need none."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

from deploy import ROOT
from deploy.capacity import figures
from deploy.capacity.arrivals import Day, fires_at, tasks_of_burst, tasks_of_day, tasks_waiting
from deploy.capacity.choice import (
    BATCH_SIZES,
    MAXIMUM_CONCURRENCIES,
    MOST_START_SECONDS,
    SEED,
    Case,
    Setting,
    case_of,
    choose,
    simulate,
    try_setting,
)
from deploy.capacity.instances import KEPT_WARM_SECONDS
from deploy.capacity.queue import Delivery
from deploy.capacity.shapes import shape_of_workflow
from deploy.capacity.simulation import Outcome, percentile
from deploy.packages.functions import FUNCTIONS
from deploy.stages import read_stage
from deploy.template.connections import instances_per_function
from lambdas.dispatch_tasks.starts import FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS, RESERVE_SECONDS
from workflows.project import PROJECT
from workflows.schedules import SCHEDULES

RESULTS_FILE = ROOT / "deploy" / "capacity" / "results.json"
DAY = Day()
OTHER_DATABASES = (200, 800, 1600)
OTHER_GRID = tuple((concurrency, batch) for concurrency in (2, 5, 10) for batch in (1, 10))
BURSTS = (1_500, 3_000, 6_000)
FEWER_ATTEMPTS = 6

type Results = dict[str, Any]
type Say = Callable[[str], None]


def production_connections() -> int:
    """Return the DatabaseMaxConnections of the stage production."""
    return int(read_stage("production").parameters["DatabaseMaxConnections"])


def run_study(say: Say) -> Results:
    """Run the sweep, the day and the what-ifs; ``say`` is told how it goes."""
    database = production_connections()
    grid = tuple((concurrency, batch) for concurrency in MAXIMUM_CONCURRENCIES for batch in BATCH_SIZES)
    sweep = _sweep(grid, database, say)
    chosen = choose(sweep)
    setting = (chosen.maximum_concurrency, chosen.batch_size)
    say(f"chosen: MaximumConcurrency {setting[0]}, BatchSize {setting[1]}")
    return _as_json(
        {
            "inputs": fingerprint(),
            "database": database,
            "chosen": {"maximum_concurrency": setting[0], "batch_size": setting[1]},
            "sweep": [asdict(one) for one in sweep],
            "databases": [_database(one, sweep if one == database else None, say) for one in _databases(database)],
            "fewer_attempts": _fewer_attempts(setting, database),
            "day": _day(simulate(tasks_of_day(DAY, _random()), *setting, database)),
        }
    )


def current_case(results: Results) -> tuple[Case, Case]:
    """Run the chosen setting's burst again, and return what was kept of it and what came of it now."""
    chosen = results["chosen"]
    kept = next(one for one in results["sweep"] if one.items() >= chosen.items())["burst"]
    outcome = simulate(
        tasks_of_burst(DAY, _random()), chosen["maximum_concurrency"], chosen["batch_size"], results["database"]
    )
    return Case(**kept | {name: tuple(kept[name]) for name in ("start", "end")}), case_of(outcome)


def read_results(path: Path = RESULTS_FILE) -> Results:
    """Return what the last study kept."""
    results: Results = json.loads(path.read_text(encoding="utf-8"))
    return results


def fingerprint() -> str:
    """Return a digest of every number that the study goes by: another one, and it has to be run again."""
    numbers = (
        DAY,
        [(one.name, list(fires_at(one.expression))[:2]) for one in SCHEDULES],
        [(one.name, figures.seconds_and_spread(one.name), figures.cold_seconds(one.name)) for one in FUNCTIONS],
        (figures.STARTS_BUCKET, figures.STARTS_PER_SECOND, figures.TRANSITIONS_BUCKET, figures.TRANSITIONS_PER_SECOND),
        (figures.LAMBDA_CONCURRENCY, figures.CALL_SECONDS, figures.ANSWER_SECONDS, KEPT_WARM_SECONDS),
        (FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS, RESERVE_SECONDS, Delivery(1, 2)),
        [shape_of_workflow(name) for name in sorted(PROJECT.workflows)],
        [(one, instances_per_function(one)) for one in _databases(production_connections())],
        (MAXIMUM_CONCURRENCIES, BATCH_SIZES, MOST_START_SECONDS, SEED, OTHER_GRID, BURSTS, FEWER_ATTEMPTS),
    )
    return hashlib.sha256(repr(numbers).encode()).hexdigest()[:16]


def _databases(production: int) -> list[int]:
    return sorted({*OTHER_DATABASES, production})


def _sweep(grid: Iterable[tuple[int, int]], database: int, say: Say) -> list[Setting]:
    settings = []
    for concurrency, batch in grid:
        settings.append(try_setting(concurrency, batch, database, DAY))
        say(f"{database} connections, {concurrency} batches of {batch} at a time: {settings[-1].refused} calls refused")
    return settings


def _database(connections: int, sweep: list[Setting] | None, say: Say) -> Results:
    """Return what a database of another size bears: its choice, and how many reports of bursts fail."""
    chosen = choose(sweep or _sweep(OTHER_GRID, connections, say))
    setting = (chosen.maximum_concurrency, chosen.batch_size)
    bursts = {}
    for reports in BURSTS:
        tasks = tasks_of_burst(replace(DAY, burst_reports=reports), _random())
        bursts[str(reports)] = asdict(case_of(simulate(tasks, *setting, connections)))
    return {
        "connections": connections,
        "per_function": instances_per_function(connections),
        "chosen": asdict(chosen),
        "bursts": bursts,
    }


def _fewer_attempts(setting: tuple[int, int], database: int) -> Results:
    outcome = simulate(tasks_waiting(DAY, _random()), *setting, database, FEWER_ATTEMPTS)
    return {"attempts": FEWER_ATTEMPTS, "waiting": asdict(case_of(outcome))}


def _day(outcome: Outcome) -> Results:
    kinds = sorted({fate.task.workflow for fate in outcome.fates})
    busiest = sorted(outcome.peaks.items(), key=lambda item: (-item[1], item[0]))
    return {
        "all": asdict(case_of(outcome)),
        "workflows": {
            kind: asdict(
                case_of(replace(outcome, fates=[fate for fate in outcome.fates if fate.task.workflow == kind]))
            )
            for kind in kinds
        },
        "tasks": {kind: sum(fate.task.workflow == kind for fate in outcome.fates) for kind in kinds},
        "peaks": dict(busiest),
        "transitions": outcome.transitions,
        "unstarted": [minute.unstarted for minute in outcome.minutes],
        "running": [minute.running for minute in outcome.minutes],
        "report_p95": _by_ten_minutes(outcome),
    }


def _by_ten_minutes(outcome: Outcome) -> list[float]:
    """Return the reports' p95 from sent to done, for each ten minutes of the day."""
    slots: list[list[float]] = [[] for _ in range(144)]
    for fate in outcome.fates:
        if fate.task.workflow == "guard_report":
            slots[min(143, int(fate.task.sent_at // 600))].append(fate.latency)
    return [round(percentile(slot, 0.95), 1) for slot in slots]


def _as_json(results: Results) -> Results:
    value: Results = json.loads(json.dumps(results))
    return value


def _random() -> Random:
    return Random(SEED)  # noqa: S311  the same day for everyone
