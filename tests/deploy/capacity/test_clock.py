"""Simulated time: asyncio's own rules, without its waits."""

import asyncio

import pytest

from deploy.capacity.clock import now, run_simulated


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


def test_what_nothing_will_ever_wake_is_an_error_instead_of_a_hang() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="Nothing is left to happen"):
        run_simulated(stuck())
