"""One small round of each benchmark, as in ``make bench``."""

import os
import subprocess
import sys

import pytest

from deploy import ROOT
from tests.benchmarks.every import BY_THEMSELVES, FOLDER, ON_A_STACK
from tests.benchmarks.report import HEAD

# What the tests' own run has set: `make bench` runs without it.
OF_THE_TESTS = ("AWS_", "DATABASE_", "DJANGO_", "IN_PROCESS_", "POWERTOOLS_", "PYTEST_", "TASK_", "USE_ASYNC_")


@pytest.mark.parametrize("benchmark", BY_THEMSELVES)
def test_a_small_round_prints_its_figures(benchmark: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_TESTS)}

    done = subprocess.run(
        [sys.executable, FOLDER / f"{benchmark}.py"],
        env=inherited | {"BENCH_SMALL": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    head, *figures = done.stdout.splitlines()
    assert head.split() == list(HEAD)
    assert figures


def test_every_benchmark_is_found() -> None:
    assert "bench_enqueue" in BY_THEMSELVES
    assert "bench_whole_path" in ON_A_STACK
