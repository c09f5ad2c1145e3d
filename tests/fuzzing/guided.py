"""Searches for faults of our own parsers, guided by coverage.

``make fuzz`` runs ``python -m tests.fuzzing.guided SECONDS`` first if atheris is installed. Decoders are machine code
in another process, for which there are the mutated files.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # it has wheels for some machines only

from deploy import ROOT
from tests.fuzzing.seeds import SEEDS

with atheris.instrument_imports(include=["lambdas.inspect_file"]):
    from lambdas.inspect_file.documents.documents import inspect_document
    from lambdas.inspect_file.polyglots import refuse_ambiguous
    from lambdas.inspect_file.sniffing import HEAD_BYTES, sniff

from lambdas.shared.decoding.job import Limits, MediaFile
from workflows.contracts.guard_report import FileKind
from workflows.errors import FileRejected

KEPT = ROOT / ".local" / "fuzz"
_SLOW_SECONDS = 8
# Small limits: the goal is faults, not the time to unpack a gigabyte.
_LIMITS = Limits(max_unpacked_bytes=4 * 1024 * 1024)
_MOST_BYTES = 16_384


def try_parsers(data: bytes) -> None:
    """Take a file through all of our parsers. Raises any fault."""
    content = sniff(data[:HEAD_BYTES])
    if not data:
        return
    with tempfile.NamedTemporaryFile(dir=_folder()) as file:
        file.write(data)
        file.flush()
        media = MediaFile(file.name, "media/fuzzed", content.media_type, len(data))
        try:
            refuse_ambiguous(media)
            if content.kind is FileKind.OTHER:
                inspect_document(media, _LIMITS)
        except FileRejected:
            pass


def _folder() -> str | None:
    """Return a folder in memory, if any."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  a fresh name each time


def main() -> None:
    """Run for the given seconds and exit with 0 without faults; keep them in ``.local/fuzz``."""
    seconds = sys.argv[1]
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        for name, make in SEEDS.items():
            (Path(seeds) / name).write_bytes(make())
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={_SLOW_SECONDS}",
            f"-max_len={_MOST_BYTES}",
            f"-artifact_prefix={KEPT}/",
            "-verbosity=0",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, seeds], try_parsers)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
