"""EXIF of a camera: complete, odd and broken."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lambdas.shared.media.images import captured_at, exif_of, facts_of
from workflows.contracts.guard_report import FileFacts, FileKind


def written(gps: dict[int, Any], **photo: str) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Apple", "iPhone 15 Pro"
    exif.get_ifd(0x8825).update(gps)
    exif.get_ifd(0x8769).update({0x9003: "2026:05:01 22:10:00", **{int(tag, 16): text for tag, text in photo.items()}})
    return exif_of(exif.tobytes())


DALLAS = {1: "N", 2: (32.0, 46.0, 36.12), 3: "W", 4: (96.0, 48.0, 32.4)}


def test_time_camera_and_position_are_read() -> None:
    assert facts_of(written(DALLAS, **{"9011": "-05:00"})) == {
        "captured_at": "2026-05-01T22:10:00-05:00",
        "camera": "Apple iPhone 15 Pro",
        "latitude": 32.7767,
        "longitude": -96.809,
    }


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {2: DALLAS[2], 4: DALLAS[4]},
        {**DALLAS, 1: "X"},
        {**DALLAS, 2: (91.0, 0.0, 0.0)},
        {**DALLAS, 4: (180.0, 0.0, 1.0)},
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
    ],
)
def test_an_impossible_position_is_ignored(gps: dict[int, Any]) -> None:
    assert not facts_of(written(gps)).keys() & {"latitude", "longitude"}


def test_a_rational_over_zero_is_no_position() -> None:
    block = written({**DALLAS, 2: (32.0, 46.0, 37.0)}).tobytes()
    over_one, over_zero = ((37).to_bytes(4, "big") + below.to_bytes(4, "big") for below in (1, 0))
    broken = block.replace(over_one, over_zero)

    assert broken != block
    assert "latitude" not in facts_of(exif_of(broken))


@pytest.mark.parametrize(
    "time", ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "2026:13:01 00:00:00", "", None, 7, b"x"]
)
def test_an_impossible_time_is_ignored(time: object) -> None:
    assert captured_at(time, "+02:00") is None


@pytest.mark.parametrize("offset", ["+25:00", "nonsense", "", None, 3])
def test_an_impossible_offset_is_ignored(offset: object) -> None:
    assert captured_at("2026:05:01 22:10:00", offset) == "2026-05-01T22:10:00"


@given(st.data())
def test_broken_exif_never_fails(data: st.DataObject) -> None:
    block = bytearray(written(DALLAS, **{"9011": "-05:00"}).tobytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(block) - 1), st.integers(0, 255)), max_size=8)):
        block[place] = value

    facts = facts_of(exif_of(bytes(block[: data.draw(st.integers(0, len(block)))])))

    FileFacts(kind=FileKind.IMAGE, media_type="image/jpeg", size_bytes=1, sha256="0" * 64, **facts)


def test_exif_is_read_from_every_format(tmp_path: Any) -> None:
    from lambdas.inspect_file.decoder_job import inspect_picture
    from lambdas.shared.decoding.job import Limits, MediaFile

    for name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        out = io.BytesIO()
        Image.new("RGB", (60, 40)).save(out, name, exif=written(DALLAS))
        (tmp_path / name).write_bytes(out.getvalue())
        facts = inspect_picture(MediaFile(str(tmp_path / name), "media/file", f"image/{name.lower()}", 1), Limits())
        assert (name, facts.get("latitude"), facts.get("camera")) == (name, 32.7767, "Apple iPhone 15 Pro")
        assert facts["captured_at"] == "2026-05-01T22:10:00"
