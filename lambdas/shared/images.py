"""Decodes pictures with Pillow. Whatever a decoder raises on what it is given becomes UnreadableImage."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from PIL import ExifTags, Image, UnidentifiedImageError

from workflows.errors import FileTooLarge, StepError, UnreadableImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# EXIF orientations 5 to 8 lay the picture on its side.
_SIDEWAYS = frozenset({5, 6, 7, 8})

# Pillow's own limit warns first and raises at twice the size. Ours is exact, and checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Picture:
    """The first frame of a picture, decoded, as it is stored: to be turned by its ``orientation``, 1 to 8.

    ``image`` may have been reduced while decoding; ``width`` and ``height`` are those of the whole
    picture as it is seen, in pixels.
    """

    image: Image.Image
    width: int
    height: int
    orientation: int

    @property
    def is_sideways(self) -> bool:
        """Return whether turning it swaps its width and height."""
        return self.orientation in _SIDEWAYS


def read_picture(file: IO[bytes], key: str, max_pixels: int, needed_edge: int) -> Picture:
    """Decode a picture, a JPEG only as finely as it takes for a long edge of ``needed_edge`` pixels.

    Every byte that the first frame needs is read, so a truncated file does not pass.
    Raises UnreadableImage, and FileTooLarge over ``max_pixels``, before memory is taken for them.
    """
    with _decoder_errors(key):
        image = Image.open(file, formats=FORMATS)
        width, height = image.size
        if width * height > max_pixels:
            raise FileTooLarge(
                key, f"has {width:,} by {height:,} pixels, more than {max_pixels:,}.", "Upload a smaller picture."
            )
        image.draft(None, _draft_size(image.size, needed_edge))
        image.load()
        orientation = _orientation(image)
    if orientation in _SIDEWAYS:
        width, height = height, width
    return Picture(image, width, height, orientation)


def _draft_size(size: tuple[int, int], needed_edge: int) -> tuple[int, int]:
    long_edge = max(size)
    return (max(1, size[0] * needed_edge // long_edge), max(1, size[1] * needed_edge // long_edge))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none that can be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001  broken EXIF raises anything, and does not make the picture unreadable
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


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
    if "truncated" in str(error):
        return "cut off before its end"
    if isinstance(error, UnidentifiedImageError):
        return "damaged at its beginning"
    return f"damaged ({type(error).__name__})"
