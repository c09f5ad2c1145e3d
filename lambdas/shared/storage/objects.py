"""Storage of files, payloads and rendered mails: an S3 bucket, or a folder on local disk.

A key is whole: ``media/guard_reports/2026/11/24/front-door.jpg``, ``thumbnails/<sha256>/small.webp``,
``emails/<…>.json``, ``payloads/<task id>.json``. It cannot step out of the store: no ``..``, no
leading ``/``. Both stores keep one contract, tested by one suite.
"""

import errno
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lambdas.shared.runtime.aws import aws_client, code_of, storage_errors
from lambdas.shared.runtime.settings import SettingError, read_text
from lambdas.shared.storage.atomic_files import write_atomically
from workflows.errors import FileMissing, PayloadInvalid, StorageUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_THERE = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG})
CHUNK_BYTES = 1024 * 1024
# AWS: a key has at most 1,024 bytes as UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY_BYTES = 1024
_CONTROL_CHARACTER_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f\\]")


class ObjectStore(Protocol):
    """Bytes by key. Each write puts the whole object in place at once; writing it again changes nothing.

    Reading raises FileMissing, also for what can be no key. Writing under such a key raises
    PayloadInvalid. Everything raises StorageUnavailable when the store does not answer: try again.
    """

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        return b"".join(self.chunks(key))

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces of at most a mebibyte, read once and in order."""
        ...

    def write(self, key: str, data: bytes, media_type: str) -> None:
        """Put an object in place of what lay there, if anything did."""
        ...


def object_store() -> ObjectStore:
    """Return the bucket AWS_STORAGE_BUCKET_NAME, or where none is named, the folder around DJANGO_MEDIA_ROOT."""
    bucket = read_text("AWS_STORAGE_BUCKET_NAME")
    if bucket:
        return S3Objects(bucket)
    media_root = Path(
        read_text("DJANGO_MEDIA_ROOT") or Path(__file__).parents[3] / ".local" / "files" / "media"
    ).absolute()
    if media_root.name != "media":
        raise SettingError(
            "DJANGO_MEDIA_ROOT",
            f"ends in {media_root.name!r}, but the keys of uploaded files begin with media/.",
            "Name the folder media, or set AWS_STORAGE_BUCKET_NAME.",
        )
    return DiskObjects(media_root.parent)


class S3Objects(ObjectStore):
    """An S3 bucket. The function's role needs s3:ListBucket too: without it S3 says 403 of a missing key."""

    def __init__(self, bucket: str, client: "S3Client | None" = None) -> None:
        self._bucket, self._given_client = bucket, client

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces, from one GetObject."""
        _check(key, FileMissing, "Store the file again.")
        with _s3_errors(key):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                yield from body.iter_chunks(CHUNK_BYTES)

    def write(self, key: str, data: bytes, media_type: str) -> None:
        """Put an object. S3 shows the old one or the new one, never a part."""
        _check(key, PayloadInvalid, "Write names joined by single slashes.")
        with _s3_errors(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)

    @property
    def _client(self) -> "S3Client":
        client: S3Client = self._given_client or aws_client("s3", attempts=3, connect_seconds=5, read_seconds=30)
        return client


class DiskObjects(ObjectStore):
    """A folder. Media types are not kept: whoever serves a file finds it by the key's ending."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces."""
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
        """Write a file beside its place and move it there."""
        _check(key, PayloadInvalid, "Write names joined by single slashes.")
        try:
            write_atomically(self._path(key), data)
        except OSError as error:
            raise StorageUnavailable(key, f"could not be written: {error.strerror}.", "Try again.") from error

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.resolve().is_relative_to(self._root.resolve()):  # a link inside the folder leads out of it
            raise _missing(key)
        return path


def _check(key: str, refusal: type[FileMissing | PayloadInvalid], remedy: str) -> None:
    """Raise ``refusal`` for a text that can be no key."""
    if fault := _fault_of(key):
        raise refusal(ascii(key), f"can be no object's key: it {fault}.", remedy)


def _fault_of(key: str) -> str | None:
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "is not text that UTF-8 can hold"
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
