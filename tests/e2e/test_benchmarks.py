"""One small round of each benchmark that measures a running stack."""

import importlib

import pytest

from tests.benchmarks import report
from tests.benchmarks.every import ON_A_STACK
from tests.e2e.conftest import WholePath


@pytest.mark.parametrize("benchmark", ON_A_STACK)
def test_a_small_round_gives_its_figures(benchmark: str, path: WholePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "IS_SMALL", True)
    module = importlib.reload(importlib.import_module(f"tests.benchmarks.{benchmark}"))

    rows = module.measure(path.stack)

    assert rows
    assert all(row.ours > 0 for row in rows)
