"""AWS's clients, and which of their errors the next attempt may get past."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

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


@cache
def aws_client(
    service: str, *, attempts: int, connect_seconds: float, read_seconds: float, connections: int = 10
) -> Any:
    """Return a service's client, made on first use. ``attempts`` counts the first call too.

    It comes from botocore itself: boto3 adds nothing to one call, and an eighth to the cold start.
    """
    import botocore.session
    from botocore.config import Config

    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return botocore.session.get_session().create_client(service, config=config)


@contextmanager
def storage_errors(where: str, service: str) -> Generator[None]:
    """Turn throttling, faults inside the service and broken connections into StorageUnavailable.

    What only a change of the deployment corrects (rights, a missing bucket or table) goes through as it is.
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
    """Return the service's name for a ClientError, "" for any other error."""
    return str(_response_of(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """Return the HTTP status of a ClientError, 0 where there is none."""
    return int(_response_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _response_of(error: Exception) -> dict[str, Any]:
    return getattr(error, "response", None) or {}
