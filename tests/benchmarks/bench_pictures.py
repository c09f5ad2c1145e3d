"""Measures three thumbnails of a 12-megapixel JPEG against Pillow and a lower bound.

Pillow's side is the usual loop: open, thumbnail, save, for each size, at the same qualities. The lower bound ("floor")
is libvips decoding the JPEG at the needed scale and encoding existing pictures, without shrinking, rotation or
conversion. "Whole function" is the job in the decoder process, from receiving the file to the pictures in a folder,
without S3.
"""

import hashlib
import io
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageChops, ImageStat

from lambdas.make_thumbnails import pictures
from lambdas.make_thumbnails.pictures import draw_picture
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, WEBP, ThumbnailSize, read_thumbnail_sizes
from lambdas.make_thumbnails.thumbnails import make_thumbnails
from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.storage.objects import DiskObjects
from tests.benchmarks.report import Row, medians, report, sized
from workflows.contracts.guard_report import FileFacts, FileKind, StoredFile

ROUNDS = sized(15)
WIDTH, HEIGHT = sized(4000, 2000), sized(3000, 1500)
TARGETS = {JPEG: 3.0, WEBP: 1.5}
FLOOR_TARGET = 1.3
# Limits against Pillow's files: ratio of bytes, and loss of quality.
MOST_BYTES, MOST_DECIBELS_LOST = 1.1, 0.5


def photo() -> bytes:
    """Return a JPEG like a photo, always the same: shapes, texture, and sensor noise."""
    layers = [
        pyvips.Image.perlin(WIDTH, HEIGHT, cell_size=cell, seed=seed) * strength
        for seed, (cell, strength) in enumerate(((900, 70), (160, 30), (24, 10)))
    ]
    shade = sum(layers[1:], layers[0])
    noise = pyvips.Image.gaussnoise(WIDTH, HEIGHT, sigma=3, mean=0, seed=7)
    colours = (shade + noise).bandjoin([shade * 0.8 + noise, shade * 0.6 + noise]) + 120
    data: bytes = colours.cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=90)
    return data


def with_pillow(path: str, sizes: Sequence[ThumbnailSize]) -> list[bytes]:
    """Return thumbnails made with the usual loop."""
    files = []
    for size in sizes:
        out = io.BytesIO()
        with Image.open(path) as image:
            image.thumbnail((size.edge, size.edge))
            if size.is_jpeg:
                image.save(out, "JPEG", quality=pictures.JPEG_QUALITY, optimize=True)
            else:
                image.save(out, "WEBP", quality=pictures.WEBP_QUALITY, method=pictures.WEBP_EFFORT)
        files.append(out.getvalue())
    return files


def floor(path: str, ready: dict[int, pyvips.Image], sizes: Sequence[ThumbnailSize]) -> None:
    """Decode at the needed scale, and encode existing small pictures."""
    pyvips.Image.jpegload(path, shrink=2, access="sequential").copy_memory()
    for size in sizes:
        pictures.encode_all(ready[size.edge], [size])


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(folder: Path) -> list[Row]:
    """Measure each encoding alone and all six files, side by side."""
    data = photo()
    path = folder / "photo.jpg"
    path.write_bytes(data)
    file = MediaFile(str(path), "photo", "image/jpeg", len(data))
    rows = []
    for name, sizes in (
        ("JPEG", [size for size in read_thumbnail_sizes() if size.is_jpeg]),
        ("WebP", [size for size in read_thumbnail_sizes() if not size.is_jpeg]),
        ("JPEG and WebP", read_thumbnail_sizes()),
    ):
        drawn = draw_picture(file, sizes, Limits())
        rows.extend(alike(name, str(path), [picture.data for picture in drawn], with_pillow(str(path), sizes)))
        ready = {
            picture.size.edge: pyvips.Image.new_from_buffer(picture.data, "").copy_memory()[:3] for picture in drawn
        }
        ours, pillow, least, whole = medians(
            ROUNDS,
            partial(seconds, partial(draw_picture, file, sizes, Limits())),
            partial(seconds, partial(with_pillow, str(path), sizes)),
            partial(seconds, partial(floor, str(path), ready, sizes)),
            partial(seconds, whole_function(folder, data, sizes)),
        )
        target = TARGETS.get(sizes[0].media_type) if len(sizes) == 3 else None
        # A row is a figure over its reference: here Pillow's time over ours.
        rows.append(
            Row(f"{name}: Pillow's loop over ours", pillow * 1000, "ms", ours * 1000, target, more_is_better=True)
        )
        rows.append(Row(f"{name}: whole function over the floor", whole * 1000, "ms", least * 1000, FLOOR_TARGET))
    return rows


def whole_function(folder: Path, data: bytes, sizes: Sequence[ThumbnailSize]) -> Callable[[], object]:
    """Return a function that removes the thumbnails and makes them again."""
    objects = DiskObjects(folder)
    objects.write("photo", data, "image/jpeg")
    sha256 = hashlib.sha256(data).hexdigest()
    facts = FileFacts(
        kind=FileKind.IMAGE, media_type="image/jpeg", size_bytes=len(data), sha256=sha256, width=WIDTH, height=HEIGHT
    )

    def work() -> None:
        for written in folder.glob("thumbnails/*/*"):
            written.unlink()
        make_thumbnails(StoredFile(file_id=1, key="photo", name="photo.jpg"), facts, objects, sizes, Limits())

    return work


def alike(name: str, path: str, ours: Sequence[bytes], pillows: Sequence[bytes]) -> list[Row]:
    """Return the comparison with Pillow: total bytes, and worst loss of quality.

    Quality is the PSNR between the decoded thumbnail and the photo shrunk with Lanczos.
    """
    lost = 0.0
    with Image.open(path) as whole:
        for mine, other in zip(ours, pillows, strict=True):
            size = Image.open(io.BytesIO(other)).size
            best = whole.resize(size, Image.Resampling.LANCZOS)
            lost = max(lost, decibels(other, best) - decibels(mine, best))
    return [
        Row(f"{name}: bytes beside Pillow's", sum(map(len, ours)), "bytes", sum(map(len, pillows)), MOST_BYTES),
        Row(f"{name}: worst loss beside Pillow's", lost, "dB", MOST_DECIBELS_LOST, 1.0),
    ]


def decibels(data: bytes, best: Image.Image) -> float:
    """Return the PSNR of an encoded picture. Raises ValueError if it is of another size."""
    with Image.open(io.BytesIO(data)) as image:
        squares = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), best)).sum2
        if image.size != best.size:
            raise ValueError(f"is {image.size}, not {best.size}")
    return 10 * math.log10(255**2 / (sum(squares) / (3 * best.width * best.height)))


def main() -> int:
    """Measure, report, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="qu-bench-") as folder:
        return report("pictures", measure(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
