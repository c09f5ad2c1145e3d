"""Storage of files, payloads and rendered mails: an S3 bucket or a local folder.

Keys are complete: ``media/guard_reports/2026/11/24/front-door.jpg``, ``thumbnails/<sha256>/small.webp``,
``emails/<…>.json``, ``payloads/<task id>.json``. They cannot leave the store: no ``..``, no leading ``/``. One test
suite verifies the contract of both stores.
"""

import errno
import os
import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lambdas.shared.runtime.aws import aws_client, code_of, storage_errors
from lambdas.shared.runtime.settings import SettingError, read_text
from workflows.errors import FileMissing, PayloadInvalid, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_THERE = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})
CHUNK_BYTES = 1024 * 1024
# AWS: a key has at most 1,024 bytes as UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024
_CONTROL_CHARACTER_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f\\]")


class ObjectStore(Protocol):
    """Bytes by key. Writes are atomic and safe to repeat.

    For an invalid key, reading raises FileMissing and writing PayloadInvalid. Every method raises StorageUnavailable if
    the store does not respond.
    """

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        return b"".join(self.chunks(key))

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in chunks of up to a mebibyte."""

    def write(self, key: str, data: bytes, media_type: str) -> None:
        """Create or replace an object."""


def object_store() -> ObjectStore:
    """Return the bucket AWS_STORAGE_BUCKET_NAME, else the parent of DJANGO_MEDIA_ROOT."""
    bucket = read_text("AWS_STORAGE_BUCKET_NAME")
    if bucket:
        return S3Objects(bucket)
    default = Path(__file__).parents[3] / ".local" / "files" / "media"
    media_root = Path(read_text("DJANGO_MEDIA_ROOT") or default).absolute()
    if media_root.name != "media":
        problem = f"ends in {media_root.name!r}, but the keys of uploaded files begin with media/."
        raise SettingError("DJANGO_MEDIA_ROOT", problem, "Name the folder media, or set AWS_STORAGE_BUCKET_NAME.")
    return DiskObjects(media_root.parent)


class S3Objects(ObjectStore):
    """An S3 bucket. Requires s3:ListBucket too, else S3 returns 403 for a missing key."""

    def __init__(self, bucket: str, client: "S3Client | None" = None) -> None:
        self._bucket = bucket
        self._client: S3Client = client or aws_client("s3", attempts=3, connect_seconds=5, read_seconds=30)

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in chunks, from one GetObject."""
        _check(key, FileMissing, "Store the file again.")
        with _s3_errors(key):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                yield from body.iter_chunks(CHUNK_BYTES)

    def write(self, key: str, data: bytes, media_type: str) -> None:
        """Put an object. S3 returns either the old or the new one, never a part."""
        _check(key, PayloadInvalid, "Write names joined by single slashes.")
        with _s3_errors(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)


class DiskObjects(ObjectStore):
    """A folder. Media types are not stored: they follow from the key's extension."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield a file's bytes in chunks."""
        _check(key, FileMissing, "Store the file again.")
        try:
            with self._path(key).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            if error.errno in _NOT_THERE:
                raise _missing(key) from None
            raise StorageUnavailable(key, f"could not be read: {error.strerror}.", "Try again.") from error

    def write(self, key: str, data: bytes, media_type: str) -> None:  # noqa: ARG002  part of the store's contract
        """Write a file atomically."""
        _check(key, PayloadInvalid, "Write names joined by single slashes.")
        try:
            write_atomically(self._path(key), data)
        except OSError as error:
            raise StorageUnavailable(key, f"could not be written: {error.strerror}.", "Try again.") from error

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.resolve().is_relative_to(self._root.resolve()):  # a symbolic link leads out of the folder
            raise _missing(key)
        return path


def write_atomically(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a complete file, synchronized to disk, which readers never see in part.

    Raises OSError; FileExistsError if the file exists and ``replace`` is off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(draft).replace(path)
        else:
            path.hardlink_to(draft)
    finally:
        Path(draft).unlink(missing_ok=True)


def _check(key: str, refusal: type[FileMissing | PayloadInvalid], remedy: str) -> None:
    if fault := _fault_of(key):
        raise refusal(ascii(key), f"is not a valid key: it {fault}.", remedy)


def _fault_of(key: str) -> str | None:
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "cannot be encoded as UTF-8"
    if not 1 <= length <= MAX_KEY_BYTES:
        return f"has {length:,} bytes, not 1 to {MAX_KEY_BYTES:,}"
    if _CONTROL_CHARACTER_OR_BACKSLASH.search(key):
        return "has a control character or a backslash"
    if any(part in {"", ".", ".."} for part in key.split("/")):
        return "has an empty part, a . or a .."
    return None


def _missing(key: str) -> FileMissing:
    return FileMissing(key, "is not in the store.", "Upload the file again, or put the object back.")


@contextmanager
def _s3_errors(key: str) -> Generator[None]:
    from botocore.exceptions import ClientError

    try:
        with storage_errors(key, "S3"):
            yield
    except ClientError as error:
        if code_of(error) in {"404", "NoSuchKey", "NotFound"}:
            raise _missing(key) from None
        raise
