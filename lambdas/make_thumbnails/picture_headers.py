"""Reads how large a thumbnail is from its first bytes. It knows the two formats that this function writes."""

from collections.abc import Callable

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of(data: bytes, media_type: str) -> tuple[int, int] | None:
    """Return width and height of a WebP or a JPEG file; None for one that has no such beginning."""
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
    """ITU-T T.81, section B.2.2: the frame header comes after any number of other segments."""
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


_READERS: dict[str, Callable[[bytes], tuple[int, int] | None]] = {"image/webp": _webp_size, "image/jpeg": _jpeg_size}
