"""Storage of files in S3 or on the local disk, their names and signed URLs.

A full key is the storage's prefix (``media/`` for uploads, none for thumbnails) and the file's name. On disk, keys are
paths in MEDIA_ROOT's parent, so that the functions find files by the same keys.
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote

from django.conf import settings
from django.core import signing
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils._os import safe_join
from django.utils.functional import cached_property

from reports.models import NAME_MAX_LENGTH, FileState, ReportFile
from workflows.errors import StorageUnavailable

SIGNED_FILES_PATH = "/files"
_SALT = "reports.files.storage"
UNKNOWN_MEDIA_TYPE = "application/octet-stream"
_THUMBNAILS = {".webp": "image/webp", ".jpg": "image/jpeg"}
STORED_STEM_MAX_LENGTH = 60
_SUFFIX_MAX_LENGTH = 10
_NO_NAME = "file"
# Types that a browser decodes without running scripts. An SVG (image/svg+xml) is a page with scripts, as is other XML.
_SHOWN = re.compile(r"(?:image|video|audio)/[a-z0-9][a-z0-9.-]*")
_DECODED_KINDS = frozenset({"image", "video", "audio"})


def display_name(name: str | None) -> str:
    """Return an uploaded name for people: no folders, no invisible characters, a limited length."""
    # Formatting characters can make "fdp.exe" read as "exe.pdf".
    visible = "".join(character for character in _last_part(name) if unicodedata.category(character)[0] != "C")
    tidy = " ".join(visible.split())
    if len(tidy) > NAME_MAX_LENGTH:
        suffix = PurePosixPath(tidy).suffix[:_SUFFIX_MAX_LENGTH]
        tidy = tidy[: NAME_MAX_LENGTH - len(suffix)] + suffix
    return tidy or _NO_NAME


def safe_name(name: str | None) -> str:
    """Return an uploaded name for paths, URLs and headers: ASCII letters, digits, ``-``, one extension."""
    path = PurePosixPath(_last_part(name))
    suffix = _ascii(path.suffix).replace("-", "")[:_SUFFIX_MAX_LENGTH]
    stem = _ascii(path.stem)[:STORED_STEM_MAX_LENGTH].strip("-") or _NO_NAME
    return f"{stem}.{suffix}" if suffix else stem


def _last_part(name: str | None) -> str:
    return (name or "").replace("\\", "/").rsplit("/", 1)[-1]


def _ascii(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def media_type_of(key: str) -> str:
    """Return the media type of a full key: that of a thumbnail, unknown for uploads.

    The name of an upload is not trusted; ``original_url`` uses its detected type.
    """
    suffix = PurePosixPath(key).suffix
    return UNKNOWN_MEDIA_TYPE if key.startswith(settings.MEDIA_PREFIX) else _THUMBNAILS.get(suffix, UNKNOWN_MEDIA_TYPE)


def disposition_of(media_type: str) -> str:
    """Return the Content-Disposition: files of unknown type are downloads."""
    return "attachment" if media_type == UNKNOWN_MEDIA_TYPE else "inline"


class SignedFileSystemStorage(FileSystemStorage):
    """Files on the local disk, with signed URLs that are valid for SIGNED_URL_SECONDS."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = settings.MEDIA_PREFIX if prefix is None else prefix
        super().__init__()

    @cached_property
    def base_location(self) -> str:
        """Return the folder of the storage. Django resets it when MEDIA_ROOT changes."""
        return str(disk_root() / self.prefix)

    def url(self, name: str | None) -> str:
        """Return a signed path of this site that serves the file."""
        return self.url_as(name, media_type_of(f"{self.prefix}{name}"))

    def url_as(self, name: str | None, media_type: str) -> str:
        """Return a signed path with a media type. Unknown types are downloads."""
        if not name:
            raise ValueError("A file without a name has no URL. Save the file first.")
        token = signing.dumps([f"{self.prefix}{name}", media_type], salt=_SALT)
        return f"{SIGNED_FILES_PATH}/{token}/{quote(PurePosixPath(name).name)}"

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        """Store the file. Raises StorageUnavailable. Safe to retry."""
        try:
            return super().save(name, content, max_length)
        except OSError as error:
            raise unavailable(name, error) from error

    def delete_all(self, names: Iterable[str]) -> None:
        """Delete files, ignoring missing ones. Raises StorageUnavailable. Safe to retry."""
        for name in names:
            try:
                self.delete(name)
            except OSError as error:
                raise undeletable(name, type(error).__name__) from error


def disk_root() -> Path:
    """Return the folder that contains full keys."""
    return Path(settings.MEDIA_ROOT).parent


def open_signed(token: str) -> tuple[Path, str]:
    """Return the path and the media type of a signed token.

    Raises django.core.signing.SignatureExpired or BadSignature, and FileNotFoundError.
    """
    signed = signing.loads(token, salt=_SALT, max_age=settings.SIGNED_URL_SECONDS)
    # Links signed by earlier versions contain the key only.
    key, media_type = signed if isinstance(signed, list) else (signed, media_type_of(signed))
    path = Path(safe_join(str(disk_root()), key))
    if not path.is_file():
        raise FileNotFoundError(key)
    return path, media_type


def unavailable(name: str | None, error: Exception) -> StorageUnavailable:
    """Return the error of a file that could not be stored."""
    return StorageUnavailable(str(name), f"could not be stored ({type(error).__name__}).", "Send the report again.")


def undeletable(name: str, why: str) -> StorageUnavailable:
    """Return the error of an object that could not be deleted."""
    remedy = "Allow the role s3:DeleteObject, or wait until the storage is available; then try again."
    return StorageUnavailable(name, f"could not be deleted ({why}).", remedy)


def uploads() -> Storage:
    """Return the storage of uploaded files; names are without MEDIA_PREFIX."""
    return storages["default"]


def objects() -> Storage:
    """Return the storage of thumbnails; names are full keys."""
    return storages["objects"]


def delete_objects(keys: Iterable[str]) -> None:
    """Delete uploads and thumbnails by full key, ignoring missing ones.

    Raises StorageUnavailable at the first that cannot be deleted. Safe to retry.
    """
    objects().delete_all(keys)  # type: ignore[attr-defined]  # both of our storages have it


def original_url(file: ReportFile) -> str:
    """Return a signed URL of a file as it was uploaded.

    Accepted pictures, videos and recordings open in the browser. All other files are downloads, since they may
    contain scripts.
    """
    url: str = uploads().url_as(file.file.name, _media_type(file))  # type: ignore[attr-defined]  # both of ours have it
    return url


def _media_type(file: ReportFile) -> str:
    is_decoded = file.status == FileState.ACCEPTED and file.kind in _DECODED_KINDS
    return file.media_type if is_decoded and _SHOWN.fullmatch(file.media_type) else UNKNOWN_MEDIA_TYPE
