"""Queue, dispatcher, quotas and steps together."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.capacity import stage as module
from deploy.capacity.stage import WINDOW_SECONDS, SimulatedStage, Task
from deploy.cost.figures import MEASURED, QUOTAS, SHAPES
from deploy.cost.usage import DISPATCHER, visits_of
from deploy.template.cloudformation import Template


def reports(count: int) -> list[Task]:
    return [Task(0.0, "guard_report") for _ in range(count)]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 60), st.integers(2, 20), st.integers(1, 10), st.integers(1, 20), st.integers(0, 9))
def test_whatever_is_sent_is_started_once_and_ends(
    count: int, concurrency: int, batch: int, per_function: int, seed: int
) -> None:
    stage = SimulatedStage(concurrency, batch, per_function, seed)

    tasks = stage.run(reports(count))

    assert len(tasks) == count
    assert all(0 < task.started_at < task.ended_at < math.inf for task in tasks)
    assert count / batch <= stage.batches <= count


@pytest.mark.parametrize("workflow", SHAPES)
def test_every_workflow_with_figures_can_be_simulated(workflow: str) -> None:
    [task] = SimulatedStage(2, 10, 13).run([Task(0.0, workflow)])

    assert task.succeeded
    assert task.ended_at - task.started_at >= SHAPES[workflow].waits_seconds


def test_one_report_makes_the_transitions_that_its_price_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        QUOTAS, "StateTransition", QUOTAS["StateTransition"].model_copy(update={"bucket": 1, "limit": 1})
    )

    [task] = SimulatedStage(2, 10, 13).run([Task(0.0, "guard_report")])

    # The first is made at once; nothing else takes as long.
    assert task.ended_at - task.started_at == pytest.approx(sum(visits_of("guard_report").states.values()) - 1, abs=2)


def test_throttled_starts_are_tried_until_all_have_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUOTAS, "StartExecution", QUOTAS["StartExecution"].model_copy(update={"bucket": 5, "limit": 2}))
    few, many = SimulatedStage(2, 1, 53), SimulatedStage(20, 10, 53)

    latest = [max(task.started_at for task in stage.run(reports(65))) for stage in (few, many)]

    assert 0 < few.throttled_starts < many.throttled_starts
    assert all(seconds >= (65 - 5) / 2 for seconds in latest)


def test_a_function_that_stays_throttled_fails_its_execution() -> None:
    stage = SimulatedStage(2, 10, 0)

    tasks = stage.run(reports(3))

    assert not any(task.succeeded for task in tasks)
    assert stage.throttled_functions == 3 * 16  # once, and fifteen retries


def test_more_instances_throttle_less() -> None:
    throttled = []
    for instances in (3, 13, 53, 90):
        stage = SimulatedStage(5, 10, instances)
        stage.run(reports(100))
        throttled.append(stage.throttled_functions)

    assert throttled == sorted(throttled, reverse=True)
    assert throttled[0] > throttled[-1]


@pytest.mark.parametrize("batch", [1, 10])
def test_more_batches_at_the_same_time_start_a_standing_queue_no_later(batch: int) -> None:
    latest = [
        max(task.started_at for task in SimulatedStage(number, batch, 53).run(reports(150))) for number in (2, 4, 8, 16)
    ]

    # A tenth of tolerance: other draws of the dispatcher's seconds.
    assert all(later <= earlier * 1.1 for earlier, later in pairwise(latest))
    assert latest[-1] < latest[0]


def test_a_batch_waits_for_its_window_and_a_whole_one_does_not() -> None:
    alone, whole = (max(task.started_at for task in SimulatedStage(2, 10, 13).run(reports(count))) for count in (1, 10))

    assert whole < WINDOW_SECONDS < alone


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    one, same, other = (
        [task.ended_at for task in SimulatedStage(2, 10, 13, seed).run(reports(30))] for seed in (1, 1, 2)
    )

    assert one == same != other


def test_drawn_seconds_have_the_measured_median_stretched_by_the_share_of_a_core() -> None:
    median, spread = module.duration("make_thumbnails")  # has a whole core

    assert math.exp(median) == pytest.approx(MEASURED["make_thumbnails"].p50_ms / 1_000)
    assert math.exp(median + 1.645 * spread) == pytest.approx(MEASURED["make_thumbnails"].p95_ms / 1_000)
    assert math.exp(module.duration(DISPATCHER)[0]) == pytest.approx(0.0019 * 1_769 / 512)


def test_the_window_is_that_of_the_template(template: Template) -> None:
    mapping = template["Resources"]["TasksEventSourceMapping"]["Properties"]

    assert mapping["MaximumBatchingWindowInSeconds"] == WINDOW_SECONDS
