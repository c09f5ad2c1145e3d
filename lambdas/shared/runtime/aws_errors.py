"""Which of boto3's errors the next attempt may get past."""

from collections.abc import Generator
from contextlib import contextmanager

from workflows.errors import StorageUnavailable

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


@contextmanager
def storage_errors(where: str, service: str) -> Generator[None]:
    """Turn throttling, faults inside the service and broken connections into StorageUnavailable.

    What only a change of the deployment mends (rights, a missing bucket or table) goes through as it is.
    """
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError  # noqa: A004  botocore's name

    try:
        yield
    except ClientError as error:
        code, status = code_of(error), status_of(error)
        if code in THROTTLED or status == 429 or status >= 500:
            raise StorageUnavailable(where, f"{service} answered {code or status}.", "Try again.") from error
        raise
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        problem = f"{service} was not reached or broke off ({type(error).__name__})."
        raise StorageUnavailable(where, problem, "Try again.") from error


def code_of(error: Exception) -> str:
    """Return the service's name for a ClientError."""
    code: str = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return code


def status_of(error: Exception) -> int:
    """Return the HTTP status of a ClientError, 0 where there is none."""
    status: int = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status
