"""The step from event to answer, and the command line."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from lambdas.inspect_file.__main__ import main
from lambdas.inspect_file.handler import lambda_handler
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Decoded
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.contracts.guard_report import FileFacts
from workflows.errors import DecoderCrashed, FileMissing


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME", raising=False)
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    (tmp_path / "media").mkdir()
    return tmp_path


def event(key: str) -> dict[str, Any]:
    return {"task_id": "t-1", "file": {"file_id": 1, "key": key, "name": "front-door.jpg"}}


def test_the_answer_has_the_facts_of_the_file(root: Path) -> None:
    (root / "media" / "front-door.jpg").write_bytes(encoded(corners(), "PNG"))

    answer = lambda_handler(event("media/front-door.jpg"), None)

    assert FileFacts.model_validate(answer).media_type == "image/png"
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.usefixtures("root")
def test_a_deleted_file_is_missing() -> None:
    with pytest.raises(FileMissing):
        lambda_handler(event("media/gone.jpg"), None)


def test_the_command_prints_one_line_for_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert all(line["seconds"] >= 0 < line["peak_mb"] for line in lines)
    # Facts that need no decoder are known for a rejected file too.
    assert (lines[1]["kind"], len(lines[1]["sha256"])) == ("image", 64)


def test_the_command_prints_a_line_for_odd_names_and_missing_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    odd = tmp_path / os.fsdecode(b"caf\xe9.txt")
    odd.write_bytes(b"text")
    names = [str(tmp_path / "pipe"), str(odd), str(tmp_path / ("x" * 300)), "/dev/zero"]

    assert main(names) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == names
    assert [line.get("error") for line in lines] == ["FileMissing", None, "FileMissing", "FileMissing"]


def test_the_command_refuses_an_invalid_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DECODER_MEMORY_MIB", "much")

    with pytest.raises(SystemExit) as exited:
        main(["file"])

    assert exited.value.code == 2
    assert "DECODER_MEMORY_MIB: is 'much'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer",
    [
        {"width": -1},
        {"sha": "x"},
        {"media_type": "text/html; charset=x"},
        {"media_type": 5},
        {"kind": "paper"},
        {"camera": "x" * 121},
        {"latitude": 91.0},
    ],
)
@pytest.mark.usefixtures("root")
def test_invalid_facts_of_a_decoder_are_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    (root / "media" / "front-door.jpg").write_bytes(encoded(corners(), "PNG"))
    monkeypatch.setattr(Decoder, "run", lambda *_: Decoded(answer))

    with pytest.raises(DecoderCrashed):
        lambda_handler(event("media/front-door.jpg"), None)


def test_digest_and_size_never_come_from_a_decoder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(corners(), "PNG")
    (root / "media" / "front-door.jpg").write_bytes(data)
    monkeypatch.setattr(Decoder, "run", lambda *_: Decoded({"size_bytes": 1, "sha256": "0" * 64, "kind": "audio"}))

    answer = lambda_handler(event("media/front-door.jpg"), None)

    assert (answer["size_bytes"], answer["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert answer["kind"] == "audio"  # only decoding finds out whether there is video
