"""Simulated time, token buckets, and a whole stage of queue, dispatcher, quotas and steps."""

import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.capacity import simulation
from deploy.capacity.simulation import WINDOW_SECONDS, SimulatedStage, Task, TokenBucket, now, run_simulated
from deploy.cost.figures import MEASURED, QUOTAS, SHAPES
from deploy.cost.transitions import entries_of
from deploy.cost.usage import DISPATCHER
from deploy.template.cloudformation import Template

pauses = st.lists(st.floats(0, 5), min_size=1, max_size=60)


@settings(max_examples=40)
@given(pauses, st.integers(1, 50), st.floats(0.1, 50))
def test_a_bucket_never_exceeds_its_capacity_and_rate(waits: list[float], capacity: int, per_second: float) -> None:
    async def take() -> list[float]:
        bucket, taken_at = TokenBucket(capacity, per_second), []
        for wait in waits:
            await asyncio.sleep(wait)
            if bucket.take():
                taken_at.append(now())
        return taken_at

    taken_at = run_simulated(take())

    for first, begin in enumerate(taken_at):
        for last in range(first, len(taken_at)):
            assert last - first + 1 <= capacity + per_second * (taken_at[last] - begin) + 1e-6


def test_waiting_callers_get_tokens_in_order_at_the_rate() -> None:
    async def wait() -> list[float]:
        bucket, given_at = TokenBucket(5, 2), []

        async def one() -> None:
            await bucket.wait()
            given_at.append(now())

        await asyncio.gather(*(one() for _ in range(9)))
        return given_at

    assert run_simulated(wait()) == pytest.approx([0, 0, 0, 0, 0, 0.5, 1, 1.5, 2])


def test_a_full_bucket_gives_all_tokens_at_once_then_its_rate() -> None:
    async def take() -> list[int]:
        bucket, taken = TokenBucket(800, 150), []
        for pause in (0, 1, 3_600):
            await asyncio.sleep(pause)
            taken.append(sum(bucket.take() for _ in range(1_000)))
        return taken

    assert run_simulated(take()) == [800, 150, 800]


def test_hours_pass_at_once_and_in_order() -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, now()))

    async def both() -> None:
        await asyncio.gather(sleeper("late", 7_200.0), sleeper("early", 3_600.5))

    run_simulated(both())

    assert [name for name, _ in woken] == ["early", "late"]
    assert [seconds for _, seconds in woken] == pytest.approx([3_600.5, 7_200.0])


def test_a_wait_without_a_timer_is_an_error_not_a_hang() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer is left"):
        run_simulated(stuck())


def reports(count: int) -> list[Task]:
    return [Task(0.0, "guard_report") for _ in range(count)]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 60), st.integers(2, 20), st.integers(1, 10), st.integers(1, 20), st.integers(0, 9))
def test_each_sent_task_starts_once_and_ends(
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


def test_a_report_makes_the_transitions_that_its_price_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        QUOTAS, "StateTransition", QUOTAS["StateTransition"].model_copy(update={"bucket": 1, "limit": 1})
    )

    [task] = SimulatedStage(2, 10, 13).run([Task(0.0, "guard_report")])

    # The first transition is immediate; the functions take little time beside the others.
    assert task.ended_at - task.started_at == pytest.approx(sum(entries_of("guard_report").states.values()) - 1, abs=2)


def test_throttled_starts_are_retried_until_all_have_started(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_more_concurrent_batches_start_a_standing_queue_no_later(batch: int) -> None:
    latest = [
        max(task.started_at for task in SimulatedStage(number, batch, 53).run(reports(150))) for number in (2, 4, 8, 16)
    ]

    # A tenth of tolerance: other draws of the dispatcher's seconds.
    assert all(later <= earlier * 1.1 for earlier, later in pairwise(latest))
    assert latest[-1] < latest[0]


def test_only_a_partial_batch_waits_for_its_window() -> None:
    alone, whole = (max(task.started_at for task in SimulatedStage(2, 10, 13).run(reports(count))) for count in (1, 10))

    assert whole < WINDOW_SECONDS < alone


def test_equal_seeds_give_equal_runs() -> None:
    one, same, other = (
        [task.ended_at for task in SimulatedStage(2, 10, 13, seed).run(reports(30))] for seed in (1, 1, 2)
    )

    assert one == same != other


def test_durations_have_the_measured_median_scaled_to_the_memory() -> None:
    median, spread = simulation.duration("make_thumbnails")  # has a whole core

    assert math.exp(median) == pytest.approx(MEASURED["make_thumbnails"].p50_ms / 1_000)
    assert math.exp(median + 1.645 * spread) == pytest.approx(MEASURED["make_thumbnails"].p95_ms / 1_000)
    assert math.exp(simulation.duration(DISPATCHER)[0]) == pytest.approx(0.0019 * 1_769 / 512)


def test_the_window_equals_the_templates(template: Template) -> None:
    mapping = template["Resources"]["TasksEventSourceMapping"]["Properties"]

    assert mapping["MaximumBatchingWindowInSeconds"] == WINDOW_SECONDS
