"""AWS clients and their transient errors."""

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
    """Return a cached client of a service. ``attempts`` includes the first call.

    It is a botocore client: boto3 adds nothing to a single call, and an eighth to the cold start.
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
    """Turn throttling, internal errors and lost connections into StorageUnavailable.

    Errors of the deployment (rights, a missing bucket or table) are raised unchanged.
    """
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError  # noqa: A004  botocore's name

    try:
        yield
    except ClientError as error:
        code, status = code_of(error), status_of(error)
        if code in THROTTLED or status == 429 or status >= 500:
            raise StorageUnavailable(where, f"{service} returned {code or status}.", "Try again.") from error
        raise
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        problem = f"{service} could not be reached or lost the connection ({type(error).__name__})."
        raise StorageUnavailable(where, problem, "Try again.") from error


def code_of(error: Exception) -> str:
    """Return the error code of a ClientError, "" for any other error."""
    return str(_response_of(error).get("Error", {}).get("Code", ""))


def status_of(error: Exception) -> int:
    """Return the HTTP status of a ClientError, 0 for any other error."""
    return int(_response_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _response_of(error: Exception) -> dict[str, Any]:
    return getattr(error, "response", None) or {}
