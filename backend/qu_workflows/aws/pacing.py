"""Client-side rate limiting of AWS calls: below quota, evenly spaced, slower when throttled.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from botocore.exceptions import ClientError

from qu_workflows.protocol.refusals import OperationFailed, OperationRefused

LARGE_REGIONS = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
THROTTLED_TRIES = 8
LEAST_PER_SECOND = 0.01
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 20.0


@dataclass(frozen=True)
class Quota:
    """The refill rate of AWS's token bucket for an operation, per account and Region."""

    operation: str
    per_second: int
    per_second_in_large_regions: int

    def of(self, region: str) -> int:
        """Return the quota of a Region."""
        return self.per_second_in_large_regions if region in LARGE_REGIONS else self.per_second


REDRIVE = Quota("RedriveExecution", 150, 300)
STOP = Quota("StopExecution", 25, 200)
DESCRIBE = Quota("DescribeExecution", 10, 15)
HISTORY = Quota("GetExecutionHistory", 20, 20)


def check_per_second(per_second: float, quota: Quota, region: str) -> None:
    """Raise OperationRefused for an invalid rate, or one that AWS would throttle."""
    most = quota.of(region)
    if not (math.isfinite(per_second) and LEAST_PER_SECOND <= per_second <= most):
        raise OperationRefused(
            "--per-second",
            f"is {per_second:g}; AWS allows {most} {quota.operation} per second in {region} for the whole account.",
            f"Give {LEAST_PER_SECOND:g} to {most}, and leave some for other callers.",
        )


class Pace:
    """Spaces calls evenly. ``stop`` ends every wait."""

    def __init__(
        self, per_second: float, stop: Event | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_seconds = 1 / per_second
        self._stop, self._clock = stop or Event(), clock
        self._next_at: float | None = None

    def wait(self, count: int = 1) -> bool:
        """Wait until the next ``count`` calls may be made. Return False once ``stop`` is set."""
        now = self._clock()
        if self._next_at is not None and self._next_at > now:
            self._stop.wait(self._next_at - now)
            now = self._next_at
        self._next_at = now + count * self._interval_seconds
        return not self._stop.is_set()


def wait_out_throttling[T](
    call: Callable[[], T], stop: Event | None = None, draw: Callable[[], float] = random.random
) -> T:
    """Return the result of a call, retried with full jitter while AWS throttles it.

    For calls that are safe to repeat. Raises OperationFailed after THROTTLED_TRIES or once ``stop`` is set, and any
    other error of the call.
    """
    stop = stop or Event()
    longest = FIRST_WAIT_SECONDS
    for _ in range(THROTTLED_TRIES):
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                raise
        if stop.wait(draw() * longest):
            raise OperationFailed("Step Functions", "throttled the call, and the command was stopped.", "Run it again.")
        longest = min(longest * 2, LONGEST_WAIT_SECONDS)
    raise OperationFailed(
        "Step Functions", "still throttles the call after all retries.", "Try later, with a lower --per-second."
    )
