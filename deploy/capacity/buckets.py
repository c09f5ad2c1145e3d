"""AWS's token bucket, as its API quotas go by.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-api-action-throttling-general
"""


class TokenBucket:
    """Holds at most ``capacity`` tokens, full at first; ``per_second`` come back. Time must never go back."""

    def __init__(self, capacity: float, per_second: float) -> None:
        self.capacity, self.per_second = float(capacity), float(per_second)
        self._tokens, self._at = float(capacity), 0.0

    def take(self, now: float) -> bool:
        """Take a token, or answer False: the call is throttled, and takes none."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def wait(self, now: float) -> float:
        """Take a token that may have yet to come, and return the seconds until it is there.

        So are state transitions throttled: Step Functions makes them later, in their order, and refuses none.
        """
        self._refill(now)
        self._tokens -= 1
        return 0.0 if self._tokens >= 0 else -self._tokens / self.per_second

    def _refill(self, now: float) -> None:
        self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.per_second)
        self._at = now
