from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from django.core.files.base import ContentFile
from django.test import Client
from moto import mock_aws

from reports.files.originals import original_url
from reports.files.s3_storage import SignedS3Storage
from reports.files.storage import uploads
from reports.models import FileState, ReportFile
from tests.backend.people import make_file, make_report

pytestmark = pytest.mark.django_db
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


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
def test_what_was_decoded_opens_as_what_was_found_whatever_its_name(kind: str, media_type: str) -> None:
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
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mock_aws():
        boto3.client("s3", region_name="us-east-2").create_bucket(
            Bucket="files", CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
        )
        storage = SignedS3Storage(bucket_name="files", location="media/", region_name="us-east-2", file_overwrite=True)
        monkeypatch.setattr("reports.files.originals.uploads", lambda: storage)
        yield


@pytest.mark.usefixtures("bucket")
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
