"""Range requests for local files."""

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from reports.files.storage import SignedFileSystemStorage, uploads

pytestmark = pytest.mark.django_db  # the end of a request looks after the connection
CONTENT = bytes(range(200))


@pytest.fixture
def url() -> str:
    name = uploads().save("guard_reports/gate.mp4", ContentFile(CONTENT))
    return SignedFileSystemStorage().url_as(name, "video/mp4")


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-1", CONTENT[:2], "bytes 0-1/200"),  # what Safari asks first
        ("bytes=0-", CONTENT, "bytes 0-199/200"),
        ("bytes=150-", CONTENT[150:], "bytes 150-199/200"),
        ("bytes=199-199", CONTENT[199:], "bytes 199-199/200"),
        ("bytes=190-9999", CONTENT[190:], "bytes 190-199/200"),
        ("bytes=-5", CONTENT[-5:], "bytes 195-199/200"),
        ("bytes=-9999", CONTENT, "bytes 0-199/200"),
        ("Bytes= 7-7 ", CONTENT[7:8], "bytes 7-7/200"),
    ],
)
def test_one_range_is_served_as_that_part(url: str, asked: str, part: bytes, content_range: str) -> None:
    response = Client().get(url, headers={"Range": asked})

    assert (response.status_code, response.getvalue()) == (206, part)
    assert response["Content-Range"] == content_range
    assert response["Content-Length"] == str(len(part))
    assert response["Content-Type"] == "video/mp4"
    assert response["Content-Disposition"].startswith("inline")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=200-300", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_behind_the_end_is_refused_with_the_size(url: str, asked: str) -> None:
    response = Client().get(url, headers={"Range": asked})

    assert (response.status_code, response.content) == (416, b"")
    assert response["Content-Range"] == "bytes */200"


@pytest.mark.parametrize(
    "asked",
    [
        "", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-1,5-6", "pages=0-1", "bytes=--5", "bytes=1-2-3",
        "bytes=٣-٤", "bytes=" + "9" * 40 + "-",
    ],
)  # fmt: skip
def test_what_is_no_single_range_is_answered_with_the_whole(url: str, asked: str) -> None:
    response = Client().get(url, headers={"Range": asked})

    assert (response.status_code, response.getvalue()) == (200, CONTENT)
    assert response["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in response


def test_a_range_of_what_may_have_changed_is_answered_with_the_whole(url: str) -> None:
    response = Client().get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})

    assert (response.status_code, response.getvalue()) == (200, CONTENT)


def test_head_announces_ranges(url: str) -> None:
    response = Client().head(url, headers={"Range": "bytes=0-1"})
    response.close()

    assert (response.status_code, response["Accept-Ranges"], response["Content-Length"]) == (200, "bytes", "200")


def test_an_empty_file_has_no_range() -> None:
    url = uploads().url(uploads().save("guard_reports/empty", ContentFile(b"")))

    assert Client().get(url, headers={"Range": "bytes=0-"}).status_code == 416
