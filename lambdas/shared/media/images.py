"""Opens pictures with libvips, or with Pillow, and reads their EXIF.

Only the header is read at first, so that limits are checked before memory is allocated for pixels. What cannot be read
raises UnreadableImage; broken EXIF is ignored.
"""

import math
import os
import re
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # libvips reads it once, at import

import pyvips  # type: ignore[import-untyped]  # it ships no types
from PIL import ExifTags, Image

from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media import captures
from workflows.errors import FileTooLarge, StepError, UnreadableImage

# Each loader is called by name, so that content cannot choose another.
_VIPS = {
    "image/jpeg": "jpegload",
    "image/png": "pngload",
    "image/webp": "webpload",
    "image/gif": "gifload",
    "image/tiff": "tiffload",
    "image/avif": "heifload",
}
_HEIF = "HEIF"
_PILLOW = {"image/bmp": "BMP", "image/heic": _HEIF, "image/heif": _HEIF, "image/heic-sequence": _HEIF}
# The EXIF orientations that swap width and height.
_SIDEWAYS = frozenset({5, 6, 7, 8})
# A JPEG is decoded at the coarsest scale with this many pixels for each one needed: it looks the same as the full
# scale, in half the time.
_PIXELS_FOR_ONE = 1.5
# There are some twenty kinds of chunks before a PNG's pixels, and texts.
_MAX_PNG_CHUNKS = 1000

# Pillow's own limit warns first and raises at twice the size. Ours is exact.
Image.MAX_IMAGE_PIXELS = None
# No operation is repeated, so a cache would only take memory.
pyvips.cache_set_max(0)


@dataclass(frozen=True)
class Picture:
    """The first frame of a picture as stored, with its EXIF ``orientation``, 1 to 8.

    ``pixels`` are decoded while they are read, once, from top to bottom; they may be a coarser form of the picture and
    have its profile. ``width`` and ``height`` are those of the full picture as displayed. ``frames`` includes pages.
    """

    pixels: pyvips.Image
    width: int
    height: int
    orientation: int
    frames: int
    exif: Image.Exif

    @property
    def is_sideways(self) -> bool:
        """Return whether its orientation swaps width and height."""
        return self.orientation in _SIDEWAYS


@contextmanager
def open_picture(file: MediaFile, limits: Limits, needed_edge: int) -> Generator[Picture]:
    """Yield a picture, a JPEG no finer than a longer side of ``needed_edge`` pixels needs.

    Any decoder error in the block becomes UnreadableImage. Raises FileTooLarge over ``max_pixels`` or ``max_frames``,
    before memory is allocated for them.
    """
    with _decoder_errors(file.key):
        if file.media_type in _VIPS:
            yield _with_vips(file, limits, needed_edge)
        elif file.media_type in _PILLOW:
            yield _with_pillow(file, limits, needed_edge)
        else:
            problem = f"is {file.media_type}, which no decoder here reads."
            raise UnreadableImage(file.key, problem, "Save it as a JPEG and upload that.")


def _with_vips(file: MediaFile, limits: Limits, needed_edge: int) -> Picture:
    load = getattr(pyvips.Image, _VIPS[file.media_type])
    # By default libvips accepts a truncated picture and fills the rest with grey.
    options = {"access": "sequential", "fail_on": "error" if file.media_type == "image/tiff" else "truncated"}
    image = load(file.path, **options)
    orientation = _field(image, "orientation", 1)
    is_png = file.media_type == "image/png"
    frames = _png_frames(file.path) if is_png else _field(image, "n-pages", 1)
    width, height = image.width, image.height
    _check(file.key, width, height, frames, limits)
    exif = _tiff_exif(file.path) if file.media_type == "image/tiff" else exif_of(_field(image, "exif-data", b""))
    if file.media_type == "image/jpeg":
        image = load(file.path, shrink=_shrink_on_load(max(width, height), needed_edge), **options)
    if orientation in _SIDEWAYS:
        width, height = height, width
    return Picture(image, width, height, orientation, frames, exif)


