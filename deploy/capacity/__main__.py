"""``python -m deploy.capacity``: simulate, choose, and write ``docs/explanation/capacity.md``; takes minutes."""

from deploy import ROOT
from deploy.capacity import choice
from deploy.capacity.choice import BURST, TASKS_A_DAY, Setting, Sweep
from deploy.capacity.simulation import SimulatedStage
from deploy.cost.figures import QUOTAS
from deploy.cost.transitions import entries_of
from deploy.cost.usage import busiest_with_database, concurrency
from deploy.markdown import fill, table
from deploy.template.check import instances_per_function

PAGE = ROOT / "docs" / "explanation" / "capacity.md"
CONNECTIONS = (200, 400, 800, 1_600)


def main() -> None:
    """Simulate all loads, write the page's tables and print them."""
    found = choice.sweep(choice.production_connections())
    chosen = choice.choose(found)
    tables = {
        "load": load(),
        "chosen": chosen_setting(chosen),
        "sweep": _sweep(found),
        "databases": _databases(chosen),
        "day": _day(chosen),
    }
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    print("\n\n".join(tables.values()))


def load() -> str:
    """Return the simulation's assumptions; a change of these makes the page stale."""
    rows = [
        (f"`{name}`", count, f"{entries_of(name).transitions:.2f}", f"{concurrency(entries_of(name).functions):.1f} s")
        for name, count in TASKS_A_DAY.items()
    ]
    starts, transitions = QUOTAS["StartExecution"], QUOTAS["StateTransition"]
    return (
        f"{table(('workflow', 'tasks a day', 'transitions', 'functions'), rows)}\n\n"
        f"- Burst: {BURST:,} reports more in {choice.BURST_SECONDS / 60:g} minutes. Standing queue: as many at once.\n"
        f"- Starts a second: {starts.limit}, bucket {starts.bucket}. "
        f"Transitions a second: {transitions.limit}, bucket {transitions.bucket}.\n"
        f"- Database of production: `DatabaseMaxConnections={choice.production_connections()}`."
    )


def chosen_setting(setting: Setting) -> str:
    """Return the line with the chosen setting."""
    return f"Chosen: **MaximumConcurrency {setting[0]}, BatchSize {setting[1]}**."


def _sweep(found: Sweep) -> str:
    rows = [
        (
            *setting,
            _seconds(burst.start_p95),
            burst.batches + standing.batches,
            burst.throttled_starts + standing.throttled_starts,
            _seconds(standing.start_longest),
            _seconds(standing.end_p95),
        )
        for setting, (burst, standing) in found.items()
    ]
    head = ("MaximumConcurrency", "BatchSize", "burst: 95 % started within", "batches", "throttled starts")
    return table((*head, "standing queue: started within", "95 % ended within"), rows)


def _databases(setting: Setting) -> str:
    rows = []
    for connections in CONNECTIONS:
        loads = (choice.burst(), choice.burst(2 * BURST), choice.standing_queue())
        outcomes = [choice.simulate(tasks, setting, connections) for tasks in loads]
        instances = instances_per_function(connections)
        carried = instances / busiest_with_database("guard_report")[1]
        ends = (f"{one.failed:,}, {_seconds(one.end_p95)}" for one in outcomes)
        rows.append((connections, instances, f"{carried:.0f}", *ends))
    heads = (f"burst of {BURST:,}", f"burst of {2 * BURST:,}", "standing queue")
    ends = (f"{name}: failed, 95 % ended within" for name in heads)
    return table(("DatabaseMaxConnections", "instances of each function", "reports a second", *ends), rows)


def _day(setting: Setting) -> str:
    stage = SimulatedStage(*setting, instances_per_function(choice.production_connections()))
    tasks = stage.run(choice.day())
    rows = []
    for workflow in TASKS_A_DAY:
        some = [task for task in tasks if task.workflow == workflow]
        one = choice.outcome(stage, some)
        times = map(_seconds, (one.start_p95, one.start_longest, one.end_p95))
        rows.append((f"`{workflow}`", len(some), *times, one.failed))
    found = table(("workflow", "tasks", "95 % started within", "all", "95 % ended within", "failed"), rows)
    throttled = f"{stage.throttled_starts:,} starts and {stage.throttled_functions:,} invocations"
    return f"{found}\n\nThrottled and retried: {throttled}."


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f} s"


if __name__ == "__main__":
    main()
