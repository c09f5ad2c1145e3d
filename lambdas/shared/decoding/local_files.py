"""Reads files of this machine, for running a step by hand."""

import os
from collections.abc import Iterator
from pathlib import Path

from workflows.errors import FileMissing

CHUNK_BYTES = 1024 * 1024


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes. Raises FileMissing for what is no file, or can not be read."""
    try:
        if not path.is_file():
            raise FileMissing(str(path), "is no file.", "Name a file.")
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise FileMissing(str(path), f"can not be read: {error.strerror}.", "Name a file that can.") from error


def printable(name: str) -> str:
    """Return a file's name as text that UTF-8 can hold: the bytes of a name need not be text."""
    return os.fsencode(name).decode(errors="backslashreplace")
