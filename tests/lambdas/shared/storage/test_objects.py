"""The contract of both stores: S3 and a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from lambdas.shared.runtime.settings import SettingError
from lambdas.shared.storage.objects import CHUNK_BYTES, DiskObjects, ObjectStore, S3Objects, object_store
from tests.lambdas.aws_answers import always_answer
from workflows.errors import FileMissing, PayloadInvalid, StorageUnavailable

BUCKET = "files"
NO_RETRIES = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture(params=["s3", "disk"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "disk":
        return DiskObjects(tmp_path / "root")
    return S3Objects(BUCKET, request.getfixturevalue("s3"))


def test_a_written_object_can_be_read(objects: ObjectStore) -> None:
    objects.write("media/guard_reports/2026/11/24/front-door.jpg", b"pixels", "image/jpeg")

    assert objects.read("media/guard_reports/2026/11/24/front-door.jpg") == b"pixels"


def test_a_second_write_replaces_the_first(objects: ObjectStore) -> None:
    objects.write("a/b", b"first, and longer", "text/plain")
    objects.write("a/b", b"second", "text/plain")

    assert objects.read("a/b") == b"second"


def test_an_empty_object_has_no_chunks(objects: ObjectStore) -> None:
    objects.write("empty", b"", "text/plain")

    assert list(objects.chunks("empty")) == []


def test_a_large_object_is_read_in_chunks(objects: ObjectStore) -> None:
    data = bytes(range(256)) * (2 * CHUNK_BYTES // 256) + b"the rest"
    objects.write("large", data, "application/octet-stream")

    chunks = list(objects.chunks("large"))

    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= CHUNK_BYTES


@pytest.mark.parametrize("key", ["nothing/here.jpg", "a", "x" * 1024])
def test_an_object_that_does_not_exist_is_missing(objects: ObjectStore, key: str) -> None:
    objects.write("a/b", b"so that a is a folder on disk", "text/plain")

    with pytest.raises(FileMissing):
        objects.read(key)


BAD_KEYS = [
    "",
    "/etc/passwd",
    "../outside",
    "media/../../outside",
    "media/./a",
    "media//a",
    "media/",
    "a\\..\\b",
    "a\nb",
    "a\x00b",
    "\ud800",
    "é" * 513,
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_an_invalid_key_can_be_neither_read_nor_written(objects: ObjectStore, key: str) -> None:
    with pytest.raises(FileMissing):
        objects.read(key)
    with pytest.raises(PayloadInvalid) as caught:
        objects.write(key, b"", "text/plain")
    assert str(caught.value).isprintable()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "media", "\x00", "é", "-"]), max_size=6).map("/".join), st.binary()
)
def test_no_key_reaches_a_file_outside_the_root(tmp_path: Path, key: str, data: bytes) -> None:
    (tmp_path / "a").write_bytes(b"outside")
    objects = DiskObjects(tmp_path / "deep" / "root")
    try:
        objects.write(key, data, "text/plain")
    except (PayloadInvalid, StorageUnavailable):  # the second: a file is where the key has a folder
        pass
    else:
        assert objects.read(key) == data
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and "root" not in path.parts]
    assert outside == [tmp_path / "a"]
    assert (tmp_path / "a").read_bytes() == b"outside"


def test_a_symbolic_link_does_not_leave_the_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(FileMissing):
        DiskObjects(tmp_path / "root").read("link")


def test_a_failed_write_keeps_the_old_object(tmp_path: Path) -> None:
    objects = DiskObjects(tmp_path)
    objects.write("a/b", b"old", "text/plain")

    with pytest.raises(StorageUnavailable):
        objects.write("a/b/c", b"a file is where the folder should be", "text/plain")
    with pytest.raises(StorageUnavailable):
        objects.write("a", b"a folder is where the file should be", "text/plain")

    assert objects.read("a/b") == b"old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b"]


def test_the_bucket_keeps_the_media_type(s3: Any) -> None:
    S3Objects(BUCKET, s3).write("a.webp", b"pixels", "image/webp")

    assert s3.head_object(Bucket=BUCKET, Key="a.webp")["ContentType"] == "image/webp"


def fail_with(client: Any, status: int, code: str) -> None:
    """Make S3 return this error for every call."""
    always_answer(client, status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (429, "TooManyRequests")])
def test_throttling_and_internal_errors_are_transient(status: int, code: str) -> None:
    client = boto3.client("s3", region_name="us-east-1", config=NO_RETRIES)
    fail_with(client, status, code)
    objects = S3Objects(BUCKET, client)

    with pytest.raises(StorageUnavailable, match=code):
        objects.read("a")
    with pytest.raises(StorageUnavailable):
        objects.write("a", b"", "text/plain")


def test_a_store_that_is_not_reached_is_transient() -> None:
    client = boto3.client("s3", region_name="us-east-1", config=NO_RETRIES, endpoint_url="http://127.0.0.1:1")

    with pytest.raises(StorageUnavailable) as caught:
        S3Objects(BUCKET, client).read("a")

    assert isinstance(caught.value.__cause__, EndpointConnectionError)


def test_a_missing_right_or_bucket_is_raised_unchanged(s3: Any) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    fail_with(client, 403, "AccessDenied")

    with pytest.raises(ClientError, match="AccessDenied"):
        S3Objects(BUCKET, client).read("a")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        S3Objects("no-such-bucket", s3).read("a")


def test_the_environment_selects_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    monkeypatch.setenv("AWS_STORAGE_BUCKET_NAME", BUCKET)
    assert isinstance(object_store(), S3Objects)

    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME")
    object_store().write("media/a.txt", b"text", "text/plain")
    assert (tmp_path / "media" / "a.txt").read_bytes() == b"text"


def test_a_media_root_of_another_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME", raising=False)
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "uploads"))

    with pytest.raises(SettingError, match="DJANGO_MEDIA_ROOT"):
        object_store()
