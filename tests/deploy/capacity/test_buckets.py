"""AWS's token bucket: never more than it holds and what came back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.capacity.buckets import TokenBucket

pauses = st.lists(st.floats(0, 5), min_size=1, max_size=60)


@settings(max_examples=40)
@given(pauses, st.integers(1, 50), st.floats(0.1, 50))
def test_in_any_time_it_gives_no_more_than_its_capacity_and_what_came_back(
    waits: list[float], capacity: int, per_second: float
) -> None:
    bucket, now = TokenBucket(capacity, per_second), 0.0
    taken_at = []
    for wait in waits:
        now += wait
        if bucket.take(now):
            taken_at.append(now)

    for first, begin in enumerate(taken_at):
        for last in range(first, len(taken_at)):
            assert last - first + 1 <= capacity + per_second * (taken_at[last] - begin) + 1e-6


@settings(max_examples=40)
@given(pauses, st.integers(1, 50), st.floats(0.1, 50))
def test_one_who_waits_for_a_token_gets_it_in_turn_and_at_no_higher_rate(
    waits: list[float], capacity: int, per_second: float
) -> None:
    bucket, now = TokenBucket(capacity, per_second), 0.0
    given_at = []
    for wait in waits:
        now += wait
        given_at.append(now + bucket.wait(now))

    assert given_at == pytest.approx(sorted(given_at))
    for count, at in enumerate(given_at, start=1):
        assert count <= capacity + per_second * at + 1e-6


def test_a_full_bucket_gives_all_it_holds_at_once_and_then_by_its_rate() -> None:
    bucket = TokenBucket(800, 150)

    assert sum(bucket.take(0.0) for _ in range(1_000)) == 800
    assert sum(bucket.take(1.0) for _ in range(1_000)) == 150
    assert sum(bucket.take(3_600.0) for _ in range(1_000)) == 800
