"""Files per second through both functions on two cores, and library sizes.

200 files as guards send them, made here: photos of several formats, videos, sounds, PDFs, papers. Each goes through
inspect_file and make_thumbnails without S3, every decoding in the decoder's own process. The reference is the same
loop on one core. Then what importing each library adds to a function's start, and what it adds to its package.
"""

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path, PurePosixPath

import psutil  # type: ignore[import-untyped]  # it ships no types

from deploy import ROOT
from deploy.packages.build import Package, build_packages, runtime_packages, unpack
from deploy.packages.functions import FUNCTIONS_BY_NAME
from tests.benchmarks.bench_cold_start import import_seconds
from tests.benchmarks.report import IS_SMALL, Row, medians, report, sized
from tests.fuzzing.seeds import SEEDS, animation, heic, scene, sound, video
from tests.fuzzing.trying import try_file
from tests.lambdas.pictures import encoded, pdf

ROUNDS, IMPORT_ROUNDS = sized(3), sized(5)
CORES = 2
MEBIBYTE = 1024 * 1024
FUNCTIONS = ("inspect_file", "make_thumbnails")[: sized(2)]
# Library -> its module, and the folders and files it has in a package.
LIBRARIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "pyvips": ("pyvips", ("pyvips*", "_libvips*", "_cffi_backend*", "cffi*", "libvips*", "lib*vips*")),
    "pillow": ("PIL.Image", ("PIL", "pillow*")),
    "pi-heif": ("pi_heif", ("pi_heif*", "_pi_heif*")),
    "av": ("av", ("av", "av-*", "av.*")),
    "pypdfium2": ("pypdfium2", ("pypdfium2*",)),
}


@cache
def photo(width: int, height: int) -> bytes:
    """Return a JPEG of a size that a phone makes."""
    return encoded(scene(width, height), "JPEG", quality=88)


# How many of each, and how one is made.
_MIX: Mapping[str, tuple[int, Callable[[], bytes]]] = {
    "jpeg 12 megapixels": (60, lambda: photo(4032, 3024)),
    "jpeg 3 megapixels": (25, lambda: photo(2048, 1536)),
    "heic 3 megapixels": (20, lambda: heic(2048, 1536)),
    "png 2 megapixels": (12, lambda: encoded(scene(1600, 1200), "PNG", compress_level=1)),
    "webp 2 megapixels": (10, lambda: encoded(scene(1600, 1200), "WEBP", method=1)),
    "avif 1 megapixel": (4, lambda: encoded(scene(1280, 960), "AVIF", speed=10)),
    "gif of 12 frames": (4, lambda: animation(320, 240, 12)),
    "tiff 2 megapixels": (3, lambda: encoded(scene(1600, 1200), "TIFF")),
    "bmp 2 megapixels": (2, lambda: encoded(scene(1600, 1200), "BMP")),
    "mp4 of 10 seconds": (15, lambda: video("mp4", "libx264", 640, 480, 10)),
    "webm of 5 seconds": (5, lambda: video("webm", "libvpx", 320, 240, 5)),
    "m4a of 60 seconds": (10, lambda: sound("ipod", "aac", 44_100, 60)),
    "mp3 of 60 seconds": (4, lambda: sound("mp3", "libmp3lame", 44_100, 60)),
    "wav of 20 seconds": (3, lambda: sound("wav", "pcm_s16le", 16_000, 20)),
    "pdf of 20 pages": (13, lambda: pdf(612, 792, 20)),
    "docx": (10, SEEDS["docx"]),
}
MIX = {"webp": (2, SEEDS["webp"]), "docx": (1, SEEDS["docx"])} if IS_SMALL else _MIX


