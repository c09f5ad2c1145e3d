"""The output during the start of the stack."""

import io
import itertools
import time

import pytest

from deploy import ROOT
from deploy.local.progress import Progress, short_path


def test_a_count_is_printed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    progress = Progress(log)
    seconds = itertools.count(100)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds) / 2)

    for count in range(20):
        progress.live(f"{count} of 20")
    progress.say("20 of 20")

    lines = log.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("0 of 20", "20 of 20")
    assert 2 < len(lines) < 8


def test_a_step_is_printed_when_it_ends_well_and_only_then() -> None:
    log = io.StringIO()
    progress = Progress(log)

    with progress.step("aws") as details:
        details.append("at home")
    try:
        with progress.step("stack"):
            raise OSError
    except OSError:
        pass

    assert "aws" in log.getvalue()
    assert "at home" in log.getvalue()
    assert "stack" not in log.getvalue()


def test_a_path_is_shown_as_it_is_typed() -> None:
    assert short_path(ROOT / ".local" / "logs") == ".local/logs"
