"""Retriers of a step's errors, the same for every Task.

In ASL the first retrier that names an error decides, so the order is part of the meaning:
Lambda's own hiccups, the contract's transient errors, the permanent ones (no attempt at all),
and last whatever is unforeseen. ``FULL`` jitter spreads the attempts of executions that met the
same trouble at the same moment.
"""

from collections.abc import Sequence

from workflows.errors import StepError
from workflows.graphs.asl import Retrier, names_of

# The service's errors, after which the function may not even have run.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
LAMBDA_TRANSIENT = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
)
# The function has as many instances as the database bears, and all were busy: nothing is wrong but the hour. After a
# standing queue six retries lose half of the executions, fifteen none.
LAMBDA_THROTTLED = ("Lambda.TooManyRequestsException",)
# A function that ended without an answer: killed, out of memory, out of time.
FUNCTION_CRASHES = (
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
)
THROTTLED_ATTEMPTS = 15
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"


def retriers(
    *,
    transient: Sequence[type[StepError]],
    permanent: Sequence[type[Exception]],
    never: Sequence[str] = (),
    is_one_of_many: bool = False,
) -> list[Retrier]:
    """Return the retriers of a Task whose function raises these errors; ``never`` are more names not to try again.

    A transient error is met again after at most 2, 4, 8, 16, 32 and 60 seconds, an unforeseen one
    after at most 5, 10 and 20. A throttled function is asked 15 times more. ``is_one_of_many`` is for the iterations
    of a Map with very many items: they wait as long by half the attempts, 20, 40 and 60, since each attempt takes
    three events of the history.
    """
    lambda_transient = [*LAMBDA_TRANSIENT, *LAMBDA_THROTTLED] if is_one_of_many else list(LAMBDA_TRANSIENT)
    throttled = [] if is_one_of_many else [_transient(list(LAMBDA_THROTTLED), is_one_of_many, THROTTLED_ATTEMPTS)]
    return [
        *throttled,
        _transient(lambda_transient, is_one_of_many),
        _transient(names_of(transient), is_one_of_many),
        Retrier(error_equals=[*names_of(permanent), *never], max_attempts=0),
        Retrier(
            error_equals=["States.ALL"],
            interval_seconds=5,
            max_attempts=3,
            backoff_rate=2,
            max_delay_seconds=60,
            jitter_strategy="FULL",
        ),
    ]


def _transient(error_equals: list[str], is_one_of_many: bool, attempts: int = 6) -> Retrier:
    return Retrier(
        error_equals=error_equals,
        interval_seconds=20 if is_one_of_many else 2,
        max_attempts=3 if is_one_of_many else attempts,
        backoff_rate=2,
        max_delay_seconds=60,
        jitter_strategy="FULL",
    )
