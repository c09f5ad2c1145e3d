from collections.abc import Callable
from itertools import pairwise
from threading import Event

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from qu_workflows.aws import pacing
from qu_workflows.aws.pacing import DESCRIBE, STOP, Pace, wait_out_throttling
from qu_workflows.protocol.refusals import OperationFailed


class Time(Event):
    """A clock whose waits take no time of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        return self.is_set()

    def read(self) -> float:
        return self.now


@given(st.floats(0.5, 300), st.lists(st.floats(0, 3), min_size=2, max_size=30))
def test_no_two_calls_come_closer_than_the_pace(per_second: float, work_seconds: list[float]) -> None:
    time = Time()
    pace = Pace(per_second, time, time.read)
    begun = []
    for seconds in work_seconds:
        pace.wait()
        begun.append(time.now)
        time.now += seconds

    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert all(gap >= 1 / per_second - 1e-6 for gap in gaps)
    assert all(gap <= max(1 / per_second, worked) + 1e-6 for gap, worked in zip(gaps, work_seconds, strict=False))


def throttled(times: int) -> tuple[list[int], Callable[[], str]]:
    calls: list[int] = []

    def call() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "RedriveExecution")
        return "answer"

    return calls, call


def test_throttling_is_waited_out_longer_each_time_up_to_the_longest() -> None:
    calls, call = throttled(7)
    time = Time()
    waits: list[float] = []

    def draw() -> float:
        waits.append(time.now)
        return 1.0

    assert wait_out_throttling(call, time, draw) == "answer"

    assert len(calls) == 8
    assert [later - earlier for earlier, later in zip(waits, [*waits[1:], time.now], strict=True)] == [
        1, 2, 4, 8, 16, 20, 20,
    ]  # fmt: skip


def test_what_stays_throttled_is_a_failure_that_says_what_to_do() -> None:
    calls, call = throttled(100)

    with pytest.raises(OperationFailed, match="lower --per-second"):
        wait_out_throttling(call, Time())
    assert len(calls) == pacing.THROTTLED_TRIES


def test_a_stop_ends_every_wait() -> None:
    calls, call = throttled(100)
    time = Time()
    time.set()

    with pytest.raises(OperationFailed, match="throttled the call, and the command was stopped"):
        wait_out_throttling(call, time)
    assert len(calls) == 1


def test_quotas_are_the_regions_own() -> None:
    assert [STOP.of(region) for region in ("us-east-2", "us-west-2")] == [25, 200]
    assert [DESCRIBE.of(region) for region in ("eu-central-1", "us-east-1")] == [10, 15]
