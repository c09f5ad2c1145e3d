"""The thumbnails of a file: sizes, keys, retries, and the command line."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deploy import ROOT
from lambdas.inspect_file.facts import inspect_file
from lambdas.make_thumbnails import __main__ as command
from lambdas.make_thumbnails.__main__ import main
from lambdas.make_thumbnails.handler import lambda_handler
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, PREVIEW_SIZE, WEBP, ThumbnailSize, read_thumbnail_sizes
from lambdas.make_thumbnails.thumbnails import make_thumbnails
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Decoded, Limits
from lambdas.shared.runtime.settings import SettingError
from lambdas.shared.storage.objects import DiskObjects
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.contracts.guard_report import NO_PICTURE, FileFacts, FileKind, StoredFile, Thumbnail, ThumbnailSet
from workflows.errors import DecoderCrashed, FileMissing

SIZES = [
    ThumbnailSize(name, edge, media_type)
    for name, edge in (("small", 160), ("medium", 480), ("large", 1280))
    for media_type in (WEBP, JPEG)
]
FILE = StoredFile(file_id=1, key="media/door.jpg", name="door.jpg")


class WatchedObjects(DiskObjects):
    """A folder that records reads and writes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.was_read: list[str] = []
        self.was_written: list[str] = []

    def chunks(self, key: str) -> Iterator[bytes]:
        self.was_read.append(key)
        return super().chunks(key)

    def write(self, key: str, data: bytes, media_type: str) -> None:
        self.was_written.append(key)
        super().write(key, data, media_type)


@pytest.fixture
def objects(tmp_path: Path) -> WatchedObjects:
    return WatchedObjects(tmp_path)


def stored(objects: DiskObjects, data: bytes) -> FileFacts:
    objects.write(FILE.key, data, "application/octet-stream")
    return inspect_file(FILE.key, [data], Limits())


def thumbnails_of(objects: DiskObjects, facts: FileFacts, sizes: list[ThumbnailSize] = SIZES) -> list[Thumbnail]:
    return make_thumbnails(FILE, facts, objects, sizes, Limits()).thumbnails


def test_each_of_three_sizes_is_webp_and_jpeg(objects: WatchedObjects) -> None:
    data = encoded(corners(2000, 1500), "JPEG")
    digest = hashlib.sha256(data).hexdigest()

    thumbnails = thumbnails_of(objects, stored(objects, data))

    assert [(thumbnail.size, thumbnail.key, thumbnail.width, thumbnail.height) for thumbnail in thumbnails] == [
        (name, f"thumbnails/{digest}/{name}.{ending}", width, height)
        for name, width, height in (("small", 160, 120), ("medium", 480, 360), ("large", 1280, 960))
        for ending in ("webp", "jpg")
    ]


@pytest.mark.parametrize("data", [encoded(corners(700, 500), "PNG"), pdf(), pdf(1, 900)])
def test_the_facts_of_a_thumbnail_are_correct(objects: WatchedObjects, data: bytes) -> None:
    for thumbnail in thumbnails_of(objects, stored(objects, data)):
        written = objects.read(thumbnail.key)
        with Image.open(io.BytesIO(written)) as image:
            assert (image.width, image.height, image.get_format_mimetype()) == (
                thumbnail.width,
                thumbnail.height,
                thumbnail.media_type,
            )
        assert len(written) == thumbnail.size_bytes


def test_no_picture_is_enlarged(objects: WatchedObjects) -> None:
    thumbnails = thumbnails_of(objects, stored(objects, encoded(corners(200, 100), "PNG")))

    assert [(thumbnail.width, thumbnail.height) for thumbnail in thumbnails] == 2 * [(160, 80)] + 4 * [(200, 100)]


@pytest.mark.parametrize("data", [encoded(corners(700, 500), "JPEG"), pdf(300, 200), encoded(corners(9, 700), "PNG")])
def test_a_retry_returns_the_same_without_reading_the_file(objects: WatchedObjects, data: bytes) -> None:
    facts = stored(objects, data)
    first = thumbnails_of(objects, facts)
    objects.was_read.clear()
    objects.was_written.clear()

    second = thumbnails_of(objects, facts)

    assert second == first
    assert FILE.key not in objects.was_read
    assert objects.was_written == []


def test_a_first_attempt_reads_one_thumbnail(objects: WatchedObjects) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))

    thumbnails_of(objects, facts)

    assert objects.was_read == [SIZES[-1].key_of(facts.sha256), FILE.key]


