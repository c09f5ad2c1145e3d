"""Names of uploaded files: what is shown, and what is safe in a path, a URL and a header."""

import re
import unicodedata
from pathlib import PurePosixPath

from reports.models import NAME_MAX_LENGTH

STORED_STEM_MAX_LENGTH = 60
_SUFFIX_MAX_LENGTH = 10
_NO_NAME = "file"


def display_name(name: str | None) -> str:
    """Return the name as people see it: no folders, nothing invisible, at most NAME_MAX_LENGTH characters."""
    # Without formatting characters, by which "fdp.exe" can be made to read "exe.pdf".
    visible = "".join(character for character in _last_part(name) if unicodedata.category(character)[0] != "C")
    tidy = " ".join(visible.split())
    if len(tidy) > NAME_MAX_LENGTH:
        suffix = PurePosixPath(tidy).suffix[:_SUFFIX_MAX_LENGTH]
        tidy = tidy[: NAME_MAX_LENGTH - len(suffix)] + suffix
    return tidy or _NO_NAME


def safe_name(name: str | None) -> str:
    """Return the name as it is stored: ASCII letters, digits, ``-`` and one short ending."""
    path = PurePosixPath(_last_part(name))
    suffix = _ascii(path.suffix).replace("-", "")[:_SUFFIX_MAX_LENGTH]
    stem = _ascii(path.stem)[:STORED_STEM_MAX_LENGTH].strip("-") or _NO_NAME
    return f"{stem}.{suffix}" if suffix else stem


def _last_part(name: str | None) -> str:
    return (name or "").replace("\\", "/").rsplit("/", 1)[-1]


def _ascii(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
