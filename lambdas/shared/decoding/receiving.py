"""Receives a stored file in one pass, and computes its size and digest."""

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
    """An open file without a name, in memory or in the temporary folder."""

    file: IO[bytes]
    size_bytes: int
    sha256: str


@contextmanager
def receive(key: str, chunks: Iterable[bytes], max_bytes: int) -> Generator[ReceivedFile]:
    """Read ``chunks`` once and keep them until the block ends.

    Raises FileEmpty, FileTooLarge as soon as it exceeds ``max_bytes``, and errors of the chunks. ``key`` is for errors.
    """
    digest, size = hashlib.sha256(), 0
    # Unlike BytesIO it has a descriptor. /dev/shm would do as well, but Lambda has none.
    file: IO[bytes] = os.fdopen(os.memfd_create("received", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b", buffering=0)
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
        with suppress(OSError):  # a file on disk has no seals
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        yield ReceivedFile(file, size, digest.hexdigest())
    finally:
        file.close()


def _moved_to_disk(file: IO[bytes]) -> IO[bytes]:
    with file:
        moved = tempfile.TemporaryFile()  # noqa: SIM115  receive closes it
        file.seek(0)
        shutil.copyfileobj(file, moved, 1024 * 1024)
        return moved
