"""Prints one line of JSON for each local file, for both command lines."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import MIB, Limits
from lambdas.shared.decoding.receiving import ReceivedFile, receive
from lambdas.shared.decoding.worker import forget_peak, peak_bytes
from workflows.errors import FileMissing, StepError

CHUNK_BYTES = 1024 * 1024
# Takes the file, its name for errors, and the line so far, to which it adds facts as it finds them.
type Work = Callable[[ReceivedFile, str, dict[str, Any]], None]


def print_verdict(file: str, limits: Limits, decoders: Sequence[Decoder], work: Work) -> None:
    """Print ``file``, ``verdict``, ``reason``, the output of ``work``, ``seconds`` and ``peak_mb`` as one line.

    A rejected file also has ``error``. The decoders run one after the other: the larger of their peaks counts.
    """
    forget_peak()
    for decoder in decoders:
        decoder.last_peak_bytes = 0
    # The bytes of a file's name need not be valid UTF-8.
    started, key = perf_counter(), os.fsencode(Path(file).name).decode(errors="backslashreplace")
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
    """Yield the content of a file. Raises FileMissing if it cannot be read."""
    try:
        if not path.is_file():
            raise FileMissing(str(path), "is not a file.", "Name a file.")
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise FileMissing(str(path), f"cannot be read: {error.strerror}.", "Name a readable file.") from error
