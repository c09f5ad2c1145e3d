"""The thumbnails of a file: which there are, where they lie, and that a second attempt does no harm."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from lambdas.inspect_file.facts import inspect_file
from lambdas.make_thumbnails.__main__ import main
from lambdas.make_thumbnails.forms import EMAIL, Form, read_forms
from lambdas.make_thumbnails.handler import lambda_handler
from lambdas.make_thumbnails.thumbnails import make_thumbnails
from lambdas.shared.limits import Limits
from lambdas.shared.objects import DiskObjects
from lambdas.shared.settings import SettingError
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.contracts.guard_report import FileFacts, StoredFile, Thumbnail, ThumbnailSet
from workflows.errors import FileMissing

FORMS = [Form("small", 160), Form("medium", 480), Form("large", 1280), EMAIL]
FILE = StoredFile(file_id=1, key="media/door.jpg", name="door.jpg")


class WatchedObjects(DiskObjects):
    """A folder that remembers which keys were read and written."""

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


def thumbnails_of(objects: DiskObjects, facts: FileFacts, forms: list[Form] = FORMS) -> list[Thumbnail]:
    return make_thumbnails(FILE, facts, objects, forms, Limits())


def test_there_are_three_sizes_and_one_for_mails(objects: WatchedObjects) -> None:
    data = encoded(corners(2000, 1500), "JPEG")
    digest = hashlib.sha256(data).hexdigest()

    thumbnails = thumbnails_of(objects, stored(objects, data))

    assert [(thumbnail.size, thumbnail.key, thumbnail.width, thumbnail.height) for thumbnail in thumbnails] == [
        ("small", f"thumbnails/{digest}/small.webp", 160, 120),
        ("medium", f"thumbnails/{digest}/medium.webp", 480, 360),
        ("large", f"thumbnails/{digest}/large.webp", 1280, 960),
        ("email", f"thumbnails/{digest}/email.jpg", 480, 360),
    ]


@pytest.mark.parametrize("data", [encoded(corners(700, 500), "PNG"), pdf(), pdf(1, 900)])
def test_what_is_told_of_a_thumbnail_is_so(objects: WatchedObjects, data: bytes) -> None:
    for thumbnail in thumbnails_of(objects, stored(objects, data)):
        written = objects.read(thumbnail.key)
        with Image.open(io.BytesIO(written)) as image:
            assert (image.width, image.height, image.get_format_mimetype()) == (
                thumbnail.width,
                thumbnail.height,
                thumbnail.media_type,
            )
        assert len(written) == thumbnail.size_bytes


def test_nothing_is_scaled_up(objects: WatchedObjects) -> None:
    thumbnails = thumbnails_of(objects, stored(objects, encoded(corners(200, 100), "PNG")))

    assert [(thumbnail.width, thumbnail.height) for thumbnail in thumbnails] == [(160, 80)] + 3 * [(200, 100)]


@pytest.mark.parametrize("data", [encoded(corners(700, 500), "JPEG"), pdf(300, 200), encoded(corners(9, 700), "PNG")])
def test_a_second_attempt_answers_the_same_and_reads_no_file_again(objects: WatchedObjects, data: bytes) -> None:
    facts = stored(objects, data)
    first = thumbnails_of(objects, facts)
    objects.was_read.clear()
    objects.was_written.clear()

    second = thumbnails_of(objects, facts)

    assert second == first
    assert FILE.key not in objects.was_read
    assert objects.was_written == []


def test_a_first_attempt_looks_for_thumbnails_once(objects: WatchedObjects) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))

    thumbnails_of(objects, facts)

    assert objects.was_read == [EMAIL.key_of(facts.sha256), FILE.key]


@pytest.mark.parametrize("lost", [form.name for form in FORMS])
def test_an_attempt_that_died_half_way_is_done_again_with_the_same_bytes(
    objects: WatchedObjects, tmp_path: Path, lost: str
) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    first = thumbnails_of(objects, facts)
    before = {thumbnail.key: objects.read(thumbnail.key) for thumbnail in first}
    (path,) = (tmp_path / thumbnail.key for thumbnail in first if thumbnail.size == lost)
    path.write_bytes(b"not a picture") if lost == "small" else path.unlink()

    assert thumbnails_of(objects, facts) == first
    assert {thumbnail.key: objects.read(thumbnail.key) for thumbnail in first} == before


def test_other_sizes_are_made_anew(objects: WatchedObjects) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    thumbnails_of(objects, facts)

    small, _ = thumbnails_of(objects, facts, [Form("small", 100), EMAIL])

    assert (small.width, small.height) == (100, 71)


def test_a_file_that_changed_since_its_inspection_gets_no_thumbnails(objects: WatchedObjects) -> None:
    facts = stored(objects, encoded(corners(700, 500), "JPEG"))
    objects.write(FILE.key, encoded(corners(700, 501), "JPEG"), "image/jpeg")

    with pytest.raises(FileMissing, match="other content"):
        thumbnails_of(objects, facts)
    assert objects.was_written == [FILE.key, FILE.key]


def test_a_file_of_another_kind_has_no_thumbnails(objects: WatchedObjects) -> None:
    assert thumbnails_of(objects, stored(objects, b"text")) == []


def test_the_sizes_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THUMBNAIL_SIZES", raising=False)
    assert read_forms() == FORMS

    monkeypatch.setenv("THUMBNAIL_SIZES", "huge=2000, tiny = 32")
    assert read_forms() == [Form("tiny", 32), Form("huge", 2000), EMAIL]


@pytest.mark.parametrize("text", ["small", "small=0", "small=1,small=2", "a/b=3", "email=10", "small=160,", "x=99999"])
def test_sizes_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("THUMBNAIL_SIZES", text)

    with pytest.raises(SettingError, match="THUMBNAIL_SIZES"):
        read_forms()


def test_the_step_answers_with_the_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_STORAGE_BUCKET_NAME", raising=False)
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    facts = stored(DiskObjects(tmp_path), encoded(corners(700, 500), "JPEG"))
    event = {"task_id": "t-1", "file": FILE.model_dump(mode="json"), "facts": facts.model_dump(mode="json")}

    answer = lambda_handler(event, None)

    sizes = [thumbnail.size for thumbnail in ThumbnailSet.model_validate(answer).thumbnails]
    assert sizes == ["small", "medium", "large", "email"]


def test_by_hand_the_pictures_lie_in_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "door.png").write_bytes(encoded(corners(700, 500), "PNG"))
    (tmp_path / "log.pdf").write_bytes(pdf())
    (tmp_path / "note.txt").write_bytes(b"text")
    files = [str(tmp_path / name) for name in ("door.png", "log.pdf", "note.txt")]

    assert main([*files, "--out", str(tmp_path / "out")]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] for line in lines] == ["accepted", "accepted", "rejected"]
    with Image.open(lines[0]["thumbnails"]["medium"]["path"]) as image:
        assert image.size == (480, 343)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{size}"
        for name in ("door.png", "log.pdf")
        for size in ("email.jpg", "large.webp", "medium.webp", "small.webp")
    ]
