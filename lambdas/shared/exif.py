"""Reads what a camera wrote into a picture. It can be broken in any way, and then it just is not told."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

# The first cameras that wrote EXIF are of 1995; what is before is a clock that was never set.
FIRST_YEAR = 1990
LONGEST_CAMERA = 120
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")
_GPS = ExifTags.GPS


def exif_of(block: bytes) -> Image.Exif:
    """Return the EXIF block of a picture, empty if it can not be read."""
    exif = Image.Exif()
    try:
        exif.load(block)
    except Exception:  # noqa: BLE001  broken EXIF raises anything
        return Image.Exif()
    return exif


def facts_of(exif: Image.Exif) -> dict[str, Any]:
    """Return what EXIF tells, as fields of FileFacts: captured_at, camera, latitude and longitude, those it has."""
    main = _tags(exif, None)
    photo = _tags(exif, ExifTags.IFD.Exif)
    facts: dict[str, Any] = {
        "captured_at": captured_at(
            photo.get(ExifTags.Base.DateTimeOriginal), photo.get(ExifTags.Base.OffsetTimeOriginal)
        ),
        "camera": camera(main.get(ExifTags.Base.Make), main.get(ExifTags.Base.Model)),
    }
    position = _position(_tags(exif, ExifTags.IFD.GPSInfo))
    if position is not None:
        facts["latitude"], facts["longitude"] = position
    return {name: value for name, value in facts.items() if value is not None}


def captured_at(time: object, offset: object) -> str | None:
    """Return EXIF's ``2026:05:01 22:10:00`` as ISO 8601, with the offset from UTC if it is one; None for no date."""
    try:
        taken = datetime.strptime(_text(time), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007  the offset is added as text
    except ValueError:
        return None
    if taken.year < FIRST_YEAR:
        return None
    zone = _text(offset)
    return taken.isoformat() + (zone if _OFFSET.fullmatch(zone) else "")


def camera(make: object, model: object) -> str | None:
    """Return maker and model as one name that says neither twice, None where there is none."""
    maker, name = _text(make), _text(model)
    first = maker.split(" ")[0].lower()
    both = name if first and name.lower().split(" ")[0] == first else f"{maker} {name}"
    return both.strip()[:LONGEST_CAMERA].strip() or None


def _tags(exif: Image.Exif, ifd: int | None) -> Mapping[int, Any]:
    try:
        return dict(exif) if ifd is None else exif.get_ifd(ifd)
    except Exception:  # noqa: BLE001  as above
        return {}


def _text(value: object) -> str:
    """Return a text without control characters, and with one space where there were many. Anything else is none."""
    if not isinstance(value, str):
        return ""
    shown = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(shown.split())


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(_GPS.GPSLatitude), gps.get(_GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(gps.get(_GPS.GPSLongitude), gps.get(_GPS.GPSLongitudeRef), "EW", 180)
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):  # 0, 0: a receiver without a fix
        return None
    return latitude, longitude


def _degrees(parts: object, ref: object, signs: str, most: float) -> float | None:
    """Return degrees, minutes and seconds as degrees, negative for the second of the ``signs``."""
    sign = _text(ref).upper()
    if not isinstance(parts, Sequence) or not 1 <= len(parts) <= 3 or len(sign) != 1 or sign not in signs:
        return None
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        return None
    degrees = sum(number / 60**place for place, number in enumerate(numbers))
    return None if degrees > most else round(-degrees if sign == signs[1] else degrees, 7) + 0.0
