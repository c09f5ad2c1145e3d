"""Build one reproducible zip per function in ``.build/``, with only what the function imports.

``python -m deploy.packages.build [--platform linux-arm64] [--function make_thumbnails]``

Equal inputs (``uv.lock`` and our sources) give equal bytes; unchanged zips are not rebuilt. A zip contains our modules
by import closure, the packages of the function's dependency group from ``uv.lock`` (checked by hash), and bytecode:
Lambda's code folder is read-only, so every cold start would compile the modules.
"""

import argparse
import fcntl
import hashlib
import os
import platform as host
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from deploy import ROOT, DeployError
from deploy.packages.functions import FUNCTIONS, FUNCTIONS_BY_NAME, Function

BUILD_DIR = ROOT / ".build"
# uv's name of each target. Lambda's python3.13 runs on Amazon Linux 2023, which has glibc 2.34.
PLATFORMS: Mapping[str, str | None] = {
    "linux-arm64": "aarch64-manylinux_2_28",
    "linux-x86_64": "x86_64-manylinux_2_28",
    "native": None,
}
LAMBDA_PYTHON = (3, 13)
# Lambda's Python runtime has these; copies of them would only slow the start.
RUNTIME_PACKAGES: tuple[str, ...] = ("boto3", "botocore")
# The oldest time in a zip; any fixed one works.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# AWS's limit, unzipped. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
# A stack that is still running this long after a change of the code has to be restarted.
UNPACKED_SECONDS = 86_400

# Pure Python, published as source alone; all others are wheels. Without pkg-config's folder it finds no library to
# compile against: pyvips-binary has the one it uses.
_FROM_SOURCE: tuple[str, ...] = ("pyvips",)
_BUILD_ENVIRONMENT = {"PKG_CONFIG_LIBDIR": os.devnull, "PKG_CONFIG_PATH": os.devnull}

