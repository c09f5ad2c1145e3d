"""Timestamps as Step Functions reads and prints them.

https://states-language.net/spec.html#timestamps: RFC 3339 with a capital T, and a capital Z without a numeric
offset. AWS refuses a date without time and a time without offset.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d):([0-5]\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def parse_timestamp(text: str) -> float:
    """Return the seconds since the epoch of an ISO-8601 extended offset date-time. Raises ValueError."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO-8601 extended offset date-time, such as 2016-03-14T01:59:00Z")
    year, month, day, hour, minute = (int(part) for part in match.group(1, 2, 3, 4, 5))
    second, fraction, sign, offset_hours, offset_minutes = match.group(6, 7, 8, 9, 10)
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    since = datetime(year, month, day, hour, minute, int(second or 0), tzinfo=zone) - _EPOCH
    return since.total_seconds() + (float(f"0.{fraction}") if fraction else 0.0)


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
