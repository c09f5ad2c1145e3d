"""Queue, dispatcher, quotas and steps together: nothing is lost, each is started once, more never makes it slower."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.capacity import figures
from deploy.capacity.arrivals import DAY_SECONDS, Day, Task, fires_at, tasks_of_burst, tasks_of_day, tasks_waiting
from deploy.capacity.queue import Delivery
from deploy.capacity.simulation import MINUTE_SECONDS, Outcome, Simulation, percentile
from deploy.template.cloudformation import Template
from workflows.schedules import SCHEDULES

SMALL = Day(reports=300, incidents=5, mails=50, clients=20, burst_reports=200)


def random_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311  simulates, hides nothing


def run(tasks: list[Task], delivery: Delivery, per_function: int = 13, seed: int = 1) -> Outcome:
    return Simulation(delivery, per_function, seed).run(tasks)


@pytest.fixture
def few_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(figures, "STARTS_BUCKET", 5)
    monkeypatch.setattr(figures, "STARTS_PER_SECOND", 2)
    yield


def reports(count: int) -> list[Task]:
    return tasks_waiting(replace(SMALL, burst_reports=count), random_of(1))


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 120), st.integers(1, 10), st.integers(2, 20), st.integers(1, 20), st.integers(0, 9))
def test_whatever_is_sent_is_started_once_and_ends(
    count: int, batch: int, concurrency: int, per_function: int, seed: int
) -> None:
    tasks = reports(count)

    outcome = run(tasks, Delivery(batch, concurrency), per_function, seed)

    assert [fate.task for fate in outcome.fates] == tasks
    assert all(fate.started_at is not None and fate.ended_at is not None for fate in outcome.fates)
    assert outcome.minutes[-1].unstarted == outcome.minutes[-1].running == outcome.dead_letters == 0
    assert max(outcome.peaks.values()) <= max(per_function, concurrency, figures.LAMBDA_CONCURRENCY - 10 * per_function)


@pytest.mark.usefixtures("few_starts")
def test_what_is_throttled_to_the_end_comes_back_and_at_last_is_a_dead_letter() -> None:
    outcome = run(reports(300), Delivery(10, 20))

    started = sum(fate.started_at is not None for fate in outcome.fates)
    assert outcome.returned > outcome.dead_letters > 0
    assert started + outcome.dead_letters == 300
    later = [fate.start_latency for fate in outcome.fates if 100 < fate.start_latency < 1e9]
    assert min(later) >= Delivery(10, 20).visibility_timeout_seconds


@pytest.mark.usefixtures("few_starts")
def test_few_at_a_time_give_next_to_nothing_back_where_many_do() -> None:
    few, many = (run(reports(300), Delivery(1, concurrency)) for concurrency in (2, 300))

    assert 10 * few.returned < many.returned
    assert few.throttled_starts < many.throttled_starts


@pytest.mark.parametrize("batch", [1, 10])
def test_more_batches_at_a_time_start_a_standing_queue_no_later(batch: int) -> None:
    latest = [
        max(fate.start_latency for fate in run(reports(200), Delivery(batch, concurrency)).fates)
        for concurrency in (2, 4, 8, 16)
    ]

    # A tenth of tolerance: other draws of the dispatcher's seconds, and more cold starts.
    assert all(later <= earlier * 1.1 for earlier, later in pairwise(latest))
    assert latest[-1] < latest[0]


def test_more_instances_refuse_less() -> None:
    refused = [run(reports(150), Delivery(10, 5), instances).throttled_invocations for instances in (3, 13, 53, 90)]

    assert refused == sorted(refused, reverse=True)
    assert refused[0] > refused[-1]


def test_a_batch_waits_for_its_window_and_a_whole_one_does_not() -> None:
    alone = run(reports(1), Delivery(10, 2)).fates[0].start_latency
    whole = run(reports(10), Delivery(10, 2)).fates[0].start_latency

    assert whole < alone < whole + Delivery(10, 2).window_seconds + 0.1


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    one, same = (run(tasks_of_day(SMALL, random_of(1)), Delivery(10, 2)) for _ in range(2))
    other = run(tasks_of_day(SMALL, random_of(2)), Delivery(10, 2), seed=2)

    assert [fate.latency for fate in one.fates] == [fate.latency for fate in same.fates]
    assert [fate.latency for fate in one.fates] != [fate.latency for fate in other.fates]


def test_a_day_has_its_reports_its_burst_and_every_run_of_its_schedules() -> None:
    tasks = tasks_of_day(SMALL, random_of(1))
    kinds = [task.workflow for task in tasks]

    assert kinds.count("guard_report") == SMALL.reports + SMALL.burst_reports
    assert kinds.count("daily_report_digest") == 1
    assert kinds.count("run_task") == 24 * 60 + 2 * 24 * 12 + 1
    assert [task.sent_at for task in tasks] == sorted(task.sent_at for task in tasks)
    burst = [task.sent_at for task in tasks_of_burst(SMALL, random_of(1))]
    assert SMALL.burst_at <= min(burst) < max(burst) <= SMALL.burst_at + SMALL.burst_seconds


@pytest.mark.parametrize("expression", [schedule.expression for schedule in SCHEDULES])
def test_every_schedule_fires_in_the_simulated_day(expression: str) -> None:
    times = list(fires_at(expression))

    assert times
    assert all(0 <= at < DAY_SECONDS for at in times)


def test_a_schedule_that_the_day_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"arrivals\.py"):
        list(fires_at("cron(0 6 ? * MON *)"))


def test_how_it_stood_is_kept_for_every_minute() -> None:
    outcome = run(reports(50), Delivery(1, 2))

    longest = max(fate.ended_at or 0 for fate in outcome.fates)
    assert len(outcome.minutes) >= longest / MINUTE_SECONDS


def test_a_delivery_is_as_the_template_has_it(template: Template) -> None:
    resources, parameters = template["Resources"], template["Parameters"]
    delivery: Any = Delivery(1, 2)

    assert (
        delivery.window_seconds == resources["TasksEventSourceMapping"]["Properties"]["MaximumBatchingWindowInSeconds"]
    )
    assert delivery.visibility_timeout_seconds == parameters["VisibilityTimeoutSeconds"]["Default"]
    assert delivery.max_receive_count == resources["TasksQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    assert delivery.dispatcher_timeout_seconds == resources["DispatchTasksFunction"]["Properties"]["Timeout"]


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_so_many_are_not_above(values: list[float], share: float) -> None:
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
