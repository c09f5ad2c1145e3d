"""Receives a stored file: its bytes in one read, its size and its digest on the way."""

import hashlib
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from workflows.errors import FileEmpty, FileTooLarge

IN_MEMORY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class ReceivedFile:
    """A file at hand, open at its start: small ones in memory, large ones in the temporary folder."""

    file: IO[bytes]
    size_bytes: int
    sha256: str


@contextmanager
def receive(key: str, chunks: Iterable[bytes], max_bytes: int) -> Generator[ReceivedFile]:
    """Take a file's ``chunks`` in, once, and keep them until the block ends. ``key`` names it in errors.

    Raises FileEmpty, FileTooLarge as soon as it passes ``max_bytes``, and what the chunks raise themselves.
    """
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise FileTooLarge(key, f"has more than {max_bytes:,} bytes.", "Upload a smaller file.")
            digest.update(chunk)
            file.write(chunk)
        if not size:
            raise FileEmpty(key, "has no bytes.", "Upload the file again.")
        file.seek(0)
        yield ReceivedFile(file, size, digest.hexdigest())