def make_files(folder: Path) -> None:
    """Write one file of each sort."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (_, make) in enumerate(MIX.values()):
        (folder / str(number)).write_bytes(make())


def loop(folder: Path, cores: int) -> None:
    """Process all files on some cores and print the cost as JSON, in a subprocess."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # the decoders inherit it
    contents = [(folder / str(number)).read_bytes() for number in range(len(MIX))]
    files = [contents[number] for number, (count, _) in enumerate(MIX.values()) for _ in range(count)]
    order = [files[(place * 37) % len(files)] for place in range(len(files))]  # mixed: 37 and 200 share no factor
    for content in contents:
        try_file(content)  # the decoders start, and have loaded their libraries
    began = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        outcomes = list(pool.map(try_file, order))
    seconds = time.perf_counter() - began
    faults = {outcome.fault or outcome.stopped for outcome in outcomes} - {""}
    if faults:
        raise SystemExit(f"The files are not what they should be: {faults}")
    own = peak_mib(os.getpid())
    decoder = max(peak_mib(child.pid) for child in psutil.Process().children())
    sys.stdout.write(json.dumps({"files_per_second": len(order) / seconds, "own_mib": own, "decoder_mib": decoder}))


def peak_mib(pid: int) -> float:
    """Return a process's peak memory; getrusage would include its parent's."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]  # always present on Linux


def measure_loop(folder: Path, peaks: dict[str, float], cores: int) -> float:
    """Return the files per second of one run, and keep the greatest memory seen."""
    command = [sys.executable, __file__, "--loop", str(folder), str(cores)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "backend")))}
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
    found = json.loads(done.stdout)
    for name in ("own_mib", "decoder_mib"):
        peaks[name] = max(peaks.get(name, 0.0), found[name])
    return float(found["files_per_second"])


def throughput(folder: Path) -> list[Row]:
    """Measure the loops in turns."""
    make_files(folder)
    peaks: dict[str, float] = {}
    two, one = medians(ROUNDS, partial(measure_loop, folder, peaks, CORES), partial(measure_loop, folder, peaks, 1))
    count = sum(count for count, _ in MIX.values())
    return [
        Row(f"{count} mixed files, {CORES} cores beside one", two, "files/s", one, 1.5, more_is_better=True),
        Row("peak memory of the function", peaks["own_mib"], "MiB"),
        Row("peak memory of a decoder", peaks["decoder_mib"], "MiB"),
    ]


def libraries(packages: list[Package]) -> list[Row]:
    """Return each function's import time and size, and what each library adds to both."""
    runtime = runtime_packages()
    folders = {package.function.name: unpack(package) for package in packages}
    inspect = folders["inspect_file"]
    handlers = [package.function.handler_module for package in packages]
    names = [*handlers, *(module for module, _ in LIBRARIES.values())]
    bare, *taken = medians(
        IMPORT_ROUNDS,
        partial(import_seconds, "sys", inspect),
        *(partial(import_seconds, name, folders[name.split(".")[1]], runtime) for name in handlers),
        *(partial(import_seconds, module, inspect) for module, _ in LIBRARIES.values()),
    )
    added = {name: (seconds - bare) * 1000 for name, seconds in zip(names, taken, strict=True)}
    rows = []
    for package in packages:
        rows.append(Row(f"{package.function.name}: import", added[package.function.handler_module], "ms"))
        rows.append(Row(f"{package.function.name}: unzipped", package.unzipped_bytes / MEBIBYTE, "MiB"))
    sizes = sizes_of(packages[0].path)
    for library, (module, _) in LIBRARIES.items():
        rows.append(Row(f"{library}: import, in the decoder", added[module], "ms"))
        rows.append(Row(f"{library}: unzipped", sizes[library] / MEBIBYTE, "MiB"))
    return rows


def sizes_of(package: Path) -> dict[str, int]:
    """Return the unzipped bytes of each library in a package."""
    with zipfile.ZipFile(package) as archive:
        entries = [(PurePosixPath(entry.filename), entry.file_size) for entry in archive.infolist()]
    return {
        library: sum(size for path, size in entries if any(PurePosixPath(path.parts[0]).match(name) for name in names))
        for library, (_, names) in LIBRARIES.items()
    }


def main(arguments: list[str]) -> int:
    """Measure and return the exit code."""
    if arguments[:1] == ["--loop"]:
        loop(Path(arguments[1]), int(arguments[2]))
        return 0
    packages = build_packages([FUNCTIONS_BY_NAME[name] for name in FUNCTIONS], "native")
    return report("files", [*throughput(ROOT / ".local" / "bench" / "files"), *libraries(packages)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
