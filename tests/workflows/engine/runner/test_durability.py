"""Durability: the engine is killed at random points, and resumes without a loss."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from asl_engine.store.records import ExecutionFilter
from asl_engine.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[4]
STATES = ["First", "Flaky", "Wait", "Both", "Left", "Right", "Each", "Item", "Item", "Item", "Ask", "Far", "Last"]


def live_and_be_killed(folder: Path, kills: int, seed: int) -> None:
    """Run executions through a number of kills, and check that none is lost or repeated."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).parent / "killed.py"), str(folder), str(kills), str(seed)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    lines = [line.split(" ", 1) for line in (folder / "log").read_text().splitlines()]
    check_that_no_finished_task_ran_again(lines)
    store = SqliteStore(folder / "engine.db")
    try:
        check_that_every_execution_is_whole(store, {text for word, text in lines if word == "started"})
    finally:
        store.close()


def check_that_no_finished_task_ran_again(lines: list[list[str]]) -> None:
    finished: set[str] = set()
    for word, text in lines:
        if word == "saved":
            finished.add(text)
        elif word == "begin":
            assert text not in finished, f"{text} had succeeded, and ran again"
    assert finished


def check_that_every_execution_is_whole(store: SqliteStore, started: set[str]) -> None:
    found = store.executions(ExecutionFilter(), limit=100_000)
    assert {record.status for record in found} == {"SUCCEEDED"}
    parents = {record.name: record for record in found if record.map_run_arn is None}
    assert started <= set(parents)
    assert len(found) == 4 * len(parents)  # each with three children
    for record in parents.values():
        history = store.history(record.arn, limit=1000)
        assert [event.id for event in history] == list(range(1, len(history) + 1))
        exited = Counter(event.details["name"] for event in history if event.type.endswith("StateExited"))
        assert exited == Counter(STATES)


def test_twenty_kills_lose_and_repeat_nothing(tmp_path: Path) -> None:
    live_and_be_killed(tmp_path, kills=20, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_a_hundred_kills_lose_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    live_and_be_killed(tmp_path, kills=100, seed=seed)