def _with_pillow(file: MediaFile, limits: Limits, needed_edge: int) -> Picture:
    file_format = _PILLOW[file.media_type]
    if file_format == _HEIF:
        import pi_heif  # type: ignore[import-untyped]  # it ships no types

        # libheif has turned it already: the orientation in EXIF must not be applied again.
        pi_heif.register_heif_opener(thumbnails=False)
    with Image.open(file.path, formats=(file_format,)) as image:
        width, height = image.size
        frames = int(getattr(image, "n_frames", 1))
        _check(file.key, width, height, frames, limits)
        image.load()
        exif, profile = image.getexif(), image.info.get("icc_profile")
        # Keep twice the needed pixels for a good filter, and average the rest away to copy less.
        mode = "RGBA" if image.has_transparency_data else "RGB"
        small = image if image.mode == mode else image.convert(mode)
        small = small.reduce(max(1, max(image.size) // max(1, 2 * needed_edge)))
    pixels = pyvips.Image.new_from_memory(small.tobytes(), *small.size, len(small.getbands()), "uchar")
    pixels = pixels.copy(interpretation="srgb")
    if profile:
        pixels.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return Picture(pixels, width, height, 1, frames, exif)


def _check(key: str, width: int, height: int, frames: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        problem = f"has {width:,} by {height:,} pixels, more than {limits.max_pixels:,}."
        raise FileTooLarge(key, problem, "Upload a smaller picture.")
    if frames > limits.max_frames:
        problem = f"has {frames:,} frames, more than {limits.max_frames:,}."
        raise FileTooLarge(key, problem, "Upload fewer of them, or as a video.")


def _shrink_on_load(edge: int, needed_edge: int) -> int:
    """Return the factor by which a JPEG's decoder divides its sides."""
    return next((by for by in (8, 4, 2) if edge / by >= needed_edge * _PIXELS_FOR_ONE), 1)


def _field[T](image: pyvips.Image, name: str, default: T) -> T:
    value: Any = image.get(name) if image.get_typeof(name) else default
    return value if isinstance(value, type(default)) else default


def _png_frames(path: str) -> int:
    """Return the number of frames in an animated PNG's header, which libvips ignores.

    https://www.w3.org/TR/png-3/#acTL-chunk
    """
    with Path(path).open("rb") as file:
        file.seek(8)
        for _ in range(_MAX_PNG_CHUNKS):
            size, name = int.from_bytes(file.read(4), "big"), file.read(4)
            if name == b"acTL":
                return max(1, int.from_bytes(file.read(4), "big"))
            if name in {b"IDAT", b""}:
                break
            file.seek(size + 4, os.SEEK_CUR)
    return 1


def _tiff_exif(path: str) -> Image.Exif:
    """Return the tags of a TIFF's first page, which are its EXIF."""
    # Broken tags can raise any error, and do not make the picture unreadable.
    with suppress(Exception), Image.open(path, formats=("TIFF",)) as image:
        exif = image.getexif()
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            exif.get_ifd(ifd)  # cached while the file is open
        return exif
    return Image.Exif()


@contextmanager
def _decoder_errors(key: str) -> Generator[None]:
    try:
        with warnings.catch_warnings(action="ignore"):  # Pillow warns about recoverable faults
            yield
    except (StepError, MemoryError):
        raise
    except Exception as error:
        is_cut_off = re.search("truncated|premature|end of|unexpected eof|out of data", str(error), re.IGNORECASE)
        damage = "cut off before its end" if is_cut_off else "damaged, or of a sort that cannot be read here"
        remedy = "Upload the picture again, or save it in another format first."
        raise UnreadableImage(key, f"is {damage}.", remedy) from error


def exif_of(block: bytes) -> Image.Exif:
    """Return a picture's EXIF block, empty if it cannot be read."""
    exif = Image.Exif()
    try:
        exif.load(block)
    except Exception:  # noqa: BLE001  broken EXIF can raise any error
        return Image.Exif()
    return exif


def facts_of(exif: Image.Exif) -> dict[str, Any]:
    """Return captured_at, camera, latitude and longitude, where present, as fields of FileFacts."""
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
    """Return EXIF's ``2026:05:01 22:10:00`` as ISO 8601, with a valid offset; None if invalid."""
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
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "NS")
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "EW")
    return {} if latitude is None or longitude is None else captures.position(latitude, longitude)


def _degrees(parts: object, ref: object, signs: str) -> float | None:
    """Return degrees, minutes and seconds as degrees, negative for the second sign."""
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
