"""Timers, the pool of threads, and the clocks."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.clock import Clock, SkippableClock, SkippingClock, SystemClock
from asl_engine.runner.event_loop import Timers
from asl_engine.runner.tasks import WorkerPool


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("abc")), max_size=60), st.sets(st.sampled_from("abc")))
def test_timers_fire_in_order_and_dropped_ones_never(timers_set: list[tuple[int, str]], dropped: set[str]) -> None:
    timers = Timers()
    for number, (at_ms, arn) in enumerate(timers_set):
        timers.set(at_ms, arn, 1, number)
    for arn in dropped:
        timers.drop(arn)
    timers.set(25, "a", 2, -1)  # set again after it was dropped

    due = timers.due(25, 1000)

    wanted = [(at_ms, arn) for at_ms, arn in timers_set if arn not in dropped and at_ms <= 25] + [(25, "a")]
    assert [(timer[0], timer[2]) for timer in due] == sorted(wanted, key=lambda pair: pair[0])
    later = [at_ms for at_ms, arn in timers_set if arn not in dropped and at_ms > 25]
    assert timers.next_ms() == min(later, default=None)


def test_timers_of_closed_executions_do_not_pile_up() -> None:
    timers = Timers()
    for number in range(20_000):
        timers.set(10**12, f"execution {number}", 1, 1)
        timers.drop(f"execution {number}")

    assert len(timers) < 3000


def test_timers_beyond_the_limit_remain() -> None:
    timers = Timers()
    for number in range(5):
        timers.set(number, "a", 1, number)

    assert [len(timers.due(10, 2)), len(timers.due(10, 2)), len(timers.due(10, 2))] == [2, 2, 1]


def test_a_pool_without_threads_does_its_jobs_at_once() -> None:
    done: list[threading.Thread] = []

    WorkerPool(0).do(lambda: done.append(threading.current_thread()))

    assert done == [threading.current_thread()]


def test_a_pool_has_no_more_threads_than_jobs_or_its_size() -> None:
    pool, release = WorkerPool(2), threading.Event()

    def hold() -> None:
        release.wait(10)

    for _ in range(5):
        pool.do(hold)

    assert (pool._threads, pool.busy) == (2, True)
    release.set()
    for _ in range(500):
        if not pool.busy:
            break
        time.sleep(0.01)
    assert not pool.busy
    pool.close()


def test_a_skipping_clock_jumps_only_without_work() -> None:
    clock, woken = SkippingClock(1000), threading.Event()

    clock.wait(woken, 5000, busy=False)
    assert clock.now_ms() == 5000
    woken.set()
    clock.wait(woken, 9000, busy=False)
    clock.wait(woken, 9000, busy=True)
    assert clock.now_ms() == 5000
    clock.skip_to(4000)
    assert clock.now_ms() == 5000
    clock.skip_to(6000)
    assert clock.now_ms() == 6000


@pytest.mark.parametrize("until_ms", [None, 10**15])
def test_a_waiting_clock_returns_when_it_is_woken(until_ms: int | None) -> None:
    clock: Clock = SystemClock()
    woken = threading.Event()
    threading.Timer(0.02, woken.set).start()
    began = time.monotonic()

    clock.wait(woken, until_ms, busy=False)

    assert time.monotonic() - began < 5


def test_a_waiting_clock_returns_at_its_time() -> None:
    clock = SystemClock()
    end_ms = clock.now_ms() + 20

    clock.wait(threading.Event(), end_ms, busy=False)
    clock.wait(threading.Event(), end_ms - 100, busy=False)

    assert clock.now_ms() >= end_ms


def test_moving_a_clock_wakes_waiting_threads() -> None:
    clock, woken = SkippableClock(), threading.Event()
    end_ms = clock.now_ms() + 3_600_000
    threading.Timer(0.02, clock.skip, [3_600_000]).start()
    began = time.monotonic()

    clock.wait(woken, end_ms, busy=False)

    assert time.monotonic() - began < 5
    assert end_ms <= clock.now_ms() < end_ms + 60_000
    assert clock.skip(0) >= end_ms


def test_a_clock_moved_before_the_wait_does_not_wait() -> None:
    clock = SkippableClock()
    end_ms = clock.now_ms() + 3_600_000
    clock.skip(3_600_000)
    began = time.monotonic()

    clock.wait(threading.Event(), end_ms, busy=False)

    assert time.monotonic() - began < 5
