"""Instances of a function, held against what queueing theory knows."""

import math
from random import Random

import pytest

from deploy.capacity.clock import Clock
from deploy.capacity.instances import KEPT_WARM_SECONDS, Instances, Share


def nothing() -> None:
    pass


def waits(servers: int, arrivals: list[float], duration: list[float]) -> list[float]:
    """How long each arrival waits for one of so many instances; ``duration`` is of each, in order of service."""
    clock, found = Clock(), []
    instances = Instances(clock, Share(servers), iter(duration).__next__)

    def arrive(at: float) -> None:
        instances.submit(lambda: found.append((at, clock.now)))

    for at in arrivals:
        clock.at(at, arrive, at)
    clock.run()
    # Lengths are drawn as service begins, first come first served: in the order of arrivals.
    served = dict(zip(arrivals, duration, strict=True))
    return [ended - at - served[at] for at, ended in found]


def erlang_c(servers: int, load: float) -> float:
    """The share of arrivals of M/M/c that have to wait; ``load`` in instances."""
    below = sum(load**busy / math.factorial(busy) for busy in range(servers))
    full = load**servers / math.factorial(servers) * servers / (servers - load)
    return full / (below + full)


def test_arrivals_by_the_clock_wait_as_long_as_one_instance_falls_behind() -> None:
    arrivals = [float(number) for number in range(100)]

    found = waits(1, arrivals, [1.5] * 100)

    assert found == pytest.approx([0.5 * number for number in range(100)])


def test_arrivals_by_the_clock_never_wait_where_an_instance_keeps_up() -> None:
    assert waits(1, [float(number) for number in range(100)], [0.9] * 100) == pytest.approx([0.0] * 100)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (13, 10.0)])
def test_random_arrivals_wait_as_long_as_erlang_says(servers: int, load: float) -> None:
    rng, at, arrivals = Random(7), 0.0, []  # noqa: S311  simulates, hides nothing
    for _ in range(20_000):
        at += rng.expovariate(load)
        arrivals.append(at)

    found = waits(servers, arrivals, [rng.expovariate(1.0) for _ in arrivals])

    expected = erlang_c(servers, load) / (servers - load)
    assert sum(found) / len(found) == pytest.approx(expected, rel=0.2)


def test_what_finds_no_room_is_throttled_and_counted() -> None:
    clock = Clock()
    instances = Instances(clock, Share(2), lambda: 1.0)

    assert [instances.invoke(nothing) for _ in range(3)] == [True, True, False]
    assert (instances.throttles, instances.peak) == (1, 2)
    clock.run()
    assert instances.invoke(nothing)


def test_functions_without_a_reservation_take_room_from_each_other() -> None:
    clock, together = Clock(), Share(1)
    one, other = Instances(clock, together, lambda: 1.0), Instances(clock, together, lambda: 1.0)

    assert one.invoke(nothing)
    assert not other.invoke(nothing)


def test_a_warm_instance_starts_at_once_and_one_left_idle_has_to_start_again() -> None:
    clock, ends = Clock(), []
    instances = Instances(clock, Share(5), lambda: 1.0, cold_seconds=3.0)
    for at in (0.0, 10.0, 20.0 + KEPT_WARM_SECONDS):
        clock.at(at, instances.submit, lambda: ends.append(clock.now))
    clock.run()

    assert ends == pytest.approx([4.0, 11.0, 24.0 + KEPT_WARM_SECONDS])
    assert instances.cold_starts == 2
