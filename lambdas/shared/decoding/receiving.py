"""Receives a stored file: its bytes in one read, its size and its digest on the way."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from workflows.errors import FileEmpty, FileTooLarge

IN_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class ReceivedFile:
    """A file at hand, open at its start: small ones in memory, large ones in the temporary folder.

    It has no name anywhere. Its descriptor can be handed to another process, which reads the very same bytes.
    """

    file: IO[bytes]
    size_bytes: int
    sha256: str


@contextmanager
def receive(key: str, chunks: Iterable[bytes], max_bytes: int) -> Generator[ReceivedFile]:
    """Take a file's ``chunks`` in, once, and keep them until the block ends. ``key`` names it in errors.

    Raises FileEmpty, FileTooLarge as soon as it passes ``max_bytes``, and what the chunks raise themselves.
    """
    digest, size = hashlib.sha256(), 0
    file = _in_memory()
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise FileTooLarge(key, f"has more than {max_bytes:,} bytes.", "Upload a smaller file.")
            digest.update(chunk)
            if size > IN_MEMORY_BYTES >= size - len(chunk):
                file = _moved_to_disk(file)
            file.write(chunk)
        if not size:
            raise FileEmpty(key, "has no bytes.", "Upload the file again.")
        file.seek(0)
        _seal(file)
        yield ReceivedFile(file, size, digest.hexdigest())
    finally:
        file.close()


def _in_memory() -> IO[bytes]:
    # Unlike BytesIO it has a descriptor. /dev/shm would do as well, but Lambda has none.
    return os.fdopen(os.memfd_create("received", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b", buffering=0)


def _moved_to_disk(file: IO[bytes]) -> IO[bytes]:
    with file:
        moved = tempfile.TemporaryFile()  # noqa: SIM115  receive closes it
        file.seek(0)
        shutil.copyfileobj(file, moved, 1024 * 1024)
        return moved


def _seal(file: IO[bytes]) -> None:
    """Forbid every change of the bytes, whoever gets the descriptor. A file on the disk has no seals."""
    with suppress(OSError):
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
