"""Shared by all benchmarks: sizes, the table, its JSON, and the exit code.

``BENCH_SMALL=1`` makes each benchmark one small round, which misses no target: the tests run it so that none can rot.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / ".local" / "bench"
IS_SMALL = os.environ.get("BENCH_SMALL") == "1"
HEAD = ("what", "ours", "reference", "ratio", "target", "verdict")


@dataclass(frozen=True)
class Row:
    """One measurement: ``ours`` beside ``reference``, both in ``unit``.

    ``target`` is the ratio to reach; None where nothing is promised. ``more_is_better`` makes it the
    least ratio that passes, else it is the greatest.
    """

    name: str
    ours: float
    unit: str
    reference: float | None = None
    target: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours over the reference."""
        return self.ours / self.reference if self.reference else None

    @property
    def passes(self) -> bool:
        """True without a target or with the target reached."""
        if self.target is None or self.ratio is None:
            return self.target is None
        return self.ratio >= self.target if self.more_is_better else self.ratio <= self.target

    @property
    def verdict(self) -> str:
        """PASS or FAIL, or nothing where nothing is promised."""
        return "" if self.target is None else "PASS" if self.passes else "FAIL"

    def cells(self) -> list[str]:
        """Return the row as it is printed."""
        sign = ">=" if self.more_is_better else "<="
        return [
            self.name,
            f"{self.ours:,.1f} {self.unit}",
            f"{self.reference:,.1f} {self.unit}" if self.reference is not None else "",
            f"{self.ratio:.2f}" if self.ratio is not None else "",
            f"{sign} {self.target:g}" if self.target is not None else "",
            self.verdict,
        ]


def sized(full: int, small: int = 1) -> int:
    """Return how many to measure: all, or the few of a small round."""
    return small if IS_SMALL else full


def report(benchmark: str, rows: Sequence[Row], folder: Path = RESULTS) -> int:
    """Print the table, write ``<benchmark>.json``, and return 1 if a target is missed, else 0.

    The figures of a small round are only printed, without targets: they mean nothing.
    """
    if IS_SMALL:
        sys.stdout.write(table([replace(row, target=None) for row in rows]))
        return 0
    sys.stdout.write(table(rows))
    folder.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = [{**asdict(row), "ratio": row.ratio, "verdict": row.verdict} for row in rows]
    (folder / f"{benchmark}.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row.passes for row in rows) else 1


def table(rows: Sequence[Row]) -> str:
    """Return the rows as columns under their names."""
    lines = [list(HEAD), *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def medians(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """Return each measure's median; rounds alternate, so that load affects all.

    The first turn warms up and does not count.
    """
    turns = _after_warm_up(rounds, lambda: [measure() for measure in measures])
    return [statistics.median(taken) for taken in zip(*turns, strict=True)]


def median_pair(rounds: int, ours: Callable[[], float], reference: Callable[[], float]) -> tuple[float, float]:
    """Return ours and the reference of the turn whose ratio is the median.

    Each turn takes one after the other, so that a busy moment meets both. The first warms up.
    """
    turns = _after_warm_up(rounds, lambda: (ours(), reference()))
    return sorted(turns, key=lambda turn: turn[0] / turn[1])[rounds // 2]


def _after_warm_up[T](rounds: int, turn: Callable[[], T]) -> list[T]:
    return [turn() for _ in range(rounds + sized(1, 0))][-rounds:]
