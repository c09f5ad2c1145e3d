"""Opens pictures: with libvips, and with Pillow what libvips does not read. What they cannot read is UnreadableImage.

Only the header is read at first, so that limits are checked before memory is taken for pixels.
"""

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # read once, when libvips begins

import pyvips  # type: ignore[import-untyped]  # it ships no types
from PIL import ExifTags, Image

from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.exif import exif_of
from workflows.errors import FileTooLarge, StepError, UnreadableImage

# libvips has a loader for each; the one is called by name, so content never chooses another.
_VIPS = {
    "image/jpeg": "jpegload",
    "image/png": "pngload",
    "image/webp": "webpload",
    "image/gif": "gifload",
    "image/tiff": "tiffload",
    "image/avif": "heifload",
}
_HEIF = "HEIF"
_PILLOW = {
    "image/bmp": "BMP",
    "image/heic": _HEIF,
    "image/heif": _HEIF,
    "image/heic-sequence": _HEIF,
}
# EXIF orientations 5 to 8 lay the picture on its side.
_SIDEWAYS = frozenset({5, 6, 7, 8})
# A JPEG is decoded at the coarsest eighth that still has this many pixels for each one needed:
# half again as many look the same as all of them, at half the time.
_PIXELS_FOR_ONE = 1.5
# A PNG's chunks before its pixels: there are some twenty kinds, and texts besides.
_CHUNKS_LOOKED_AT = 1000

# Pillow's own limit warns first and raises at twice the size. Ours is exact, and checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
# Nothing is asked for twice, and what is kept is memory.
pyvips.cache_set_max(0)


@dataclass(frozen=True)
class Picture:
    """The first frame of a picture, as it is stored: to be turned by its ``orientation``, 1 to 8.

    ``pixels`` are decoded as they are read, once, from top to bottom, and may be a coarser form of the picture, with
    its profile. ``width`` and ``height`` are those of the whole picture as it is seen. ``frames`` counts pages too.
    """

    pixels: pyvips.Image
    width: int
    height: int
    orientation: int
    frames: int
    exif: Image.Exif

    @property
    def is_sideways(self) -> bool:
        """Return whether turning it swaps its width and height."""
        return self.orientation in _SIDEWAYS


@contextmanager
def open_picture(file: MediaFile, limits: Limits, needed_edge: int) -> Generator[Picture]:
    """Yield a picture, a JPEG only as fine as it takes for a long edge of ``needed_edge`` pixels.

    Whatever a decoder raises in the block becomes UnreadableImage. Raises FileTooLarge over ``max_pixels`` or
    ``max_frames``, before memory is taken for them.
    """
    with _decoder_errors(file.key):
        if file.media_type in _VIPS:
            yield _with_vips(file, limits, needed_edge)
        elif file.media_type in _PILLOW:
            yield _with_pillow(file, limits, needed_edge)
        else:
            raise UnreadableImage(
                file.key, f"is {file.media_type}, which no decoder here reads.", "Save it as a JPEG and upload that."
            )


def _with_vips(file: MediaFile, limits: Limits, needed_edge: int) -> Picture:
    load = getattr(pyvips.Image, _VIPS[file.media_type])
    # A picture may end early without being refused by default: its rest would be grey.
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

        # What it opens is upright: libheif has turned it, and the orientation in EXIF is the same turn once more.
        pi_heif.register_heif_opener(thumbnails=False)
    with Image.open(file.path, formats=(file_format,)) as image:
        width, height = image.size
        frames = int(getattr(image, "n_frames", 1))
        _check(file.key, width, height, frames, limits)
        image.load()
        exif, profile = image.getexif(), image.info.get("icc_profile")
        # Twice the needed pixels are left for a good filter; the rest is averaged away, to copy less.
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
        raise FileTooLarge(
            key, f"has {width:,} by {height:,} pixels, more than {limits.max_pixels:,}.", "Upload a smaller picture."
        )
    if frames > limits.max_frames:
        raise FileTooLarge(
            key, f"has {frames:,} frames, more than {limits.max_frames:,}.", "Upload fewer of them, or as a video."
        )


def _shrink_on_load(edge: int, needed_edge: int) -> int:
    """Return by how much a JPEG's decoder divides its sides."""
    return next((by for by in (8, 4, 2) if edge / by >= needed_edge * _PIXELS_FOR_ONE), 1)


def _field[T](image: pyvips.Image, name: str, default: T) -> T:
    value: Any = image.get(name) if image.get_typeof(name) else default
    return value if isinstance(value, type(default)) else default


def _png_frames(path: str) -> int:
    """Return how many frames a PNG says it has, before its pixels begin; libvips knows of one alone.

    https://www.w3.org/TR/png-3/#acTL-chunk
    """
    with Path(path).open("rb") as file:
        file.seek(8)
        for _ in range(_CHUNKS_LOOKED_AT):
            size, name = int.from_bytes(file.read(4), "big"), file.read(4)
            if name == b"acTL":
                return max(1, int.from_bytes(file.read(4), "big"))
            if name in {b"IDAT", b""}:
                break
            file.seek(size + 4, os.SEEK_CUR)
    return 1


def _tiff_exif(path: str) -> Image.Exif:
    """Return the tags of a TIFF's first page, which are its EXIF."""
    # Broken tags raise anything, and do not make the picture unreadable.
    with suppress(Exception), Image.open(path, formats=("TIFF",)) as image:
        exif = image.getexif()
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            exif.get_ifd(ifd)  # read while the file is open, and kept
        return exif
    return Image.Exif()


@contextmanager
def _decoder_errors(key: str) -> Generator[None]:
    try:
        with warnings.catch_warnings(action="ignore"):  # Pillow warns of oddities that it can read past
            yield
    except (StepError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImage(
            key, f"is {_damage(error)}.", "Upload the picture again, or save it in another format first."
        ) from error


def _damage(error: Exception) -> str:
    words = str(error).lower()
    if any(word in words for word in ("truncated", "premature", "end of", "unexpected eof", "out of data")):
        return "cut off before its end"
    return "damaged, or of a sort that cannot be read here"
