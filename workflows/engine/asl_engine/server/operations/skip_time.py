"""SkipTime, which AWS has not: a served engine's time moved forward, so that a test need not wait for a timeout.

``POST /`` with ``X-Amz-Target: AWSStepFunctions.SkipTime`` and ``{"seconds": 900}``; the answer is
``{"now": <seconds since the epoch>}``. Only an engine that was started with ``--skippable`` knows it.
"""

from collections.abc import Mapping

from asl_engine.clock import Clock, SkippableClock
from asl_engine.jsontext import Json
from asl_engine.server.operation import ApiCall, Operation, seconds
from asl_engine.server.request_validation import Number

NAME = "SkipTime"
_SECONDS = Number(required=True, min=0, max=366 * 24 * 3600, real=True)


def operations_on_time(clock: Clock) -> Mapping[str, Operation]:
    """Return SkipTime by its name where the clock can be moved, and nothing where it cannot."""
    if not isinstance(clock, SkippableClock):
        return {}

    def skip_time(call: ApiCall) -> Json:
        """Move the time; timers that are due then fire at once, those of tasks under way among them."""
        return {"now": seconds(clock.skip(round(call.arguments["seconds"] * 1000)))}

    return {NAME: Operation(skip_time, quick=True, fields={"seconds": _SECONDS})}
