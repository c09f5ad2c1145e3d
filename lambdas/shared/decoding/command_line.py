"""The command lines of the functions that decode: one line of JSON for each file of this machine."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.limits import MIB, Limits
from lambdas.shared.decoding.peak_memory import forget_peak, peak_bytes
from lambdas.shared.decoding.receiving import ReceivedFile, receive
from workflows.errors import FileMissing, StepError

CHUNK_BYTES = 1024 * 1024
# Given the file, its name in errors, and the line so far, to which it adds what it knows as it learns it.
type Work = Callable[[ReceivedFile, str, dict[str, Any]], None]


def print_verdict(file: str, limits: Limits, decoders: Sequence[Decoder], work: Work) -> None:
    """Print the line of one file: ``file``, ``verdict``, ``reason``, what ``work`` adds, ``seconds`` and ``peak_mb``.

    A refused file has ``error`` too. The decoders work one after the other: the larger of their peaks counts.
    """
    forget_peak()
    for decoder in decoders:
        decoder.last_peak_bytes = 0
    started, key = perf_counter(), printable(Path(file).name)
    known: dict[str, Any] = {"reason": None}
    try:
        with receive(key, chunks_of(Path(file)), limits.max_bytes) as received:
            work(received, key, known)
    except StepError as error:
        known |= {"error": type(error).__name__, "reason": f"{error.problem} {error.remedy}"}
    verdict = {"file": file, "verdict": "rejected" if "error" in known else "accepted", **known}
    peak = peak_bytes() + max(decoder.last_peak_bytes for decoder in decoders)
    measured = {"seconds": round(perf_counter() - started, 4), "peak_mb": round(peak / MIB, 1)}
    sys.stdout.write(json.dumps(verdict | measured, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes. Raises FileMissing for what is no file, or cannot be read."""
    try:
        if not path.is_file():
            raise FileMissing(str(path), "is no file.", "Name a file.")
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise FileMissing(str(path), f"cannot be read: {error.strerror}.", "Name a readable file.") from error


def printable(name: str) -> str:
    """Return a file's name as text that UTF-8 can hold: the bytes of a name need not be text."""
    return os.fsencode(name).decode(errors="backslashreplace")
