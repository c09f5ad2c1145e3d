import re
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
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from lambdas.shared.storage.objects import DiskObjects
from reports.files.s3_storage import SignedS3Storage
from reports.files.storage import (
    SignedFileSystemStorage,
    display_name,
    objects,
    open_signed,
    original_url,
    safe_name,
    uploads,
)
from reports.models import NAME_MAX_LENGTH, FileState, ReportFile
from tests.backend.clock import at
from tests.backend.people import make_file, make_report
from workflows.errors import StorageUnavailable

pytestmark = pytest.mark.django_db  # the end of a request looks after the connection
STORED_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]{1,10})?")
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
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
def test_an_upload_of_unknown_type_is_a_download(name: str) -> None:
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
    with pytest.raises(ValueError, match="Save the file first"):
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
def test_an_s3_url_is_signed_for_an_hour_and_safe(name: str) -> None:
    query = parse_qs(urlsplit(s3_storage().url(name)).query)

    assert query["response-content-disposition"] == ["attachment"]
    assert query["X-Amz-Expires"] == ["3600"]
    assert "X-Amz-Signature" in query


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_does_not_take_a_file_asks_to_try_again() -> None:
    with pytest.raises(StorageUnavailable, match=r"door\.jpg: could not be stored \(NoSuchBucket\)"):
        s3_storage("missing").save("door.jpg", ContentFile(JPEG))


def stored(name: str, **facts: str) -> ReportFile:
    path = uploads().save(f"guard_reports/{name}", ContentFile(SCRIPT))
    return make_file(make_report(), name, file=path, **{"status": FileState.ACCEPTED} | facts)


def headers_of(file: ReportFile) -> tuple[str, str]:
    response = Client().get(original_url(file))
    response.close()
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert "script-src" not in response["Content-Security-Policy"]
    # Chromium plays no video without an origin; there is none for what could be a page.
    is_played = response["Content-Type"].startswith(("video/", "audio/"))
    assert ("allow-same-origin" in response["Content-Security-Policy"]) is is_played
    assert "allow-scripts" not in response["Content-Security-Policy"]
    return response["Content-Type"], response["Content-Disposition"].partition(";")[0]


@pytest.mark.parametrize(
    ("kind", "media_type"), [("image", "image/heic"), ("video", "video/mp4"), ("audio", "audio/amr")]
)
def test_a_decoded_file_opens_as_its_detected_type(kind: str, media_type: str) -> None:
    assert headers_of(stored("page.html", kind=kind, media_type=media_type)) == (media_type, "inline")


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("plan.pdf", {"kind": "pdf", "media_type": "application/pdf"}),
        ("gate.jpg", {"kind": "other", "media_type": "image/svg+xml"}),
        ("gate.jpg", {"kind": "image", "media_type": "image/svg+xml"}),
        ("gate.jpg", {"kind": "image", "media_type": "text/html"}),
        ("gate.jpg", {"kind": "image", "media_type": "image/jpeg; charset=x\r\nX-Evil: 1"}),
        ("page.html", {"kind": "other", "media_type": "text/html"}),
        ("gate.jpg", {"status": FileState.PENDING}),
        ("gate.jpg", {"status": FileState.REJECTED, "kind": "image", "media_type": "image/jpeg"}),
    ],
)
def test_all_else_is_a_download_of_no_type(name: str, facts: dict[str, str]) -> None:
    assert headers_of(stored(name, **facts)) == ("application/octet-stream", "attachment")


@pytest.fixture
def default_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-2").create_bucket(
            Bucket="files", CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
        )
        storage = SignedS3Storage(bucket_name="files", location="media/", region_name="us-east-2", file_overwrite=True)
        monkeypatch.setattr("reports.files.storage.uploads", lambda: storage)
        yield


@pytest.mark.usefixtures("default_bucket")
@pytest.mark.parametrize(
    ("kind", "media_type", "served"),
    [
        ("video", "video/mp4", ("inline", "video/mp4")),
        ("pdf", "application/pdf", ("attachment", "application/octet-stream")),
        ("other", "image/svg+xml", ("attachment", "application/octet-stream")),
    ],
)
def test_on_s3_the_link_says_the_same(kind: str, media_type: str, served: tuple[str, str]) -> None:
    file = make_file(make_report(), "x.svg", status=FileState.ACCEPTED, kind=kind, media_type=media_type)

    query = parse_qs(urlsplit(original_url(file)).query)

    assert (query["response-content-disposition"][0], query["response-content-type"][0]) == served


@given(st.text(max_size=400))
def test_any_name_is_safe_to_store(name: str) -> None:
    assert STORED_NAME.fullmatch(safe_name(name))
    assert len(safe_name(name)) <= 71


@given(st.text(max_size=400))
def test_any_name_can_be_shown(name: str) -> None:
    shown = display_name(name)

    assert 1 <= len(shown) <= NAME_MAX_LENGTH
    assert shown.isprintable()
    assert "/" not in shown
    assert "\\" not in shown


@pytest.mark.parametrize(
    ("name", "shown", "stored"),
    [
        ("Front Door.JPG", "Front Door.JPG", "front-door.jpg"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\photos\\gate.png", "gate.png", "gate.png"),
        ("gate\u202egpj.exe", "gategpj.exe", "gategpj.exe"),
        ("a\x00b\nc.pdf", "abc.pdf", "a-b-c.pdf"),
        (None, "file", "file"),
        ("...", "...", "file"),
        (".htaccess", ".htaccess", "htaccess"),
        ("照片.jpg", "照片.jpg", "file.jpg"),
        ("a." + "x" * 300, "a." + "x" * 138 + "." + "x" * 9, "a.xxxxxxxxxx"),
        ("n" * 300 + ".jpg", "n" * 146 + ".jpg", "n" * 60 + ".jpg"),
    ],
)
def test_a_name_loses_folders_and_invisible_characters(name: str, shown: str, stored: str) -> None:
    assert (display_name(name), safe_name(name)) == (shown, stored)
