"""Inspects local files: ``python -m lambdas.inspect_file FILE…``.

Prints one line of JSON for each file: ``file``, ``verdict`` (accepted or rejected), ``error`` and ``reason`` of a
rejected one, the known facts, ``seconds`` and ``peak_mb`` (peak MiB of this process and the decoder). Exits with 0 even
if files are rejected.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from lambdas.inspect_file.facts import complete, decoder, identify
from lambdas.shared.decoding.command_line import print_verdict
from lambdas.shared.decoding.job import read_limits
from lambdas.shared.decoding.receiving import ReceivedFile
from lambdas.shared.runtime.settings import SettingError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdict on each file. Exits with 2 if a limit is invalid."""
    parser = argparse.ArgumentParser(prog="python -m lambdas.inspect_file", description="Print the facts of files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    files = parser.parse_args(arguments).files
    try:
        limits = read_limits()
    except SettingError as error:
        parser.error(str(error))

    def inspect(received: ReceivedFile, key: str, known: dict[str, Any]) -> None:
        facts = identify(received)
        known |= facts.model_dump(mode="json", exclude_none=True)
        known |= complete(facts, received, key, limits).model_dump(mode="json", exclude_none=True)

    for file in files:
        print_verdict(file, limits, [decoder()], inspect)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
