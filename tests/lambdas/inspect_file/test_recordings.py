"""Metadata of a video is read from the container or from a track."""

import struct
from pathlib import Path
from typing import Any

import pytest

from lambdas.inspect_file.recordings import inspect_recording
from lambdas.shared.decoding.job import Limits
from tests.lambdas.films import as_file, box, with_boxes, write_film

PLACE, MADRID = "+40.4168-003.7038+650.1/", (40.4168, -3.7038)
APPLE = {
    "com.apple.quicktime.location.ISO6709": PLACE,
    "com.apple.quicktime.creationdate": "2026-03-01T10:20:30+0100",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15",
}


def international(name: bytes, text: str) -> bytes:
    """Return a text of "udta", in English."""
    return box(name, struct.pack(">HH", len(text.encode()), 0x15C7), text.encode())


def place_of(text: str) -> bytes:
    return box(b"udta", international(b"\xa9xyz", text), international(b"\xa9mak", "Samsung"))


def keyed(tags: dict[str, str], *, is_full: bool = False) -> bytes:
    """Return QuickTime's "meta" box: names in "keys", values by number in "ilst"."""
    names = [box(b"mdta", name.encode()) for name in tags]
    values = [box(b"data", struct.pack(">II", 1, 0), value.encode()) for value in tags.values()]
    return box(
        b"meta",
        bytes(4) if is_full else b"",
        box(b"hdlr", bytes(8), b"mdta", bytes(13)),
        box(b"keys", struct.pack(">II", 0, len(names)), *names),
        box(b"ilst", *(box(struct.pack(">I", number), value) for number, value in enumerate(values, start=1))),
    )


def facts_of(tmp_path: Path, boxes: bytes, *, in_track: bool = False) -> dict[str, Any]:
    path = write_film(tmp_path / "film", "mov", "mpeg4", seconds=1)
    path.write_bytes(with_boxes(path.read_bytes(), boxes, in_track=in_track))
    return inspect_recording(as_file(path, "video/quicktime"), Limits())


@pytest.mark.parametrize("in_track", [False, True], ids=["film", "track"])
def test_the_position_of_an_android_is_read(tmp_path: Path, in_track: bool) -> None:
    facts = facts_of(tmp_path, place_of(PLACE), in_track=in_track)

    assert (facts["latitude"], facts["longitude"]) == MADRID
    assert facts["camera"] == "Samsung"


@pytest.mark.parametrize(
    "boxes", [keyed(APPLE), box(b"udta", keyed(APPLE, is_full=True))], ids=["QuickTime's", "MP4's"]
)
def test_the_metadata_of_an_iphone_is_read(tmp_path: Path, boxes: bytes) -> None:
    facts = facts_of(tmp_path, boxes)

    assert (facts["latitude"], facts["longitude"]) == MADRID
    assert facts["camera"] == "Apple iPhone 15"
    assert facts["captured_at"] == "2026-03-01T10:20:30+01:00"


def test_metadata_of_the_container_precedes_that_of_a_track(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film", "mov", "mpeg4", seconds=1)
    film = with_boxes(path.read_bytes(), place_of("+10.0000+010.0000/"), in_track=True)
    moov = film.index(b"moov") - 4
    path.write_bytes(film[:moov] + box(b"moov", film[moov + 8 :], place_of(PLACE)))

    facts = inspect_recording(as_file(path, "video/quicktime"), Limits())

    assert (facts["latitude"], facts["longitude"]) == MADRID


@pytest.mark.parametrize("text", ["", "here", "+91.0000+010.0000/", "+10.0000+181.0000/", "+10.0000", "40.4,-3.7"])
def test_an_invalid_position_is_ignored(tmp_path: Path, text: str) -> None:
    facts = facts_of(tmp_path, place_of(text))

    assert "latitude" not in facts
    assert facts["width"] == 176
