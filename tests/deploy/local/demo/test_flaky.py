"""The step that fails on purpose, and then does its real work."""

import threading
from pathlib import Path
from typing import Any

import pytest

from deploy.local.demo import flaky
from deploy.local.demo.flaky import FAIL, WAITS_MARK, lambda_handler, word_key
from lambdas.inspect_file.facts import inspect_file
from lambdas.shared.decoding.job import Limits
from lambdas.shared.storage.objects import DiskObjects
from tests.lambdas.pictures import corners, encoded
from workflows.errors import FileMissing, PayloadInvalid, StorageUnavailable


@pytest.fixture
def event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME", raising=False)
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    data = encoded(corners(), "JPEG")
    DiskObjects(tmp_path).write("media/door.jpg", data, "image/jpeg")
    facts = inspect_file("media/door.jpg", [data], Limits())
    file = {"file_id": 7, "key": "media/door.jpg", "name": "door-fails-twice.jpg"}
    return {"task_id": "t-1", "file": file, "facts": facts.model_dump(mode="json")}


def test_a_marked_file_fails_twice_and_then_works(event: dict[str, Any]) -> None:
    for number in (1, 2):
        with pytest.raises(StorageUnavailable, match=f"on purpose, attempt {number}"):
            lambda_handler(event, None)

    assert len(lambda_handler(event, None)["thumbnails"]) == 6


def test_any_other_file_works_at_once(event: dict[str, Any]) -> None:
    event["file"]["name"] = "door.jpg"

    assert len(lambda_handler(event, None)["thumbnails"]) == 6


def test_a_waiting_file_fails_or_works_depending_on_its_word(event: dict[str, Any], tmp_path: Path) -> None:
    event["file"]["name"] = f"{WAITS_MARK}.jpg"
    key = word_key(event["file"]["name"])
    timer = threading.Timer(0.2, lambda: DiskObjects(tmp_path).write(key, FAIL.encode(), "text/plain"))
    timer.start()

    with pytest.raises(PayloadInvalid, match="on purpose"):
        lambda_handler(event, None)
    DiskObjects(tmp_path).write(key, b"work", "text/plain")

    assert len(lambda_handler(event, None)["thumbnails"]) == 6


def test_a_file_without_its_word_fails_in_the_end(event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    event["file"]["name"] = f"{WAITS_MARK}.jpg"
    monkeypatch.setattr(flaky, "PATIENCE_SECONDS", 0.0)

    with pytest.raises(FileMissing):
        lambda_handler(event, None)
