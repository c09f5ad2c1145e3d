"""Validates metadata of a camera (time, model and position) for FileFacts."""

import re
from datetime import datetime

# The first cameras with EXIF date from 1995; an earlier time is a clock that was never set.
FIRST_YEAR, LAST_YEAR = 1990, 2099
LONGEST_CAMERA = 120
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


def captured_at(local: datetime, offset: str) -> str | None:
    """Return a local time as ISO 8601, with ``offset`` if valid, like ``+02:00``.

    Returns None for a time before or after all digital cameras.
    """
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        return None
    return local.isoformat(timespec="seconds") + (offset if _OFFSET.fullmatch(offset) else "")


def camera(make: object, model: object) -> str | None:
    """Return maker and model as one name without repetition, None if both are empty."""
    maker, name = text_of(make), text_of(model)
    first = maker.split(" ")[0].lower()
    both = name if first and name.lower().split(" ")[0] == first else f"{maker} {name}"
    return both.strip()[:LONGEST_CAMERA].strip() or None


def position(latitude: float, longitude: float) -> dict[str, float]:
    """Return both in degrees; nothing if invalid, or 0, 0: a receiver without a fix."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or (latitude, longitude) == (0, 0):
        return {}
    return {"latitude": round(latitude, 7) + 0.0, "longitude": round(longitude, 7) + 0.0}  # + 0.0: no -0.0


def text_of(value: object) -> str:
    """Return text without control characters and repeated spaces, "" for other types."""
    if not isinstance(value, str):
        return ""
    shown = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(shown.split())
