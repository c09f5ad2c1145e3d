"""The step from event to answer, and the command by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from lambdas.inspect_file.__main__ import main
from lambdas.inspect_file.handler import lambda_handler
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.contracts.guard_report import FileFacts
from workflows.errors import FileMissing


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME", raising=False)
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    (tmp_path / "media").mkdir()
    return tmp_path


def event(key: str) -> dict[str, Any]:
    return {"task_id": "t-1", "file": {"file_id": 1, "key": key, "name": "front-door.jpg"}}


def test_the_answer_is_the_files_facts(root: Path) -> None:
    (root / "media" / "front-door.jpg").write_bytes(encoded(corners(), "PNG"))

    answer = lambda_handler(event("media/front-door.jpg"), None)

    assert FileFacts.model_validate(answer).media_type == "image/png"
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.usefixtures("root")
def test_a_file_that_is_gone_is_missing() -> None:
    with pytest.raises(FileMissing):
        lambda_handler(event("media/gone.jpg"), None)


def test_by_hand_each_file_has_one_line_and_none_stops_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "good.jpg": encoded(corners(60, 40), "JPEG"),
        "broken.jpg": encoded(corners(600, 400), "JPEG")[:900],
        "log.pdf": pdf(pages=2),
        "empty.jpg": b"",
        "line\nbreak.txt": b"text",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    arguments = [str(tmp_path / name) for name in files] + [str(tmp_path), str(tmp_path / "none")]

    assert main(arguments) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == arguments
    assert [line["verdict"] for line in lines] == ["accepted", "rejected", "accepted", "rejected", "accepted"] + [
        "rejected"
    ] * 2
    assert (lines[0]["width"], lines[2]["pages"], lines[1]["error"]) == (60, 2, "UnreadableImage")
    assert (lines[3]["error"], lines[5]["error"], lines[6]["error"]) == ("FileEmpty", "FileMissing", "FileMissing")
    assert all(line["seconds"] >= 0 for line in lines)
