"""The step that fails twice for the demo, and then does its real work."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local.flaky import lambda_handler
from lambdas.inspect_file.facts import inspect_file
from lambdas.shared.limits import Limits
from lambdas.shared.objects import DiskObjects
from tests.lambdas.pictures import corners, encoded
from workflows.errors import StorageUnavailable


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
        with pytest.raises(StorageUnavailable, match=f"on purpose, try {number}"):
            lambda_handler(event, None)

    assert len(lambda_handler(event, None)["thumbnails"]) == 4


def test_any_other_file_works_at_once(event: dict[str, Any]) -> None:
    event["file"]["name"] = "door.jpg"

    assert len(lambda_handler(event, None)["thumbnails"]) == 4
