"""Thumbnails of each file: name, size, encoding, and the dimensions in their headers."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lambdas.shared.runtime.settings import SettingError, read_text

DEFAULT_SIZES = "small=160,medium=480,large=1280"
WEBP, JPEG = "image/webp", "image/jpeg"
PREVIEW = "preview"
_SIZE = re.compile(r"\s*([a-z]{1,15})\s*=\s*([1-9][0-9]{0,3})\s*")
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class ThumbnailSize:
    """One thumbnail of each file: ``edge`` limits its longer side; nothing is enlarged."""

    name: str
    edge: int
    media_type: str = WEBP

    @property
    def is_jpeg(self) -> bool:
        """Return whether it is a JPEG, which has no transparency."""
        return self.media_type == JPEG

    def key_of(self, sha256: str) -> str:
        """Return the key of a file's thumbnail: equal content, equal key."""
        return f"thumbnails/{sha256}/{self.name}.{'jpg' if self.is_jpeg else 'webp'}"


# The short animation of a video, as WebP only.
PREVIEW_SIZE = ThumbnailSize(PREVIEW, 320)


@dataclass(frozen=True)
class Drawn:
    """One thumbnail: pixels only, no EXIF, no XMP, no profile, no comment."""

    size: ThumbnailSize
    width: int
    height: int
    data: bytes


def read_thumbnail_sizes() -> list[ThumbnailSize]:
    """Return the sizes in THUMBNAIL_SIZES, smallest first, each as WebP and as JPEG.

    Raises SettingError unless it is a list like small=160,medium=480,large=1280.
    """
    text = read_text("THUMBNAIL_SIZES", DEFAULT_SIZES)
    found = [_SIZE.fullmatch(part) for part in text.split(",")]
    sizes = {match[1]: int(match[2]) for match in found if match}
    if len(sizes) < len(found) or PREVIEW in sizes:
        problem = f"is {text!r}, not a list of different names with pixels."
        raise SettingError("THUMBNAIL_SIZES", problem, f"Set it to {DEFAULT_SIZES}, for example.")
    by_edge = sorted(sizes.items(), key=lambda size: size[1])
    return [ThumbnailSize(name, edge, media_type) for name, edge in by_edge for media_type in (WEBP, JPEG)]


def size_of(data: bytes, media_type: str) -> tuple[int, int] | None:
    """Return width and height from a WebP's or JPEG's header; None if it is invalid."""
    try:
        size = _READERS[media_type](data)
    except (IndexError, KeyError):
        return None
    return size if size and min(size) > 0 else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """RFC 9649, sections 2.4 to 2.7."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """ITU-T T.81, section B.2.2: other segments may precede the frame header."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _START_OF_FRAME:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + max(2, length)
    return None


_READERS: dict[str, Callable[[bytes], tuple[int, int] | None]] = {WEBP: _webp_size, JPEG: _jpeg_size}
