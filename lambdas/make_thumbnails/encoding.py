"""Shrinks and encodes one picture into every size. Everything that is drawn ends here: photos, pages, frames, waves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize

if TYPE_CHECKING:
    import pyvips  # type: ignore[import-untyped]  # it ships no types

WEBP_QUALITY = 80
WEBP_EFFORT = 2  # 0 to 6: 3 takes twice the time for five percent of the bytes
JPEG_QUALITY = 82
# Catmull-Rom, as Pillow's thumbnail takes: as near to the picture as Lanczos, and quicker.
_KERNEL = "cubic"
_WHITE = [255, 255, 255]


@dataclass(frozen=True)
class Drawn:
    """One thumbnail: pixels only, no EXIF, no XMP, no profile, no comment."""

    size: ThumbnailSize
    width: int
    height: int
    data: bytes


def encode_all(picture: "pyvips.Image", sizes: Sequence[ThumbnailSize]) -> list[Drawn]:
    """Return each size of an upright sRGB picture (RGB or RGBA, 8 bits), in the order of ``sizes``.

    Nothing is scaled up. JPEG has no transparency: it is laid on white. The same pixels give the same bytes.
    The picture is read once, from top to bottom. Raises pyvips.Error for what cannot be read of it.
    """
    shrunk = _shrink_all(picture, {size.edge for size in sizes})
    return [
        Drawn(size, shrunk[size.edge].width, shrunk[size.edge].height, _encode(shrunk[size.edge], size))
        for size in sizes
    ]


def fit(width: int, height: int, edge: int) -> tuple[int, int]:
    """Return the size with the longer side at most ``edge``, never larger than it was, no side below 1."""
    scale = min(1.0, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrink_all(picture: "pyvips.Image", edges: Iterable[int]) -> "dict[int, pyvips.Image]":
    """Return the picture in each size. Each is shrunk from the next larger one, which is quick and looks alike."""
    shrunk: dict[int, pyvips.Image] = {}
    whole = picture.width, picture.height
    for edge in sorted(edges, reverse=True):
        # Into memory: two encoders and the next size read it.
        picture = shrink(picture, *fit(*whole, edge)).copy_memory()
        shrunk[edge] = picture
    return shrunk


def shrink(picture: "pyvips.Image", width: int, height: int) -> "pyvips.Image":
    """Return the picture in another size. Transparent pixels do not bleed their colour into others."""
    if (picture.width, picture.height) == (width, height):
        return picture
    across, down = width / picture.width, height / picture.height
    if not picture.hasalpha():
        return picture.resize(across, vscale=down, kernel=_KERNEL)
    return picture.premultiply().resize(across, vscale=down, kernel=_KERNEL).unpremultiply().cast(picture.format)


def _encode(picture: "pyvips.Image", size: ThumbnailSize) -> bytes:
    data: bytes
    if not size.is_jpeg:
        data = picture.webpsave_buffer(Q=WEBP_QUALITY, effort=WEBP_EFFORT, keep="none")
        return data
    if picture.hasalpha():
        picture = picture.flatten(background=_WHITE)
    # Not progressive: that takes twice the time, and a picture this small is there at once.
    data = picture.jpegsave_buffer(Q=JPEG_QUALITY, optimize_coding=True, keep="none")
    return data
