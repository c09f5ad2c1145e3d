"""The loads, and the choice among the settings of a sweep."""

from collections import Counter
from dataclasses import replace

import pytest

from deploy.capacity.choice import (
    BURST,
    BURST_AT,
    BURST_SECONDS,
    MOST_START_SECONDS,
    TASKS_A_DAY,
    Setting,
    SimulatedDay,
    Sweep,
    burst,
    choose,
    day,
)

QUIET = SimulatedDay(0.2, 0.4, 2.0, 0, 0, 0, 10)


def sweep(**bursts: SimulatedDay) -> Sweep:
    """Return a sweep of these bursts: ``c3`` is MaximumConcurrency 3."""
    found: dict[Setting, tuple[SimulatedDay, SimulatedDay]] = {}
    for name, one in bursts.items():
        found[int(name[1:]), 10] = (one, QUIET)
    return found


def test_a_throttled_start_decides_before_the_number_of_batches() -> None:
    found = sweep(c2=replace(QUIET, throttled_starts=5, batches=1), c3=QUIET, c4=replace(QUIET, batches=20))

    assert choose(found) == (3, 10)


def test_fewer_batches_win_between_equally_throttled_settings() -> None:
    assert choose(sweep(c2=replace(QUIET, batches=30), c3=QUIET, c5=replace(QUIET, batches=25))) == (3, 10)


def test_the_least_concurrency_wins_between_equals() -> None:
    assert choose(sweep(c5=QUIET, c2=QUIET, c3=QUIET)) == (2, 10)


def test_a_setting_that_starts_the_burst_late_is_never_chosen() -> None:
    late, throttled = replace(QUIET, start_p95=MOST_START_SECONDS + 0.1), replace(QUIET, throttled_starts=1_000)

    assert choose(sweep(c2=late, c3=throttled)) == (3, 10)
    with pytest.raises(ValueError, match=r"choice\.py"):
        choose(sweep(c2=late))


def test_a_day_has_its_tasks_and_the_burst_at_its_hour() -> None:
    tasks = day()

    assert Counter(task.workflow for task in tasks) == Counter(TASKS_A_DAY) + Counter(guard_report=BURST)
    assert all(0 <= task.sent_at < 86_400 for task in tasks)
    times = [task.sent_at for task in burst()]
    assert BURST_AT <= min(times) < max(times) <= BURST_AT + BURST_SECONDS
