"""What is believed of a camera's words on a picture or a film, as fields of FileFacts: time, camera and position."""

import re
from datetime import datetime

# The first cameras that wrote EXIF are of 1995; what is before is a clock that was never set.
FIRST_YEAR, LAST_YEAR = 1990, 2099
LONGEST_CAMERA = 120
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


def captured_at(local: datetime, offset: str) -> str | None:
    """Return a moment as ISO 8601, to the second, with its ``offset`` from UTC if that is one, like ``+02:00``.

    ``local`` has no zone. None for a moment before or after all digital cameras.
    """
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        return None
    return local.isoformat(timespec="seconds") + (offset if _OFFSET.fullmatch(offset) else "")


def camera(make: object, model: object) -> str | None:
    """Return maker and model as one name that says neither twice, None where there is none."""
    maker, name = text_of(make), text_of(model)
    first = maker.split(" ")[0].lower()
    both = name if first and name.lower().split(" ")[0] == first else f"{maker} {name}"
    return both.strip()[:LONGEST_CAMERA].strip() or None


def position(latitude: float, longitude: float) -> dict[str, float]:
    """Return both, in degrees; nothing for a position outside the Earth, or 0, 0: a receiver without a fix."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or (latitude, longitude) == (0, 0):
        return {}
    return {"latitude": round(latitude, 7) + 0.0, "longitude": round(longitude, 7) + 0.0}  # + 0.0: no -0.0


def text_of(value: object) -> str:
    """Return a text without control characters, and with one space where there were many. Anything else is none."""
    if not isinstance(value, str):
        return ""
    shown = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(shown.split())
