"""Reads every entry of an archive to its end, within limits, and discards it.

The sizes that an archive states are not trusted; the unpacked bytes are counted.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from lambdas.inspect_file.documents.markup import PartReader
from lambdas.inspect_file.sniffing import BZIP2, GZIP, HEAD_BYTES, ZIP_END, ZIP_END_WITHIN, ZIP_ENTRY
from workflows.errors import DecompressionBomb, UnreadableDocument

_STEP_BYTES = 256 * 1024
_MAX_DEPTH = 4
# An entry of the central directory has 46 bytes and a name: enough for some 100,000 files.
_MAX_DIRECTORY_BYTES = 8 * 1024 * 1024
_MAX_INNER_BYTES = 64 * 1024 * 1024
# No document compresses so well at this size; office documents stay under 100 to 1.
_BOMB_FROM_BYTES, _BOMB_RATIO = 64 * 1024 * 1024, 200
_ENCRYPTED = 0x1
_REMEDY = "Upload the files one by one."
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, struct.error, IndexError)


@dataclass
class Budget:
    """Limit of unpacked bytes of one file, including nested archives."""

    key: str
    max_bytes: int
    packed_bytes: int
    spent: int = 0

    def spend(self, size: int) -> None:
        """Count bytes. Raises DecompressionBomb above the limit or the ratio."""
        self.spent += size
        if self.spent > self.max_bytes:
            raise DecompressionBomb(self.key, f"unpacks to more than {self.max_bytes:,} bytes.", _REMEDY)
        if self.spent > _BOMB_FROM_BYTES and self.spent > self.packed_bytes * _BOMB_RATIO:
            raise DecompressionBomb(self.key, f"unpacks to more than {_BOMB_RATIO} times its size.", _REMEDY)


# Takes the name of an entry and all names in lower case; returns the reader of the entry, if any.
type ReaderOf = Callable[[str, Set[str]], PartReader | None]


class _PasswordNeeded(Exception):
    """An archive or a nested one needs a password."""


def read_zip(file: IO[bytes], budget: Budget, reader_of: ReaderOf) -> Set[str]:
    """Read every entry of a ZIP and nested ZIPs; return the outer, lower-cased names.

    ``reader_of`` is called for the outer entries. Raises its errors, DecompressionBomb (too many bytes, entries or
    nested archives; overlapping entries) and UnreadableDocument (truncated, damaged, protected by a password).
    """
    try:
        return _read_zip(file, budget, reader_of, depth=1)
    except _PasswordNeeded as error:
        raise UnreadableDocument(budget.key, "is protected by a password.", "Upload it without a password.") from error


def read_packed(file: IO[bytes], media_type: str, budget: Budget) -> bytes:
    """Read a gzip, bzip2 or xz file and return the first HEAD_BYTES of its content.

    Raises DecompressionBomb and UnreadableDocument.
    """
    head = b""
    try:
        for chunk in _unpacked(file, media_type):
            budget.spend(len(chunk))
            head += chunk[: HEAD_BYTES - len(head)]
    except _BROKEN as error:
        raise UnreadableDocument(budget.key, "is an archive that is cut off or damaged.", _REMEDY) from error
    return head


def _read_zip(file: IO[bytes], budget: Budget, reader_of: ReaderOf, depth: int) -> Set[str]:
    _refuse_many_entries(file, budget.key)
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _refuse_overlaps(infos, budget.key)
            files = [info for info in infos if not info.is_dir()]
            names = {info.filename.lower() for info in files}
            for info in files:
                if info.flag_bits & _ENCRYPTED:
                    raise _PasswordNeeded
                _read_entry(archive, info, reader_of(info.filename, names), budget, depth)
            return names
    except NotImplementedError as error:
        raise UnreadableDocument(budget.key, "is packed with an unsupported method.", _REMEDY) from error
    except RuntimeError as error:  # zipfile's error for a missing password
        raise _PasswordNeeded from error
    except _BROKEN as error:
        raise UnreadableDocument(budget.key, "is an archive that is cut off or damaged.", _REMEDY) from error


def _refuse_many_entries(file: IO[bytes], key: str) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - ZIP_END_WITHIN))
    tail = file.read()
    file.seek(0)
    found = tail.rfind(ZIP_END)
    if found < 0 or len(tail) < found + 22:
        raise UnreadableDocument(key, "is an archive that is cut off or damaged.", "Upload it again.")
    directory_bytes = struct.unpack_from("<L", tail, found + 12)[0]
    # ZIP64 has the size in another record, checked below.
    if directory_bytes != 0xFFFFFFFF and directory_bytes > _MAX_DIRECTORY_BYTES:
        raise DecompressionBomb(key, "is an archive of too many files.", _REMEDY)
    zip64 = tail.rfind(b"PK\x06\x06", 0, found)
    if zip64 >= 0 and len(tail) >= zip64 + 48 and struct.unpack_from("<Q", tail, zip64 + 40)[0] > _MAX_DIRECTORY_BYTES:
        raise DecompressionBomb(key, "is an archive of too many files.", _REMEDY)


def _refuse_overlaps(infos: list[zipfile.ZipInfo], key: str) -> None:
    end = -1
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise DecompressionBomb(key, "is an archive with overlapping files.", _REMEDY)
        end = info.header_offset + 30 + info.compress_size


def _read_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, part: PartReader | None, budget: Budget, depth: int
) -> None:
    inner, size = None, 0
    with archive.open(info) as content:
        while chunk := content.read(_STEP_BYTES):
            budget.spend(len(chunk))
            if part is not None:
                part.feed(chunk)
            if not size and chunk.startswith(ZIP_ENTRY):
                inner = io.BytesIO()
            size += len(chunk)
            if inner is not None and size <= _MAX_INNER_BYTES:
                inner.write(chunk)
    if part is not None:
        part.close()
    if inner is not None:
        _read_inner(inner, size, budget, depth)


def _read_inner(inner: IO[bytes], size: int, budget: Budget, depth: int) -> None:
    if depth >= _MAX_DEPTH or size > _MAX_INNER_BYTES:
        raise DecompressionBomb(budget.key, f"has archives within archives, more than {_MAX_DEPTH} deep.", _REMEDY)
    with suppress(UnreadableDocument):  # a damaged nested archive is accepted: nothing opens it
        _read_zip(inner, budget, lambda *_: None, depth + 1)


def _unpacked(file: IO[bytes], media_type: str) -> Iterator[bytes]:
    """Yield the content in chunks, of all members. Zeros may follow the last one."""
    if media_type == GZIP:
        with gzip.GzipFile(fileobj=file) as unpacked:
            while chunk := unpacked.read(_STEP_BYTES):
                yield chunk
        return
    while head := re.sub(rb"^\x00+", b"", file.read(_STEP_BYTES)):
        yield from _member(file, head, media_type)


def _member(file: IO[bytes], rest: bytes, media_type: str) -> Iterator[bytes]:
    unpacker = bz2.BZ2Decompressor() if media_type == BZIP2 else lzma.LZMADecompressor(memlimit=256 * 1024 * 1024)
    while not unpacker.eof:
        yield unpacker.decompress(rest, _STEP_BYTES)
        rest = file.read(_STEP_BYTES) if unpacker.needs_input and not unpacker.eof else b""
        if unpacker.needs_input and not rest and not unpacker.eof:
            raise EOFError
    file.seek(-len(unpacker.unused_data), io.SEEK_CUR)
