"""AWS's token bucket: never more than it holds and what was added."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.capacity.buckets import TokenBucket
from deploy.capacity.clock import now, run_simulated

pauses = st.lists(st.floats(0, 5), min_size=1, max_size=60)


@settings(max_examples=40)
@given(pauses, st.integers(1, 50), st.floats(0.1, 50))
def test_in_any_time_it_gives_no_more_than_its_capacity_and_what_was_added(
    waits: list[float], capacity: int, per_second: float
) -> None:
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


def test_who_waits_for_a_token_gets_it_in_turn_and_at_no_higher_rate() -> None:
    async def wait() -> list[float]:
        bucket, given_at = TokenBucket(5, 2), []

        async def one() -> None:
            await bucket.wait()
            given_at.append(now())

        await asyncio.gather(*(one() for _ in range(9)))
        return given_at

    assert run_simulated(wait()) == pytest.approx([0, 0, 0, 0, 0, 0.5, 1, 1.5, 2])


def test_a_full_bucket_gives_all_it_holds_at_once_and_then_by_its_rate() -> None:
    async def take() -> list[int]:
        bucket, taken = TokenBucket(800, 150), []
        for pause in (0, 1, 3_600):
            await asyncio.sleep(pause)
            taken.append(sum(bucket.take() for _ in range(1_000)))
        return taken

    assert run_simulated(take()) == [800, 150, 800]
