"""Makes thumbnails by hand: ``python -m lambdas.make_thumbnails FILE… --out DIR``.

One line of JSON for each file. It exits with 0 whatever the files are; a refusal is an answer too.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from lambdas.make_thumbnails.drawing import draw
from lambdas.make_thumbnails.forms import Form, read_forms
from lambdas.make_thumbnails.thumbnails import draw_all
from lambdas.shared.limits import Limits, read_limits
from lambdas.shared.local_files import chunks_of
from lambdas.shared.receiving import ReceivedFile, receive
from workflows.contracts.guard_report import FileKind
from workflows.errors import StepError


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the thumbnails of each file as ``DIR/<file's name>.<size>.webp``."""
    parser = argparse.ArgumentParser(prog="python -m lambdas.make_thumbnails", description="Make thumbnails of files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path)
    given = parser.parse_args(arguments)
    forms, limits = read_forms(), read_limits()
    given.out.mkdir(parents=True, exist_ok=True)
    for file in given.files:
        started = perf_counter()
        answer = {"file": file, **_thumbnails(Path(file), given.out, forms, limits)}
        sys.stdout.write(json.dumps({**answer, "seconds": round(perf_counter() - started, 4)}) + "\n")
        sys.stdout.flush()
    return 0


def _thumbnails(path: Path, out: Path, forms: Sequence[Form], limits: Limits) -> dict[str, Any]:
    try:
        with receive(path.name, chunks_of(path), limits.max_bytes) as received:
            edge = max(form.edge for form in forms)
            drawing = draw(received.file, _kind(received), path.name, edge, limits.max_pixels)
    except StepError as error:
        return {"verdict": "rejected", "error": type(error).__name__, "reason": f"{error.problem} {error.remedy}"}
    written = {}
    for form, (image, data) in draw_all(drawing, forms).items():
        target = out / f"{path.name}.{form.name}{Path(form.key_of('')).suffix}"
        target.write_bytes(data)
        written[form.name] = {
            "path": str(target),
            "width": image.width,
            "height": image.height,
            "size_bytes": len(data),
        }
    return {"verdict": "accepted", "thumbnails": written}


def _kind(received: ReceivedFile) -> FileKind:
    head = received.file.read(64)
    received.file.seek(0)
    return FileKind.PDF if head.lstrip().startswith(b"%PDF-") else FileKind.IMAGE


if __name__ == "__main__":
    raise SystemExit(main())
