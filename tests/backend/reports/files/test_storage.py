from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from django.core import signing
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from lambdas.shared.storage.objects import DiskObjects
from reports.files.s3_storage import SignedS3Storage
from reports.files.storage import SignedFileSystemStorage, objects, open_signed, uploads
from tests.backend.clock import at
from workflows.errors import StorageUnavailable

pytestmark = pytest.mark.django_db  # the end of a request looks after the connection
JPEG, PAGE = b"\xff\xd8jpeg", b"<script>alert(1)</script>"


def store(name: str, content: bytes) -> str:
    return uploads().url(uploads().save(name, ContentFile(content)))


def test_a_signed_url_serves_the_file() -> None:
    name = uploads().save("guard_reports/door.jpg", ContentFile(JPEG))

    response = Client().get(SignedFileSystemStorage().url_as(name, "image/jpeg"))

    assert response.getvalue() == JPEG
    assert response["Content-Type"] == "image/jpeg"
    assert response["Content-Disposition"] == 'inline; filename="door.jpg"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "private, max-age=3600"


@pytest.mark.parametrize(
    "name", ["page.html", "picture.svg", "script.js", "unknown", "page.xhtml", "plan.pdf", "a.jpg"]
)
def test_an_upload_of_which_nothing_is_known_is_a_download_whatever_its_name(name: str) -> None:
    response = Client().get(store(name, PAGE))
    response.close()

    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("key", "media_type"), [("a.webp", "image/webp"), ("a.jpg", "image/jpeg")])
def test_a_thumbnail_is_a_picture_that_the_browser_shows(key: str, media_type: str) -> None:
    objects().save(f"thumbnails/{key}", ContentFile(JPEG))

    response = Client().get(objects().url(f"thumbnails/{key}"))
    response.close()

    assert response["Content-Type"] == media_type
    assert response["Content-Disposition"].startswith("inline")


def test_a_link_made_before_links_named_a_type_serves_a_download() -> None:
    uploads().save("page.svg", ContentFile(PAGE))

    response = Client().get(f"/files/{signing.dumps('media/page.svg', salt='reports.files.storage')}/page.svg")
    response.close()

    assert response["Content-Disposition"].startswith("attachment")


def test_a_signature_ends_after_an_hour() -> None:
    url = store("door.jpg", JPEG)

    with at(timezone.now() + timedelta(minutes=59)):
        response = Client().get(url)
        response.close()
        assert response.status_code == 200
    with at(timezone.now() + timedelta(minutes=61)):
        assert Client().get(url).status_code == 410


def test_a_changed_signature_serves_nothing() -> None:
    _root, files, token, name = store("door.jpg", JPEG).split("/")

    assert Client().get(f"/{files}/{token}x/{name}").status_code == 404
    assert Client().get(f"/{files}/x/{name}").status_code == 404


def test_a_file_that_is_gone_is_not_found() -> None:
    assert Client().get(uploads().url("gone.jpg")).status_code == 404


def test_whole_keys_are_those_of_the_functions(media_root: Path) -> None:
    name = uploads().save("guard_reports/door.jpg", ContentFile(JPEG))
    functions = DiskObjects(media_root.parent)
    functions.write("thumbnails/a/small.webp", b"webp", "image/webp")

    assert functions.read(f"media/{name}") == JPEG
    response = Client().get(objects().url("thumbnails/a/small.webp"))
    assert response.getvalue() == b"webp"


def test_a_disk_that_is_full_asks_to_try_again(media_root: Path) -> None:
    media_root.parent.mkdir(parents=True)
    media_root.write_bytes(b"a file where the folder should be")

    with pytest.raises(StorageUnavailable, match=r"door\.jpg: could not be stored"):
        uploads().save("door.jpg", ContentFile(JPEG))


def test_a_file_without_a_name_has_no_url() -> None:
    with pytest.raises(ValueError, match="Store the file first"):
        SignedFileSystemStorage().url("")


def test_a_token_opens_one_key_only(media_root: Path) -> None:
    url = store("door.jpg", JPEG)

    assert open_signed(url.split("/")[2]) == (media_root / "door.jpg", "application/octet-stream")


@pytest.fixture
def bucket() -> Iterator[S3Client]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-2")
        client.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
        yield client


def s3_storage(bucket_name: str = "files") -> SignedS3Storage:
    return SignedS3Storage(
        bucket_name=bucket_name,
        location="media/",
        region_name="us-east-2",
        querystring_expire=3600,
        file_overwrite=True,
        signature_version="s3v4",
    )


def test_on_s3_the_whole_key_has_the_prefix(bucket: S3Client) -> None:
    name = s3_storage().save("guard_reports/door.jpg", ContentFile(JPEG))

    assert name == "guard_reports/door.jpg"
    assert bucket.get_object(Bucket="files", Key="media/guard_reports/door.jpg")["Body"].read() == JPEG


@pytest.mark.parametrize("name", ["door.jpg", "page.html"])
@pytest.mark.usefixtures("bucket")
def test_on_s3_the_url_is_signed_for_an_hour_and_safe_to_open(name: str) -> None:
    query = parse_qs(urlsplit(s3_storage().url(name)).query)

    assert query["response-content-disposition"] == ["attachment"]
    assert query["X-Amz-Expires"] == ["3600"]
    assert "X-Amz-Signature" in query


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_does_not_take_a_file_asks_to_try_again() -> None:
    with pytest.raises(StorageUnavailable, match=r"door\.jpg: could not be stored \(NoSuchBucket\)"):
        s3_storage("missing").save("door.jpg", ContentFile(JPEG))
