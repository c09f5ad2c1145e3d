"""AWS's rules for redriving a closed execution.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from enum import StrEnum

from asl_engine.core.work import MAX_EVENTS, MAX_OPEN_MS

MAX_CLOSED_MS = 14 * 86_400_000  # since the execution closed
LAUNCHED_MS = 1_700_006_400_000  # 2023-11-15, the launch of RedriveExecution


class RedriveStatus(StrEnum):
    """DescribeExecution's redriveStatus."""

    REDRIVABLE = "REDRIVABLE"
    NOT_REDRIVABLE = "NOT_REDRIVABLE"
    REDRIVABLE_BY_MAP_RUN = "REDRIVABLE_BY_MAP_RUN"


def redrivability(
    *,
    status: str,
    start_ms: int,
    stop_ms: int | None,
    now_ms: int,
    history_length: int = 0,
    is_map_run_child: bool = False,
    machine_is_deleting: bool = False,
) -> tuple[RedriveStatus, str | None]:
    """Return whether an execution can be redriven at ``now_ms``, and AWS's reason if it cannot."""
    if status in ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE"):
        reason = f"Execution is {status} and cannot be redriven"
    elif machine_is_deleting:
        reason = "State machine is in DELETING status"
    elif start_ms < LAUNCHED_MS:
        reason = "Execution was started before the launch of RedriveExecution"
    elif history_length >= MAX_EVENTS - 1:
        reason = "Execution history event limit exceeded"
    elif now_ms - start_ms > MAX_OPEN_MS:
        reason = "Execution has exceeded the max execution time"
    elif stop_ms is not None and now_ms - stop_ms > MAX_CLOSED_MS:
        reason = "Execution redrivable period exceeded"
    else:
        return (RedriveStatus.REDRIVABLE_BY_MAP_RUN if is_map_run_child else RedriveStatus.REDRIVABLE), None
    return RedriveStatus.NOT_REDRIVABLE, reason
