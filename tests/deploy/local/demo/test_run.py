"""The demo's summary and lines, and its lock."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.demo.evidence import Evidence
from deploy.local.demo.run import FilesNotFound, lines_of, run_demo, summary
from deploy.local.progress import Progress
from deploy.local.stack import AlreadyRunning, only_one
from tests.deploy.local.demo.test_evidence import COFFEE, EXECUTION, REPORT

FAILED = replace(
    REPORT,
    record_status="FAILED",
    execution=replace(EXECUTION, status="FAILED", failed_tries=["ProgrammingError", "UnreadableImage"]),
    files=[COFFEE | {"error": "UnreadableImage"}],
)
EVIDENCE = Evidence([REPORT, FAILED], {"poison": "{}"}, mails=4, scheduled=1, problems=[])


def test_the_summary_counts_what_was_found() -> None:
    assert summary(EVIDENCE, 12.34) == {
        "reports": 2,
        "succeeded": 1,
        "failed": 1,
        "thumbnails": 12,
        "emails": 4,
        "dead_lettered": 1,
        "redriven": 0,
        "scheduled": 1,
        "seconds": 12.3,
    }


def test_each_report_and_each_dead_letter_has_a_line() -> None:
    _head, good, failed, letter = lines_of(EVIDENCE)

    assert good.split() == ["1", "task", "SUCCEEDED", "1.5", "6", "0", "coffee.jpg"]
    assert failed.endswith("coffee.jpg (UnreadableImage), after 1 failed attempts (ProgrammingError)")
    assert letter == "dead letter poison: {}"


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FilesNotFound, match=r"There is no file .*door\.jpg\. Name files that exist"):
        run_demo(tmp_path, [tmp_path / "door.jpg"], Progress())


def test_a_second_demo_is_refused_while_one_runs(tmp_path: Path) -> None:
    second = only_one(tmp_path, "A demo")

    with only_one(tmp_path, "A demo"), pytest.raises(AlreadyRunning, match=r"^A demo is already running\."):
        second.__enter__()
