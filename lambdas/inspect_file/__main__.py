"""Inspects files by hand: ``python -m lambdas.inspect_file FILE…`` prints one line of JSON for each.

A line has ``file``, ``verdict`` (accepted or rejected), ``error`` and ``reason`` of a rejected one, the facts as far as
they are known, ``seconds``, and ``peak_mb``: the most MiB that this process and the decoder's held for this file.
It exits with 0 whatever the files are; a verdict is its answer, not its failure.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.inspect_file.facts import complete, decoder, identify
from lambdas.shared.decoding.limits import MIB, Limits, read_limits
from lambdas.shared.decoding.local_files import chunks_of, printable
from lambdas.shared.decoding.peak_memory import forget_peak, peak_bytes
from lambdas.shared.decoding.receiving import receive
from lambdas.shared.runtime.settings import SettingError
from workflows.errors import StepError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict on each file. Exits with 2 where a limit is no number."""
    parser = argparse.ArgumentParser(prog="python -m lambdas.inspect_file", description="Tell what files are.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    files = parser.parse_args(arguments).files
    try:
        limits = read_limits()
    except SettingError as error:
        parser.error(str(error))
    for file in files:
        verdict = {"file": file, **_measured_verdict(Path(file), limits)}
        sys.stdout.write(json.dumps(verdict, ensure_ascii=True) + "\n")
        sys.stdout.flush()
    return 0


def _measured_verdict(path: Path, limits: Limits) -> dict[str, Any]:
    forget_peak()
    decoder().last_peak_bytes = 0
    started = perf_counter()
    verdict = _verdict(path, limits)
    seconds = round(perf_counter() - started, 4)
    return {
        **verdict,
        "seconds": seconds,
        "peak_mb": round((peak_bytes() + decoder().last_peak_bytes) / MIB, 1),
    }


def _verdict(path: Path, limits: Limits) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    key = printable(path.name)
    try:
        with receive(key, chunks_of(path), limits.max_bytes) as received:
            known = identify(received)
            facts = known.model_dump(mode="json", exclude_none=True)
            facts = complete(known, received, key, limits).model_dump(mode="json", exclude_none=True)
    except StepError as error:
        reason = f"{error.problem} {error.remedy}"
        return {"verdict": "rejected", "error": type(error).__name__, "reason": reason, **facts}
    return {"verdict": "accepted", "reason": None, **facts}


if __name__ == "__main__":
    raise SystemExit(main())
