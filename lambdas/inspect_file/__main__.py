"""Inspects files by hand: ``python -m lambdas.inspect_file FILE…`` prints one line of JSON for each.

A line has ``file``, ``verdict`` (accepted or rejected), ``error`` and ``reason`` of a rejected one, the facts as far as
they are known, ``seconds``, and ``peak_mb``: the most MiB that this process and the decoder's held for this file.
It exits with 0 whatever the files are; a verdict is its answer, not its failure.
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
    """Print the verdict on each file. Exits with 2 where a limit is no number."""
    parser = argparse.ArgumentParser(prog="python -m lambdas.inspect_file", description="Say what files are.")
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
