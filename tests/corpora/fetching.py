"""Fetches the files of ``corpora.toml`` into ``.local/corpora``: read, checked, unpacked, never built or run."""

import hashlib
import shutil
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from deploy import ROOT

CACHE = ROOT / ".local" / "corpora"
LOCK = Path(__file__).with_name("corpora.toml")


class CorpusNotFetched(Exception):
    """A source distribution is not available, or is not the pinned one."""


@dataclass(frozen=True)
class Corpus:
    """The odd files of one source distribution: those below ``folders``. ``of`` says what they are."""

    name: str
    version: str
    file: str
    sha256: str
    folders: tuple[str, ...]
    of: str


def read_corpora(path: Path = LOCK) -> list[Corpus]:
    """Return what ``corpora.toml`` pins, in its order."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["corpus"]
    return [Corpus(**{**entry, "folders": tuple(entry["folders"])}) for entry in listed]


def fetch(corpus: Corpus, cache: Path = CACHE) -> Path:
    """Return the folder with a corpus's files, fetched from the index if missing.

    Raises CorpusNotFetched.
    """
    folder = cache / f"{corpus.name}-{corpus.version}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive, unpacked = Path(scratch) / corpus.file, Path(scratch) / "files"
        archive.write_bytes(checked(corpus, download(corpus)))
        unpack(archive, corpus.folders, unpacked)
        unpacked.rename(folder)
    return folder


def files_of(folder: Path) -> list[Path]:
    """Return every file of a fetched corpus, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def checked(corpus: Corpus, content: bytes) -> bytes:
    """Return the content if its digest is the pinned one, else raise CorpusNotFetched."""
    found = hashlib.sha256(content).hexdigest()
    if found != corpus.sha256:
        raise CorpusNotFetched(
            f"{corpus.file}: its SHA-256 is {found}, and {LOCK.name} has {corpus.sha256}. "
            "Look at what has changed before pinning another."
        )
    return content


def download(corpus: Corpus) -> bytes:
    """Return the bytes of a source distribution from pip's index.

    ``pip download`` would run the distribution's build for its metadata, so this uses only pip's finder, which knows
    the index, the certificates and the proxies of this machine. No code of the distribution runs.
    """
    from pip._internal.commands.download import DownloadCommand
    from pip._vendor.packaging.specifiers import SpecifierSet

    command = DownloadCommand("download", "")
    options, _ = command.parse_args(["--no-binary", ":all:", "--no-deps", "--quiet"])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        found = finder.find_best_candidate(corpus.name, SpecifierSet(f"=={corpus.version}")).best_candidate
        if found is None or found.link.filename != corpus.file:
            raise CorpusNotFetched(
                f"{corpus.file} is not in the package index that pip uses here. "
                f"Run this where it is, or unpack it into {CACHE.relative_to(ROOT)} by hand."
            )
        answer = session.get(found.link.url_without_fragment, headers={"Accept-Encoding": "identity"})
        answer.raise_for_status()
        return bytes(answer.content)


def unpack(archive: Path, folders: tuple[str, ...], target: Path) -> None:
    """Write the regular files below ``folders`` of an archive into the new ``target``."""
    target.mkdir()
    with _members(archive) as members:
        for name, content in members:
            place = _below(name, folders)
            if place is not None:
                (target / place).parent.mkdir(parents=True, exist_ok=True)
                with (target / place).open("wb") as file:
                    shutil.copyfileobj(content, file)


def _below(name: str, folders: tuple[str, ...]) -> PurePosixPath | None:
    """Return a member's path below the folder, None if it is not wanted."""
    inside = PurePosixPath(*PurePosixPath(name).parts[1:])
    if ".." in inside.parts:
        return None
    return next((inside.relative_to(folder) for folder in folders if inside.is_relative_to(folder)), None)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            yield ((entry.filename, zipped.open(entry)) for entry in zipped.infolist() if not entry.is_dir())
        return
    with tarfile.open(archive) as tar:
        files = (member for member in tar if member.isfile())  # no links, no devices
        yield ((member.name, content) for member in files if (content := tar.extractfile(member)))
