"""Error matching of retriers and catchers, and the delays of retries."""

from asl_engine.core.execution import Branch
from asl_engine.definition.program import Retrier, State
from asl_engine.errors import ALL, DATA_LIMIT_EXCEEDED, HEARTBEAT_TIMEOUT, RUNTIME, TASK_FAILED, TIMEOUT

# States.TaskFailed "matches any known error name except for States.Timeout". States.ALL cannot catch Runtime errors;
# the documentation excepts States.DataLimitExceeded too, but AWS catches that of a task's result.
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_NOT_OF_TASK_FAILED = frozenset({DATA_LIMIT_EXCEEDED, RUNTIME, TIMEOUT, HEARTBEAT_TIMEOUT})
_NO_DELAY_LIMIT_SECONDS = 31_622_400.0  # no retry outlives the year that an execution may run


def matches(error_equals: tuple[str, ...], error: str | None, *, is_heartbeat: bool = False) -> bool:
    """Return whether ErrorEquals matches. A missed heartbeat is a States.Timeout with a second name."""
    names = set(error_equals)
    return (
        error in names
        or (is_heartbeat and HEARTBEAT_TIMEOUT in names)
        or (ALL in names and error != RUNTIME)
        or (TASK_FAILED in names and error not in _NOT_OF_TASK_FAILED)
    )


def delay_before(retrier: Retrier, retry_number: int) -> float:
    """Return the seconds to wait before a retry, 1 being the first.

    The caller applies jitter, so equal arguments always give equal delays.
    """
    limit = _NO_DELAY_LIMIT_SECONDS if retrier.max_delay_seconds is None else retrier.max_delay_seconds
    try:
        delay = retrier.interval_seconds * retrier.backoff_rate ** (retry_number - 1)
    except OverflowError:  # 2.0 ** 1024; the limit is the answer anyway
        return limit
    return min(delay, limit)


def take_retry(
    state: State, branch: Branch, error: str | None, *, is_heartbeat: bool = False
) -> tuple[Retrier, int] | None:
    """Count a retry of the first matching retrier; return both, None without attempts left.

    Each retrier has its own count, from the moment the state was entered or redriven.
    """
    for index, retrier in enumerate(state.retry):
        if matches(retrier.error_equals, error, is_heartbeat=is_heartbeat):
            taken = branch.retries.get(index, 0)
            if taken >= retrier.max_attempts:
                return None
            branch.retries = {**branch.retries, index: taken + 1}
            return retrier, taken + 1
    return None
