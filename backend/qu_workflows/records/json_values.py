"""Which values a task can carry, a record can hold and a terminal can show."""

import math
import re
from typing import Any

from qu_workflows.compat import normalize_json
from qu_workflows.protocol.message import canonical_json

# U+0000 as JSON escapes it: an odd number of backslashes. PostgreSQL's jsonb has no such character.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def checked_json(value: Any) -> tuple[Any, str]:
    """Return a value as JSON has it, and its canonical text.

    Raises TypeError for a type that JSON has not, ValueError for a value that JSON or PostgreSQL has not.
    """
    normal = normalize_json(value)
    text = canonical_json(normal)
    if "\\u0000" in text and _NUL.search(text):
        raise ValueError("U+0000 can not be stored.")
    return normal, text


def storable_text(text: str, max_length: int | None = None) -> str:
    """Return a text as PostgreSQL takes it, its middle left out where it is too long."""
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    if max_length is None or len(clean) <= max_length:
        return clean
    half = (max_length - 5) // 2
    return f"{clean[:half]}\n...\n{clean[-half:]}"


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL has such a text: one without U+0000 and without half a surrogate pair."""
    return storable_text(text) == text


def printable(text: str) -> str:
    """Return a text that cannot leave its line or steer a terminal: an error's cause may hold anything."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def storable_json(value: Any) -> Any:
    """Return a JSON value as PostgreSQL takes it."""
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
