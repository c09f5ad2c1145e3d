"""Timestamps as Step Functions reads and prints them.

https://states-language.net/spec.html#timestamps: RFC 3339 with a capital T, and a capital Z without a numeric
offset. AWS refuses a date without time and a time without offset.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:[0-5]\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def parse_timestamp(text: str) -> float:
    """Return the seconds since the epoch of an ISO-8601 extended offset date-time. Raises ValueError."""
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(f"{text!r} is not an ISO-8601 extended offset date-time, such as 2016-03-14T01:59:00Z")
    return datetime.fromisoformat(text).timestamp()


def is_timestamp(value: object) -> bool:
    """Return whether a value is a timestamp."""
    if not isinstance(value, str):
        return False
    try:
        parse_timestamp(value)
    except ValueError:
        return False
    return True


def print_timestamp(epoch_ms: int) -> str:
    """Return milliseconds since the epoch as the context object has them: 2024-01-01T00:00:00.000Z."""
    moment = _EPOCH + timedelta(milliseconds=epoch_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{epoch_ms % 1000:03d}Z"
