"""Distinguishes a TIFF from a camera's raw file, which begins like one: its first picture is a small preview."""

from typing import Literal

_ENTRY_BYTES = 12
_MAX_ENTRIES = 200
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 0x00FE, 0x014A, 0xC612
_DNG, _RAW = "image/x-adobe-dng", "image/x-raw"
_BY_MAGIC = {
    b"IIRO": "image/x-olympus-orf",
    b"IIRS": "image/x-olympus-orf",
    b"MMOR": "image/x-olympus-orf",
    b"IIU\x00": "image/x-panasonic-rw2",
    b"II+\x00": "image/tiff",  # BigTIFF, both orders
    b"MM\x00+": "image/tiff",
}
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\x00": "little", b"MM\x00*": "big"}


def media_type_of_tiff(head: bytes) -> str | None:
    """Return the media type of a TIFF or of a raw file built like one, None for anything else."""
    magic = head[:4]
    if magic in _BY_MAGIC:
        return _BY_MAGIC[magic]
    if magic not in _ORDERS:
        return None
    if head[8:10] == b"CR":
        return "image/x-canon-cr2"
    tags = _first_tags(head, _ORDERS[magic])
    if _DNG_VERSION in tags:
        return _DNG
    # TIFF 6.0, section 8, NewSubfileType: its lowest bit says that this picture is a smaller one of another.
    is_preview = tags.get(_NEW_SUBFILE_TYPE, 0) & 1
    return _RAW if is_preview and _SUB_IFDS in tags else "image/tiff"


def _first_tags(head: bytes, order: Literal["little", "big"]) -> dict[int, int]:
    """Return the tags of the first directory as far as the head has them, with their value or its offset."""

    def number(start: int, length: int) -> int:
        return int.from_bytes(head[start : start + length], order)

    start = number(4, 4)
    entries = range(start + 2, len(head) - _ENTRY_BYTES + 1, _ENTRY_BYTES)[: min(number(start, 2), _MAX_ENTRIES)]
    return {number(entry, 2): number(entry + 8, 4 if number(entry + 2, 2) != 3 else 2) for entry in entries}
