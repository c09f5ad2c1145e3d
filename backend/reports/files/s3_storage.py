"""Storage in S3. Separate, so that only processes with a bucket import django-storages."""

from collections.abc import Iterable
from itertools import batched
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage  # type: ignore[import-untyped]  # it has no types

from reports.files.storage import disposition_of, media_type_of, unavailable, undeletable

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
MAX_DELETED_AT_ONCE = 1000


class SignedS3Storage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """S3Storage with our errors, whose URLs never let a browser run an upload."""

    def url(
        self,
        name: str,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return a signed URL, valid for ``expire`` or SIGNED_URL_SECONDS."""
        safe = _headers(media_type_of(f"{self.location.rstrip('/')}/{name}".lstrip("/")))
        return str(super().url(name, safe | (parameters or {}), expire, http_method))

    def url_as(self, name: str, media_type: str) -> str:
        """Return a signed URL with a media type. Unknown types are downloads."""
        return self.url(name, _headers(media_type))

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Store the file. Raises StorageUnavailable. Safe to retry."""
        try:
            return str(super().save(name, content, max_length))
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise unavailable(name, error) from error

    def delete_all(self, names: Iterable[str]) -> None:
        """Delete objects, a thousand per call, ignoring missing ones.

        Raises StorageUnavailable for the first that cannot be deleted. Safe to retry.
        """
        for some in batched(names, MAX_DELETED_AT_ONCE, strict=False):
            given = {"Objects": [{"Key": self._normalize_name(name)} for name in some], "Quiet": True}
            try:
                answer = self.bucket.delete_objects(Delete=given)
            except (Boto3Error, BotoCoreError, ClientError) as error:
                raise undeletable(some[0], type(error).__name__) from error
            for refused in answer.get("Errors", []):
                raise undeletable(refused["Key"], refused["Code"])


def _headers(media_type: str) -> dict[str, Any]:
    return {"ResponseContentDisposition": disposition_of(media_type), "ResponseContentType": media_type}
