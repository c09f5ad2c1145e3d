"""Writes whole files: no reader ever sees a part of one."""

import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a file beside its place, on the disk for sure, and move it there.

    Raises OSError; FileExistsError where a file is there already and ``replace`` is off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(draft).replace(path)
        else:
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink(missing_ok=True)
