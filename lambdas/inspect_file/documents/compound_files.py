"""Reads the directory of an OLE compound file: old or encrypted Office files.

https://learn.microsoft.com/en-us/openspecs/windows_protocols/ms-cfb
"""

import struct
from mmap import mmap

_HEADER_BYTES, _ENTRY_BYTES = 512, 128
_MAX_SECTORS = 4096  # of the directory: 16,384 names or more
_END_OF_CHAIN = 0xFFFFFFFA  # and above: no sector
_BY_STREAM = {
    "WordDocument": "application/msword",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "VisioDocument": "application/vnd.visio",
    "__properties_version1.0": "application/vnd.ms-outlook",
}
_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")
MACRO_STORAGES = frozenset({"VBA", "_VBA_PROJECT", "_VBA_PROJECT_CUR", "Macros"})
ENCRYPTED_PACKAGE = "EncryptedPackage"


class BrokenCompoundFile(ValueError):
    """The directory of the file is invalid."""


def names_in(content: mmap) -> tuple[list[str], bool]:
    """Return the names of all streams and storages, and whether it is an MSI.

    Raises BrokenCompoundFile if the directory is circular or incomplete.
    """
    try:
        sector_bytes = 1 << struct.unpack_from("<H", content, 30)[0]
        if sector_bytes not in {512, 4096}:
            raise BrokenCompoundFile("its sector size is unknown")
        entries = list(_directory(content, sector_bytes))
    except (struct.error, IndexError) as error:
        raise BrokenCompoundFile("it is truncated") from error
    return [_name(entry) for entry in entries], bool(entries) and entries[0][80:96] == _INSTALLER


def media_type_of(names: list[str]) -> str | None:
    """Return the media type of a file with these streams, None if unknown."""
    return next((media_type for name, media_type in _BY_STREAM.items() if name in names), None)


def _directory(content: mmap, sector_bytes: int) -> list[bytes]:
    sector: int = struct.unpack_from("<L", content, 48)[0]
    entries: list[bytes] = []
    seen: set[int] = set()
    while sector < _END_OF_CHAIN:
        start = (sector + 1) * sector_bytes
        if sector in seen or len(seen) >= _MAX_SECTORS or start + _ENTRY_BYTES > len(content):
            raise BrokenCompoundFile("its directory is circular or incomplete")
        seen.add(sector)
        data = content[start : start + sector_bytes]
        entries += [data[at : at + _ENTRY_BYTES] for at in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES)]
        sector = _next(content, sector, sector_bytes)
    return [entry for entry in entries if entry[66]]


def _next(content: mmap, sector: int, sector_bytes: int) -> int:
    """Return the next sector from the allocation table, by the header's 109 entries."""
    per_sector = sector_bytes // 4
    table, position = divmod(sector, per_sector)
    if table >= 109:  # beyond 7 MB, where no directory is
        return 0xFFFFFFFE
    table_sector = struct.unpack_from("<L", content, 76 + table * 4)[0]
    return int(struct.unpack_from("<L", content, (table_sector + 1) * sector_bytes + position * 4)[0])


def _name(entry: bytes) -> str:
    length = min(64, struct.unpack_from("<H", entry, 64)[0])
    return entry[: max(0, length - 2)].decode("utf-16-le", "replace")