@pytest.mark.parametrize("lost", SIZES, ids=lambda size: f"{size.name}-{size.media_type}")
def test_an_interrupted_attempt_is_repeated_with_the_same_bytes(
    objects: WatchedObjects, tmp_path: Path, lost: ThumbnailSize
) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    first = thumbnails_of(objects, facts)
    before = {thumbnail.key: objects.read(thumbnail.key) for thumbnail in first}
    path = tmp_path / lost.key_of(facts.sha256)
    path.write_bytes(b"not a picture") if lost.name == "small" else path.unlink()

    assert thumbnails_of(objects, facts) == first
    assert {thumbnail.key: objects.read(thumbnail.key) for thumbnail in first} == before


def test_thumbnails_of_other_sizes_are_replaced(objects: WatchedObjects) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    thumbnails_of(objects, facts)

    small, _ = thumbnails_of(objects, facts, [ThumbnailSize("small", 100), SIZES[-1]])

    assert (small.width, small.height) == (100, 71)


def test_a_file_changed_after_inspection_has_no_thumbnails(objects: WatchedObjects) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    objects.write(FILE.key, encoded(corners(700, 501), "JPEG"), "image/jpeg")

    with pytest.raises(FileMissing, match="changed after it was inspected"):
        thumbnails_of(objects, facts)
    assert objects.was_written == [FILE.key, FILE.key]


def test_a_file_of_another_kind_is_not_read(objects: WatchedObjects) -> None:
    facts = stored(objects, b"text")
    objects.was_read.clear()

    assert make_thumbnails(FILE, facts, objects, SIZES, Limits()) == ThumbnailSet(thumbnails=[], reason=NO_PICTURE)
    assert objects.was_read == []


WEBP_DATA, JPEG_DATA = encoded(corners(30, 20), "WEBP"), encoded(corners(30, 20), "JPEG")


@pytest.mark.parametrize(
    ("drawn", "files"),
    [
        (None, []),
        ("small", [WEBP_DATA]),
        ([], [WEBP_DATA]),
        ([["small", WEBP, 30, 20]], []),
        ([["small", WEBP, 30]], [WEBP_DATA]),
        ([["small", WEBP, 31, 20]], [WEBP_DATA]),
        ([["small", WEBP, 30, 20]], [JPEG_DATA]),
        ([["small", WEBP, 30, 20]], [b"<script>"]),
        ([["huge", WEBP, 30, 20]], [WEBP_DATA]),
        ([["small", "text/html", 30, 20]], [WEBP_DATA]),
        ([["small", WEBP, 30, 20], ["small", WEBP, 30, 20]], [WEBP_DATA, WEBP_DATA]),
        ([["small", WEBP, 1000, 20]], [encoded(corners(1000, 20), "WEBP")]),
        ([[["small"], WEBP, 30, 20]], [WEBP_DATA]),
    ],
)
def test_wrong_pictures_of_a_decoder_are_not_stored(
    objects: WatchedObjects, monkeypatch: pytest.MonkeyPatch, drawn: object, files: list[bytes]
) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    monkeypatch.setattr(Decoder, "run", lambda *_: Decoded({"drawn": drawn}, files))

    with pytest.raises(DecoderCrashed):
        thumbnails_of(objects, facts, SIZES[:1])
    assert objects.was_written == [FILE.key]


ALL_DRAWN = [[size.name, size.media_type, 30, 20] for size in SIZES]
ALL_FILES = [WEBP_DATA if size.media_type == WEBP else JPEG_DATA for size in SIZES]


