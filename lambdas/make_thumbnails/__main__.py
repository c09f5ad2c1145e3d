"""Makes thumbnails of local files: ``python -m lambdas.make_thumbnails FILE… --out DIR``.

Each file is inspected first, as in the workflow, but both decoders share one time limit. Prints one line of JSON for
each file: ``file``, ``verdict``, ``error`` and ``reason`` of a rejected one, ``reason`` if there is nothing to draw,
``kind``, ``thumbnails`` (paths and pixels by size), ``seconds`` and ``peak_mb`` (MiB of this process and the decoder).
Exits with 0 even if files are rejected.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.inspect_file import facts as inspection
from lambdas.make_thumbnails.thumbnail_sizes import Drawn, ThumbnailSize, read_thumbnail_sizes
from lambdas.make_thumbnails.thumbnails import decoder, draw
from lambdas.shared.decoding.command_line import print_verdict
from lambdas.shared.decoding.job import Limits, read_limits
from lambdas.shared.decoding.receiving import ReceivedFile
from lambdas.shared.runtime.settings import SettingError
from workflows.contracts.guard_report import DRAWN_KINDS, NO_PICTURE

# A file name has at most 255 bytes, including the size and the extension.
_MAX_NAME_BYTES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the thumbnails of each file as ``DIR/<file's name>.<size>.webp`` and ``.jpg``.

    Exits with 2 if a setting is invalid or DIR cannot be created.
    """
    parser = argparse.ArgumentParser(prog="python -m lambdas.make_thumbnails", description="Make thumbnails of files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path)
    given = parser.parse_args(arguments)
    try:
        sizes, limits = read_thumbnail_sizes(), read_limits()
        given.out.mkdir(parents=True, exist_ok=True)
    except SettingError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"--out {given.out} cannot be created: {error.strerror}. Name another folder.")
    for file, stem in zip(given.files, _stems(given.files), strict=True):
        work = partial(_draw, given.out / stem, sizes, limits)
        print_verdict(file, limits, [inspection.decoder(), decoder()], work)
    return 0


def _stems(files: Sequence[str]) -> list[str]:
    """Return a unique name for each file's thumbnails, numbered if needed."""
    stems: list[str] = []
    for file in files:
        name = os.fsdecode(os.fsencode(Path(file).name or "file")[:_MAX_NAME_BYTES])
        numbered = (f"{name}-{number}" for number in count(2))
        stems.append(next(stem for stem in chain([name], numbered) if stem not in stems))
    return stems


def _draw(
    target: Path,
    sizes: Sequence[ThumbnailSize],
    limits: Limits,
    received: ReceivedFile,
    key: str,
    known: dict[str, Any],
) -> None:
    until = perf_counter() + limits.decoder_seconds
    facts = inspection.identify(received)
    known["kind"] = facts.kind.value
    facts = inspection.complete(facts, received, key, limits)
    known["kind"] = facts.kind.value
    if facts.kind not in DRAWN_KINDS:
        known |= {"reason": NO_PICTURE, "thumbnails": {}}
        return
    left = replace(limits, decoder_seconds=max(1, int(until - perf_counter())))
    drawn = draw(received, facts, key, sizes, left)
    known["thumbnails"] = {f"{one.size.name} {one.size.media_type}": _write(one, target) for one in drawn}


def _write(picture: Drawn, target: Path) -> dict[str, Any]:
    path = target.with_name(f"{target.name}.{picture.size.name}{Path(picture.size.key_of('')).suffix}")
    path.write_bytes(picture.data)
    return {"path": str(path), "width": picture.width, "height": picture.height, "size_bytes": len(picture.data)}


if __name__ == "__main__":
    raise SystemExit(main())
