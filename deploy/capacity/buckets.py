"""AWS's token bucket, by which it limits calls of its API.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-api-action-throttling-general
"""

import asyncio

from deploy.capacity.clock import now


class TokenBucket:
    """Holds at most ``capacity`` tokens, full at first; ``per_second`` are added."""

    def __init__(self, capacity: float, per_second: float) -> None:
        self.capacity, self.per_second = capacity, per_second
        self._tokens, self._at = capacity, 0.0

    def take(self) -> bool:
        """Take a token and return True, or return False: the call is throttled, and takes none."""
        self._refill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def wait(self) -> None:
        """Wait for a token: Step Functions delays state transitions in their order, and refuses none."""
        self._refill()
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self.per_second)

    def _refill(self) -> None:
        self._tokens = min(self.capacity, self._tokens + (now() - self._at) * self.per_second)
        self._at = now()
