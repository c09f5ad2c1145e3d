"""Inspects files by hand: ``python -m lambdas.inspect_file FILE…`` prints one line of JSON for each.

It exits with 0 whatever the files are; a verdict is its answer, not its failure.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.inspect_file.facts import inspect_file
from lambdas.shared.limits import Limits, read_limits
from lambdas.shared.local_files import chunks_of
from workflows.errors import StepError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict on each file."""
    parser = argparse.ArgumentParser(prog="python -m lambdas.inspect_file", description="Tell what files are.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    limits = read_limits()
    for file in parser.parse_args(arguments).files:
        started = perf_counter()
        verdict = {"file": file, **_verdict(Path(file), limits), "seconds": round(perf_counter() - started, 4)}
        sys.stdout.write(json.dumps(verdict, ensure_ascii=True) + "\n")
        sys.stdout.flush()
    return 0


def _verdict(path: Path, limits: Limits) -> dict[str, Any]:
    try:
        facts = inspect_file(path.name, chunks_of(path), limits)
    except StepError as error:
        return {"verdict": "rejected", "error": type(error).__name__, "reason": f"{error.problem} {error.remedy}"}
    return {"verdict": "accepted", **facts.model_dump(mode="json", exclude_none=True)}


if __name__ == "__main__":
    raise SystemExit(main())
