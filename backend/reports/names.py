"""Names of uploaded files: what is shown, and what is safe in a path, a URL and a header."""

import re
import unicodedata
from pathlib import PurePosixPath

from reports.models import NAME_MAX_LENGTH

STORED_STEM_MAX_LENGTH = 60
_STORED_SUFFIX_MAX_LENGTH = 10
_NO_NAME = "file"


def display_name(name: str | None) -> str:
    """Return the name as people see it: no folders, nothing invisible, at most NAME_MAX_LENGTH characters."""
    # Without formatting characters, by which "fdp.exe" can be made to read "exe.pdf".
    visible = "".join(character for character in _last_part(name) if unicodedata.category(character)[0] != "C")
    tidy = " ".join(visible.split())
    suffix = PurePosixPath(tidy).suffix[:NAME_MAX_LENGTH]
    if len(tidy) > NAME_MAX_LENGTH:
        tidy = tidy[: NAME_MAX_LENGTH - len(suffix)] + suffix
    return tidy or _NO_NAME


def safe_name(name: str | None) -> str:
    """Return the name as it is stored: ASCII letters, digits, ``-`` and one short ending."""
    path = PurePosixPath(_last_part(name).lower())
    suffix = re.sub(r"[^a-z0-9]", "", path.suffix)[:_STORED_SUFFIX_MAX_LENGTH]
    ascii_stem = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "-", ascii_stem).strip("-")[:STORED_STEM_MAX_LENGTH] or _NO_NAME
    return f"{stem}.{suffix}" if suffix else stem


def _last_part(name: str | None) -> str:
    return (name or "").replace("\\", "/").rsplit("/", 1)[-1]
