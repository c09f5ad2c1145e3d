"""JSON values and texts that PostgreSQL, SQS and terminals accept."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from qu_workflows.compat import normalize_json
from qu_workflows.protocol.message import canonical_json

_PLAIN = frozenset({str, int, float, bool, type(None)})
# U+0000 as JSON escapes it: an odd number of backslashes. PostgreSQL's jsonb has no such character.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def checked_json(value: Any) -> tuple[Any, str]:
    """Return a value as JSON, and its canonical text.

    Raises TypeError for a type that JSON does not have, ValueError for a value that JSON or PostgreSQL refuses.
    """
    normal = normalize_json(value)
    text = canonical_json(normal)
    if "\\u0000" in text and _NUL.search(text):
        raise ValueError("U+0000 cannot be stored")
    return normal, text


def storable_text(text: str, max_length: int | None = None) -> str:
    """Return a text that PostgreSQL accepts, without its middle if it is too long."""
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    if max_length is None or len(clean) <= max_length:
        return clean
    half = (max_length - 5) // 2
    return f"{clean[:half]}\n...\n{clean[-half:]}"


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL accepts a text: without U+0000 or half a surrogate pair."""
    return storable_text(text) == text


def to_json(value: Any) -> Any:
    """Return a value as JSON; times are ISO 8601 in UTC, durations seconds."""
    if type(value) in _PLAIN:  # first, because most values of a long history are
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def printable(text: str) -> str:
    """Return a text without line breaks and terminal control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def storable_json(value: Any) -> Any:
    """Return a JSON value that PostgreSQL accepts."""
    match value:
        case str():
            return storable_text(value)
        case dict():
            return {storable_text(key): storable_json(item) for key, item in value.items()}
        case list():
            return [storable_json(item) for item in value]
        case float() if not math.isfinite(value):  # 1e400 parses, as infinity
            return None
        case _:
            return value
