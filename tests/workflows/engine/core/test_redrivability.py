"""Redrivability of executions, and AWS's reasons against it."""

from typing import Any

import pytest

from asl_engine import redrivability

DAY_MS = 86_400_000
LAUNCHED_MS = 1_700_006_400_000
START_MS = LAUNCHED_MS + DAY_MS
CLOSED: dict[str, Any] = {"status": "FAILED", "start_ms": START_MS, "stop_ms": START_MS, "now_ms": START_MS}


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_failed_stopped_and_timed_out_executions_can_be_redriven(status: str) -> None:
    changed = {"status": status, "now_ms": START_MS + 14 * DAY_MS, "history_length": 24_998}

    assert redrivability(**CLOSED | changed) == ("REDRIVABLE", None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": "RUNNING"}, "Execution is RUNNING and cannot be redriven"),
        ({"status": "SUCCEEDED"}, "Execution is SUCCEEDED and cannot be redriven"),
        ({"status": "PENDING_REDRIVE"}, "Execution is PENDING_REDRIVE and cannot be redriven"),
        ({"machine_is_deleting": True}, "State machine is in DELETING status"),
        ({"start_ms": LAUNCHED_MS - 1}, "Execution was started before the launch of RedriveExecution"),
        ({"history_length": 24_999}, "Execution history event limit exceeded"),
        (
            {"stop_ms": START_MS + 365 * DAY_MS, "now_ms": START_MS + 365 * DAY_MS + 1},
            "Execution has exceeded the max execution time",
        ),
        ({"now_ms": START_MS + 14 * DAY_MS + 1}, "Execution redrivable period exceeded"),
    ],
)
def test_an_execution_that_cannot_be_redriven_has_a_reason(changed: dict[str, Any], reason: str) -> None:
    assert redrivability(**CLOSED | changed) == ("NOT_REDRIVABLE", reason)


def test_a_child_of_a_map_run_is_redriven_by_the_map_run() -> None:
    assert redrivability(**CLOSED, is_map_run_child=True) == ("REDRIVABLE_BY_MAP_RUN", None)
