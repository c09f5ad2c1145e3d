"""Memory of each function for a JPEG of 100 megapixels, with and without decoder.

A progressive one is measured too: libjpeg holds the coefficients of all its pixels until the last scan is read, two
bytes for each sample (three for a pixel with colours at half the resolution, six at the full), whatever reads it.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.inspect_file import facts
from lambdas.make_thumbnails import thumbnails
from lambdas.make_thumbnails.thumbnail_sizes import read_thumbnail_sizes
from lambdas.shared.decoding.job import MIB, Limits
from lambdas.shared.decoding.worker import peak_bytes
from lambdas.shared.storage.objects import DiskObjects
from tests.benchmarks.report import Row, report, sized
from workflows.contracts.guard_report import FileFacts, FileKind, StoredFile

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = sized(11_600, 1_160), sized(8_700, 868)
TILES = 4
MOST_MIB = 256.0
FUNCTIONS = ("inspect_file", "make_thumbnails")


def write_photo(path: Path, *, progressive: bool) -> None:
    """Write a JPEG of 101 megapixels from one repeated tile with shapes and noise."""
    size = WIDTH // TILES, HEIGHT // TILES
    tile = pyvips.Image.perlin(*size, cell_size=300, seed=1) * 80 + 128
    tile += pyvips.Image.gaussnoise(*size, sigma=4, mean=0, seed=2)
    tile = tile.bandjoin([tile * 0.8, tile * 0.6]).cast("uchar").copy(interpretation="srgb").copy_memory()
    tile.replicate(TILES, TILES).jpegsave(str(path), Q=85, interlace=progressive)


def take(function: str, path: Path) -> None:
    """Run a function on a file and print its memory, in a subprocess."""
    objects = DiskObjects(path.parent)
    if function == "inspect_file":
        found = facts.inspect_file(path.name, objects.chunks(path.name), Limits())
        decoder, is_right = facts.decoder(), (found.width, found.height) == (WIDTH, HEIGHT)
    else:
        known = FileFacts.model_validate_json(path.with_suffix(".json").read_text())
        file = StoredFile(file_id=1, key=path.name, name=path.name)
        made = thumbnails.make_thumbnails(file, known, objects, read_thumbnail_sizes(), Limits()).thumbnails
        decoder, is_right = thumbnails.decoder(), len(made) == len(read_thumbnail_sizes())
    if not is_right:
        raise SystemExit(f"{function} did not read the picture.")
    own, its = peak_bytes() / MIB, decoder.last_peak_bytes / MIB
    sys.stdout.write(json.dumps({"decoder": its, "both": own + its}))


def measure(folder: Path) -> list[Row]:
    """Measure both functions on both pictures."""
    rows = []
    for kind in ("baseline", "progressive")[: sized(2)]:
        path = folder / f"{kind}.jpg"
        write_photo(path, progressive=kind == "progressive")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = FileFacts(
            kind=FileKind.IMAGE, media_type="image/jpeg", size_bytes=path.stat().st_size, sha256=digest, width=WIDTH,
            height=HEIGHT,
        )  # fmt: skip
        path.with_suffix(".json").write_text(known.model_dump_json())
        target = 1.0 if kind == "baseline" else None
        for function in FUNCTIONS:
            command = [sys.executable, __file__, function, str(path)]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "backend")))}
            done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
            found = json.loads(done.stdout)
            name = f"100 megapixels, {kind}: {function}"
            rows.append(Row(f"{name}, its decoder", found["decoder"], "MiB", MOST_MIB, target))
            rows.append(Row(f"{name}, with the function", found["both"], "MiB", MOST_MIB, target))
    return rows


def main(arguments: list[str]) -> int:
    """Measure and return the exit code."""
    if arguments:
        take(arguments[0], Path(arguments[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="qu-bench-") as folder:
        return report("memory", measure(Path(folder)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