def test_all_requested_pictures_are_stored(objects: WatchedObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    monkeypatch.setattr(Decoder, "run", lambda *_: Decoded({"drawn": ALL_DRAWN}, ALL_FILES))

    assert [(one.size, one.media_type, one.width, one.height) for one in thumbnails_of(objects, facts)] == [
        tuple(drawn) for drawn in ALL_DRAWN
    ]


@pytest.mark.parametrize("count", range(len(SIZES)))
def test_an_incomplete_set_is_refused(objects: WatchedObjects, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    monkeypatch.setattr(Decoder, "run", lambda *_: Decoded({"drawn": ALL_DRAWN[:count]}, ALL_FILES[:count]))

    with pytest.raises(DecoderCrashed):
        thumbnails_of(objects, facts)
    assert objects.was_written == [FILE.key]


def test_a_video_also_has_a_preview(objects: WatchedObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG")).model_copy(update={"kind": FileKind.VIDEO})
    requested: list[str] = []

    def run(_decoder: Decoder, *given: Any) -> Decoded:
        requested.extend([given[-1]["kind"], *(size["name"] for size in given[-1]["sizes"])])
        return Decoded({"drawn": [*ALL_DRAWN, [PREVIEW_SIZE.name, WEBP, 30, 20]]}, [*ALL_FILES, WEBP_DATA])

    monkeypatch.setattr(Decoder, "run", run)

    preview = thumbnails_of(objects, facts)[-1]

    assert requested == ["video", *(size.name for size in SIZES), "preview"]
    assert preview.key == f"thumbnails/{facts.sha256}/preview.webp"


def test_the_function_itself_imports_no_decoder() -> None:
    code = (
        "import lambdas.make_thumbnails.handler, lambdas.inspect_file.handler, sys;"
        "print(sorted({'PIL', 'av', 'pi_heif', 'pypdfium2', 'pyvips'} & sys.modules.keys()))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_FUNCTION_NAME"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)

    assert done.stdout.strip() == b"[]"


def test_sizes_come_from_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THUMBNAIL_SIZES", raising=False)
    assert read_thumbnail_sizes() == SIZES

    monkeypatch.setenv("THUMBNAIL_SIZES", "huge=2000, tiny = 32")
    assert read_thumbnail_sizes() == [
        ThumbnailSize(name, edge, media_type)
        for name, edge in (("tiny", 32), ("huge", 2000))
        for media_type in (WEBP, JPEG)
    ]


@pytest.mark.parametrize(
    "text", ["small", "small=0", "small=1,small=2", "a/b=3", "preview=10", "small=160,", "x=99999"]
)
def test_invalid_sizes_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("THUMBNAIL_SIZES", text)

    with pytest.raises(SettingError, match="THUMBNAIL_SIZES"):
        read_thumbnail_sizes()


def test_the_step_returns_all_thumbnails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME", raising=False)
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    facts = stored(DiskObjects(tmp_path), encoded(corners(700, 500), "JPEG"))
    event = {"task_id": "t-1", "file": FILE.model_dump(mode="json"), "facts": facts.model_dump(mode="json")}

    answer = lambda_handler(event, None)

    sizes = [thumbnail.size for thumbnail in ThumbnailSet.model_validate(answer).thumbnails]
    assert sizes == [size.name for size in SIZES]


def test_the_command_writes_thumbnails_into_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "door.png").write_bytes(encoded(corners(700, 500), "PNG"))
    (tmp_path / "other" / "door.png").write_bytes(encoded(corners(300, 200), "PNG"))
    (tmp_path / "log.pdf").write_bytes(pdf())
    (tmp_path / "note.txt").write_bytes(b"text")
    (tmp_path / "broken.png").write_bytes(encoded(corners(700, 500), "PNG")[:200])
    files = [str(tmp_path / name) for name in ("door.png", "log.pdf", "note.txt", "broken.png", "other/door.png")]

    assert main([*files, "--out", str(tmp_path / "out")]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == files
    assert [line["verdict"] for line in lines] == ["accepted"] * 3 + ["rejected", "accepted"]
    assert [line["reason"] is None for line in lines] == [True, True, False, False, True]
    assert all(line["seconds"] > 0 < line["peak_mb"] for line in lines)
    with Image.open(lines[0]["thumbnails"]["medium image/webp"]["path"]) as image:
        assert image.size == (480, 343)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{name}.{size.name}.{'jpg' if size.is_jpeg else 'webp'}"
        for name in ("door.png", "door.png-2", "log.pdf")
        for size in SIZES
    )


def test_the_command_draws_in_the_time_left_by_inspection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "door.png").write_bytes(encoded(corners(700, 500), "PNG"))
    monkeypatch.setenv("DECODER_TIMEOUT_SECONDS", "20")
    clock, run, given = [100.0], Decoder.run, []

    def slow_run(*arguments: Any) -> Decoded:
        given.append(arguments[4].decoder_seconds)
        clock[0] += 12.5
        return run(*arguments)

    monkeypatch.setattr(Decoder, "run", slow_run)
    monkeypatch.setattr(command, "perf_counter", lambda: clock[0])

    assert command.main([str(tmp_path / "door.png"), "--out", str(tmp_path / "out")]) == 0
    assert given == [20, 7]


def test_the_command_refuses_a_folder_that_cannot_be_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")

    with pytest.raises(SystemExit) as exited:
        main([str(tmp_path / "out"), "--out", str(tmp_path / "out")])

    assert exited.value.code == 2
    assert "cannot be created: File exists. Name another folder." in capsys.readouterr().err
