"""The benchmarks' table and its verdicts."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.report import Row, median_pair, medians, report, table


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("time", 20, "ms", 10, target=2.0), "PASS"),
        (Row("time", 21, "ms", 10, target=2.0), "FAIL"),
        (Row("rate", 7, "/s", 10, target=0.7, more_is_better=True), "PASS"),
        (Row("rate", 6, "/s", 10, target=0.7, more_is_better=True), "FAIL"),
        (Row("rate", 6, "/s", None, target=0.7), "FAIL"),
        (Row("size", 6, "MiB"), ""),
    ],
)
def test_a_row_knows_whether_it_reaches_its_target(row: Row, verdict: str) -> None:
    assert row.verdict == verdict


def test_a_missed_target_is_exit_code_1_and_everything_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row("time", 30, "ms", 10, target=2.0), Row("size", 6, "MiB")]

    assert report("speed", rows, tmp_path) == 1
    assert report("speed", rows[1:], tmp_path / "again") == 0
    assert json.loads((tmp_path / "speed.json").read_text())[0]["ratio"] == 3
    assert "FAIL" in capsys.readouterr().out


def test_the_table_has_its_columns_one_below_the_other() -> None:
    head, *lines = table([Row("a", 1, "ms", 2, 0.7), Row("a longer name", 12_345, "ms", 2, 9)]).splitlines()

    column = head.index("target")
    assert [line[column:].split("  ")[0] for line in lines] == ["<= 0.7", "<= 9"]


def test_a_median_leaves_out_the_turn_that_warms_up() -> None:
    slow_at_first = iter([100.0, 1.0, 2.0, 3.0])

    assert medians(3, lambda: next(slow_at_first), lambda: 5.0) == [2.0, 5.0]


def test_the_median_pair_is_of_one_turn_however_busy_the_others_were() -> None:
    ours = iter([1.0, 40.0, 5.0, 90.0])
    reference = iter([100.0, 50.0, 10.0, 100.0])

    assert median_pair(3, lambda: next(ours), lambda: next(reference)) == (40.0, 50.0)
