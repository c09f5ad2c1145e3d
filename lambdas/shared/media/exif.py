"""Reads what a camera wrote into a picture. What is broken is left out."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

from lambdas.shared.media import captures

_GPS = ExifTags.GPS


def exif_of(block: bytes) -> Image.Exif:
    """Return the EXIF block of a picture, empty if it cannot be read."""
    exif = Image.Exif()
    try:
        exif.load(block)
    except Exception:  # noqa: BLE001  broken EXIF raises anything
        return Image.Exif()
    return exif


def facts_of(exif: Image.Exif) -> dict[str, Any]:
    """Return what EXIF says, as fields of FileFacts: captured_at, camera, latitude and longitude, those it has."""
    main = _tags(exif, None)
    photo = _tags(exif, ExifTags.IFD.Exif)
    facts: dict[str, Any] = {
        "captured_at": captured_at(
            photo.get(ExifTags.Base.DateTimeOriginal), photo.get(ExifTags.Base.OffsetTimeOriginal)
        ),
        "camera": captures.camera(main.get(ExifTags.Base.Make), main.get(ExifTags.Base.Model)),
    }
    facts |= _position(_tags(exif, ExifTags.IFD.GPSInfo))
    return {name: value for name, value in facts.items() if value is not None}


def captured_at(time: object, offset: object) -> str | None:
    """Return EXIF's ``2026:05:01 22:10:00`` as ISO 8601, with the offset from UTC if it is one; None for no date."""
    try:
        taken = datetime.strptime(captures.text_of(time), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007  the offset is added as text
    except ValueError:
        return None
    return captures.captured_at(taken, captures.text_of(offset))


def _tags(exif: Image.Exif, ifd: int | None) -> Mapping[int, Any]:
    try:
        return dict(exif) if ifd is None else exif.get_ifd(ifd)
    except Exception:  # noqa: BLE001  as above
        return {}


def _position(gps: Mapping[int, Any]) -> dict[str, float]:
    latitude = _degrees(gps.get(_GPS.GPSLatitude), gps.get(_GPS.GPSLatitudeRef), "NS")
    longitude = _degrees(gps.get(_GPS.GPSLongitude), gps.get(_GPS.GPSLongitudeRef), "EW")
    return {} if latitude is None or longitude is None else captures.position(latitude, longitude)


def _degrees(parts: object, ref: object, signs: str) -> float | None:
    """Return degrees, minutes and seconds as degrees, negative for the second of the ``signs``."""
    sign = captures.text_of(ref).upper()
    if not isinstance(parts, Sequence) or not 1 <= len(parts) <= 3 or len(sign) != 1 or sign not in signs:
        return None
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        return None
    degrees: float = sum(number / 60**place for place, number in enumerate(numbers))
    return -degrees if sign == signs[1] else degrees
