"""Looks for faults of our own parsers, guided by what they cover: kinds, dangers, archives, markup.

``python -m tests.fuzzing.guided SECONDS`` is what ``make fuzz`` runs first, where atheris has a wheel. Decoders are
others' machine code, in another process; those the mutated files are for.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # it has wheels for some machines alone

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
# Little of everything: what is looked for is a fault, and not how long a gigabyte takes to unpack.
_LIMITS = Limits(max_unpacked_bytes=4 * 1024 * 1024)
_MOST_BYTES = 16_384


def try_parsers(data: bytes) -> None:
    """Take one file through everything of ours that reads its bytes. Raises what must never be raised."""
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
    """Return a folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  a fresh name each time


def main() -> None:
    """Run for so many seconds. Ends the process: 0 if nothing was found; what was found lies in ``.local/fuzz``."""
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
