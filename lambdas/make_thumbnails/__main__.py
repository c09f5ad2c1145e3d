"""Makes thumbnails by hand: ``python -m lambdas.make_thumbnails FILE… --out DIR``.

Each file is inspected first, as in the workflow; by hand both decoders share the seconds that one has there. One line
of JSON for each: ``file``, ``verdict``, ``error`` and ``reason`` of a rejected one, ``reason`` too where there is
nothing to draw, ``kind``, ``thumbnails`` (the paths by form, and pixels), ``seconds`` and ``peak_mb`` (MiB of this
process and the decoders'). It exits with 0 whatever the files are; a refusal is an answer too.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.inspect_file import facts as inspection
from lambdas.make_thumbnails.encoding import Drawn
from lambdas.make_thumbnails.thumbnail_sizes import Form, read_forms
from lambdas.make_thumbnails.thumbnails import decoder, draw
from lambdas.shared.decoding.limits import MIB, Limits, read_limits
from lambdas.shared.decoding.local_files import chunks_of, printable
from lambdas.shared.decoding.peak_memory import forget_peak, peak_bytes
from lambdas.shared.decoding.receiving import receive
from lambdas.shared.runtime.settings import SettingError
from workflows.contracts.guard_report import DRAWN_KINDS, NO_PICTURE
from workflows.errors import StepError

# A file's name has at most 255 bytes, and a form's name and ending come to it.
_MAX_NAME_BYTES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the thumbnails of each file as ``DIR/<file's name>.<form>.webp`` and ``.jpg``.

    Exits with 2 where a setting is wrong, or DIR can not be made.
    """
    parser = argparse.ArgumentParser(prog="python -m lambdas.make_thumbnails", description="Make thumbnails of files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path)
    given = parser.parse_args(arguments)
    try:
        forms, limits = read_forms(), read_limits()
        given.out.mkdir(parents=True, exist_ok=True)
    except SettingError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"--out {given.out} can not be made: {error.strerror}. Name a folder that can.")
    stems = _stems(given.files)
    for file, stem in zip(given.files, stems, strict=True):
        answer = {"file": file, **_measured(Path(file), given.out / stem, forms, limits)}
        sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")
        sys.stdout.flush()
    return 0


def _stems(files: Sequence[str]) -> list[str]:
    """Return what each file's thumbnails are called: by its name, with a number where another has the same."""
    stems: list[str] = []
    for file in files:
        name = os.fsdecode(os.fsencode(Path(file).name or "file")[:_MAX_NAME_BYTES])
        stem, number = name, 1
        while stem in stems:
            number += 1
            stem = f"{name}-{number}"
        stems.append(stem)
    return stems


def _measured(path: Path, target: Path, forms: Sequence[Form], limits: Limits) -> dict[str, Any]:
    forget_peak()
    inspection.decoder().last_peak_bytes = decoder().last_peak_bytes = 0
    started = perf_counter()
    answer = _answer(path, target, forms, limits)
    seconds = round(perf_counter() - started, 4)
    # The decoders work one after the other: what inspect_file needs by itself is not added to it.
    peak = peak_bytes() + max(inspection.decoder().last_peak_bytes, decoder().last_peak_bytes)
    return {**answer, "seconds": seconds, "peak_mb": round(peak / MIB, 1)}


def _answer(path: Path, target: Path, forms: Sequence[Form], limits: Limits) -> dict[str, Any]:
    key = printable(path.name)
    known: dict[str, Any] = {}
    until = perf_counter() + limits.decoder_seconds
    try:
        with receive(key, chunks_of(path), limits.max_bytes) as received:
            facts = inspection.identify(received)
            known = {"kind": facts.kind.value}
            facts = inspection.complete(facts, received, key, limits)
            known = {"kind": facts.kind.value}
            if facts.kind not in DRAWN_KINDS:
                return {"verdict": "accepted", "reason": NO_PICTURE, **known, "thumbnails": {}}
            left = replace(limits, decoder_seconds=max(1, int(until - perf_counter())))
            drawn = draw(received, facts, key, forms, left)
    except StepError as error:
        reason = f"{error.problem} {error.remedy}"
        return {"verdict": "rejected", "error": type(error).__name__, "reason": reason, **known}
    written = {f"{picture.form.name} {picture.form.media_type}": _write(picture, target) for picture in drawn}
    return {"verdict": "accepted", "reason": None, **known, "thumbnails": written}


def _write(picture: Drawn, target: Path) -> dict[str, Any]:
    path = target.with_name(f"{target.name}.{picture.form.name}{Path(picture.form.key_of('')).suffix}")
    path.write_bytes(picture.data)
    return {"path": str(path), "width": picture.width, "height": picture.height, "size_bytes": len(picture.data)}


if __name__ == "__main__":
    raise SystemExit(main())
