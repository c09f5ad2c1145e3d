"""Storage of files: S3, or the local disk when no bucket is set. Both give signed URLs.

A file's whole key is the storage's prefix and its name: ``media/`` for uploads, nothing for thumbnails.
On disk whole keys lie in MEDIA_ROOT's parent, so that the functions find them by the same keys.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote

from django.conf import settings
from django.core import signing
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils._os import safe_join
from django.utils.functional import cached_property

from workflows.errors import StorageUnavailable

SIGNED_FILES_PATH = "/files"
_SALT = "reports.files.storage"
UNKNOWN_MEDIA_TYPE = "application/octet-stream"
_THUMBNAILS = {".webp": "image/webp", ".jpg": "image/jpeg"}


def media_type_of(key: str) -> str:
    """Return the media type of what lies at a whole key, told by the key: only our own pictures have one.

    What a guard named page.html or picture.svg is not believed: reports.files.originals says what was found in it.
    """
    suffix = PurePosixPath(key).suffix
    return UNKNOWN_MEDIA_TYPE if key.startswith(settings.MEDIA_PREFIX) else _THUMBNAILS.get(suffix, UNKNOWN_MEDIA_TYPE)


def disposition_of(media_type: str) -> str:
    """Return the Content-Disposition: what is not known to be harmless in a browser is a download."""
    return "attachment" if media_type == UNKNOWN_MEDIA_TYPE else "inline"


class SignedFileSystemStorage(FileSystemStorage):
    """Files on the local disk, reached by URLs that are signed and valid SIGNED_URL_SECONDS."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = settings.MEDIA_PREFIX if prefix is None else prefix
        super().__init__()

    @cached_property
    def base_location(self) -> str:
        """Return the folder of the names; Django forgets it when MEDIA_ROOT changes."""
        return str(disk_root() / self.prefix)

    def url(self, name: str | None) -> str:
        """Return a path of this site that serves the file until its signature is too old."""
        return self.url_as(name, media_type_of(f"{self.prefix}{name}"))

    def url_as(self, name: str | None, media_type: str) -> str:
        """Return a path that serves the file as a media type, in the browser unless that is UNKNOWN_MEDIA_TYPE."""
        if not name:
            raise ValueError("A file without a name has no URL. Store the file first.")
        token = signing.dumps([f"{self.prefix}{name}", media_type], salt=_SALT)
        return f"{SIGNED_FILES_PATH}/{token}/{quote(PurePosixPath(name).name)}"

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        """Store the file. Raises StorageUnavailable when the disk will not take it; safe to retry."""
        try:
            return super().save(name, content, max_length)
        except OSError as error:
            raise unavailable(name, error) from error

    def delete_all(self, names: Iterable[str]) -> None:
        """Delete files; one that is not there is no error. Raises StorageUnavailable; safe to repeat."""
        for name in names:
            try:
                self.delete(name)
            except OSError as error:
                raise undeletable(name, type(error).__name__) from error


def disk_root() -> Path:
    """Return the folder in which whole keys lie."""
    return Path(settings.MEDIA_ROOT).parent


def open_signed(token: str) -> tuple[Path, str]:
    """Return the path that a token names, and the media type as which it is served.

    Raises django.core.signing.SignatureExpired or BadSignature, and FileNotFoundError.
    """
    signed = signing.loads(token, salt=_SALT, max_age=settings.SIGNED_URL_SECONDS)
    # A key alone is of a process of before, within the hour that its links work.
    key, media_type = signed if isinstance(signed, list) else (signed, media_type_of(signed))
    path = Path(safe_join(str(disk_root()), key))
    if not path.is_file():
        raise FileNotFoundError(key)
    return path, media_type


def unavailable(name: str | None, error: Exception) -> StorageUnavailable:
    """Return the error that tells a caller to try again later."""
    return StorageUnavailable(str(name), f"could not be stored ({type(error).__name__}).", "Send the report again.")


def undeletable(name: str, why: str) -> StorageUnavailable:
    """Return the error of an object that could not be deleted."""
    remedy = "Let the role delete objects (s3:DeleteObject), or wait until the storage answers; then try again."
    return StorageUnavailable(name, f"could not be deleted ({why}).", remedy)


def uploads() -> Storage:
    """Return the storage of uploaded files: their names lack MEDIA_PREFIX."""
    return storages["default"]


def objects() -> Storage:
    """Return the storage in which a name is a whole key: thumbnails."""
    return storages["objects"]


def delete_objects(keys: Iterable[str]) -> None:
    """Delete what lies at whole keys, uploads and thumbnails alike; what is not there is no error.

    Raises StorageUnavailable when one could not be deleted; others may be gone by then. Safe to repeat.
    """
    objects().delete_all(keys)  # type: ignore[attr-defined]  # both of our storages have it