_KEPT_LANGUAGES = frozenset({"en", "es"})
_DROPPED_FOLDERS = frozenset({"tests", "__pycache__"})
_DROPPED_SUFFIXES = frozenset({".pxd", ".pyi", ".po", ".pyc"})
_DROPPED_METADATA = frozenset({".lock", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
# Pillow's windows, fonts and AVIF (libvips reads it); headers of PyAV; the command line of pypdfium2.
_DROPPED_OF_DECODERS: tuple[str, ...] = (
    "PIL/_avif",
    "PIL/_imagingft",
    "PIL/_imagingtk",
    "av/include/",
    "pillow.libs/libavif",
    "pillow.libs/libbrotli",
    "pillow.libs/libfreetype",
    "pillow.libs/libharfbuzz",
    "pillow.libs/libpng",
    "pypdfium2_cli/",
)
_DROPPED_OF_DJANGO: tuple[str, ...] = (
    "bin/",
    "django/conf/app_template/",
    "django/conf/project_template/",
    "django/contrib/admin/",
    "django/contrib/admindocs/",
    "django/contrib/flatpages/",
    "django/contrib/gis/",
    "django/contrib/redirects/",
    "django/contrib/sitemaps/",
    "django/contrib/syndication/",
    "django/db/backends/mysql/",
    "django/db/backends/oracle/",
)


class PackageNotBuilt(DeployError):
    """A function's zip could not be built; the text has the tool's output."""


@dataclass(frozen=True)
class Package:
    """A built zip. AWS's limit applies to the unzipped size."""

    function: Function
    platform: str
    path: Path
    zipped_bytes: int
    unzipped_bytes: int
    was_built: bool


def build_packages(functions: Iterable[Function], platform: str, build_dir: Path = BUILD_DIR) -> list[Package]:
    """Build missing packages and return all of them. Raises PackageNotBuilt.

    Safe to call from several processes: one builds, the others wait.
    """
    functions = list(functions)
    with _locked(build_dir), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        groups = sorted({function.group for function in functions})
        folders = dict(
            zip(groups, pool.map(lambda group: install_group(group, platform, build_dir), groups), strict=True)
        )
        return list(
            pool.map(lambda function: _package(function, platform, folders[function.group], build_dir), functions)
        )


def install_group(group: str, platform: str, build_dir: Path = BUILD_DIR) -> Path:
    """Return a folder with a dependency group from ``uv.lock``, pruned and compiled."""
    requirements = locked_requirements(group, () if group == "lambda-runtime" else RUNTIME_PACKAGES)
    digest = _digest(requirements.encode(), platform.encode(), _python_tag(platform).encode(), _recipe())
    folder = build_dir / "dependencies" / platform / f"{group}-{digest[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "packages"
        _install(requirements, platform, made)
        _prune(made)
        _compile(made, platform)
        # Compressed once for all functions of the group, so that a change of our code is quick to build.
        zipped = Path(scratch) / "packages.zip"
        # A zip for this machine is only unpacked here: its size does not matter.
        append_to_zip(zipped, _files_below(made), level=1 if platform == "native" else 6)
        zipped.rename(_zip_of(folder))
        made.rename(folder)
    _remove_older(folder, group)
    return folder


def runtime_packages(build_dir: Path = BUILD_DIR) -> Path:
    """Return a folder with the packages of Lambda's Python runtime, for this machine."""
    with _locked(build_dir):
        return install_group("lambda-runtime", "native", build_dir)


@cache
def locked_requirements(group: str, without: tuple[str, ...] = ()) -> str:
    """Return a group's requirements from ``uv.lock``, with hashes, except those in ``without``."""
    prune = [argument for package in without for argument in ("--prune", package)]
    return _run(
        "uv", "export", "--frozen", "--no-default-groups", "--only-group", group, "--no-emit-project",
        "--no-header", "--no-annotate", *prune,
    )  # fmt: skip


def _package(function: Function, platform: str, packages_dir: Path, build_dir: Path) -> Package:
    sources = function.source_files()
    contents = (part for name, path in sources.items() for part in (name.encode(), path.read_bytes()))
    key = _digest(packages_dir.name.encode(), _recipe(), *contents)
    path = build_dir / platform / f"{function.name}.zip"
    key_file = path.with_suffix(".key")
    was_built = not (path.exists() and key_file.exists() and key_file.read_text() == key)
    if was_built:
        _write_package(path, sources, packages_dir, platform)
        key_file.write_text(key)
    with zipfile.ZipFile(path) as archive:
        unzipped = sum(entry.file_size for entry in archive.infolist())
    if unzipped > MAX_UNZIPPED_BYTES:
        raise PackageNotBuilt(
            f"{path} has {unzipped:,} bytes unzipped; Lambda allows {MAX_UNZIPPED_BYTES:,}. Prune more."
        )
    return Package(function, platform, path, path.stat().st_size, unzipped, was_built)


def _write_package(path: Path, sources: Mapping[str, Path], packages_dir: Path, platform: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        stage = Path(scratch) / "sources"
        for name, source in sources.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, stage / name)
        _compile(stage, platform)
        made = Path(scratch) / path.name
        shutil.copyfile(_zip_of(packages_dir), made)
        append_to_zip(made, _files_below(stage))
        made.rename(path)


def unpack(package: Package) -> Path:
    """Return a folder with a zip's content; remove folders unused for a day."""
    digest = hashlib.sha256(package.path.read_bytes()).hexdigest()
    folder = package.path.parent / "unpacked" / f"{package.function.name}-{digest[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, zipfile.ZipFile(package.path) as archive:
            archive.extractall(Path(scratch) / "package")
            try:
                (Path(scratch) / "package").rename(folder)
            except OSError:  # ENOTEMPTY: another process was first
                if not folder.is_dir():
                    raise
    os.utime(folder)
    for other in folder.parent.glob(f"{package.function.name}-*"):
        if time.time() - other.stat().st_mtime > UNPACKED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def append_to_zip(path: Path, files: Mapping[str, Path], level: int = 6) -> None:
    """Add files to a new or existing zip. Equal names and contents give equal bytes.

    ``level``: compression, 1 (fastest) to 9 (smallest).
    """
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system = 3  # Unix: the attributes are a mode
            entry.external_attr = (0o100755 if _is_executable(name) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes(), compresslevel=level)


def _is_executable(name: str) -> bool:
    return ".so" in PurePosixPath(name).suffixes or name == "bootstrap"


def _files_below(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _install(requirements: str, platform: str, folder: Path) -> None:
    folder.mkdir()
    target = PLATFORMS[platform]
    where = [] if target is None else ["--python-platform", target, "--python-version", "3.13"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        # Copied, not linked: pruning must not change uv's cache.
        _run(
            "uv", "pip", "install", "--quiet", "--target", str(folder), "--link-mode", "copy", "--no-deps",
            "--only-binary", ":all:", *(f"--no-binary={name}" for name in _FROM_SOURCE), "--require-hashes",
            "--python", sys.executable, *where, "-r", file.name,
        )  # fmt: skip


def _prune(folder: Path) -> None:
    for name, path in _files_below(folder).items():
        if is_dropped(name):
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def is_dropped(name: str) -> bool:
    """Return whether a file of a package, named from the zip's top, is left out."""
    path = PurePosixPath(name)
    return (
        path.suffix in _DROPPED_SUFFIXES
        or path.name in _DROPPED_METADATA
        or not _DROPPED_FOLDERS.isdisjoint(path.parts[:-1])
        or name.startswith(_DROPPED_OF_DECODERS + _DROPPED_OF_DJANGO)
        or _is_other_language(path)
        or path.match("django/contrib/*/static/**")
    )


def _is_other_language(path: PurePosixPath) -> bool:
    parts = path.parts
    if parts[0] != "django" or "locale" not in parts[:-2]:
        return False
    language = parts[parts.index("locale") + 1]
    return language not in _KEPT_LANGUAGES


def _compile(folder: Path, platform: str) -> None:
    """Add bytecode that is never checked against its source."""
    if not _can_compile(platform):
        return
    # In a separate process with fixed hashes, for reproducible bytes.
    subprocess.run(  # noqa: S603  our own interpreter and arguments
        [sys.executable, "-S", "-s", "-P", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
         "-s", str(folder), str(folder)],
        env={"PATH": os.defpath, "PYTHONHASHSEED": "0"},
        check=False,  # packages may contain files for other Python versions
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _can_compile(platform: str) -> bool:
    return platform == "native" or sys.version_info[:2] == LAMBDA_PYTHON


def _python_tag(platform: str) -> str:
    tag = sys.implementation.cache_tag if _can_compile(platform) else "source"
    return f"{tag}-{host.machine()}" if platform == "native" else str(tag)


@cache
def _recipe() -> bytes:
    return Path(__file__).read_bytes()


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


def _zip_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _remove_older(folder: Path, group: str) -> None:
    for other in folder.parent.glob(f"{group}-????????????????"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
            _zip_of(other).unlink(missing_ok=True)


def _run(*command: str) -> str:
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else shutil.which("uv") or "uv"
    try:
        done = subprocess.run(  # noqa: S603  our own arguments
            [program, *command[1:]],
            cwd=ROOT,
            env={**os.environ, **_BUILD_ENVIRONMENT},
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        raise PackageNotBuilt("uv was not found. Run make setup.") from None
    except subprocess.CalledProcessError as error:
        raise PackageNotBuilt(
            f"uv {' '.join(command[1:3])} ended with code {error.returncode}. {error.stderr}"
        ) from None
    return done.stdout


@contextmanager
def _locked(build_dir: Path) -> Iterator[None]:
    build_dir.mkdir(parents=True, exist_ok=True)
    with (build_dir / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Build packages, print their sizes, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.packages.build", description=__doc__.partition("\n")[0])
    parser.add_argument("--platform", choices=PLATFORMS, default="linux-arm64", help="default: linux-arm64")
    parser.add_argument("--function", choices=FUNCTIONS_BY_NAME, action="append", help="default: every function")
    arguments = parser.parse_args()
    names = arguments.function or [function.name for function in FUNCTIONS]
    started = time.monotonic()
    try:
        packages = build_packages((FUNCTIONS_BY_NAME[name] for name in names), arguments.platform)
    except PackageNotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    for package in packages:
        sizes = f"{package.zipped_bytes / 1e6:6.1f} MB zipped, {package.unzipped_bytes / 1e6:6.1f} MB unzipped"
        print(f"{package.function.name:24} {sizes}, {'built' if package.was_built else 'unchanged'}")
    print(f"{packages[0].path.parent.relative_to(ROOT)}, {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
