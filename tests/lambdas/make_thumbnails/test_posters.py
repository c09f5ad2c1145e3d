"""The poster of a video is its most detailed frame found in time."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.make_thumbnails import recordings
from lambdas.make_thumbnails.recordings import draw_video
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, PREVIEW_SIZE, ThumbnailSize
from lambdas.shared.decoding.job import Limits
from tests.lambdas.films import as_file, write_film

SIZE = WIDTH, HEIGHT = 160, 96
SIZES = [ThumbnailSize("small", 160, JPEG), PREVIEW_SIZE]
ROW = bytes(0 if x // 3 // 8 % 2 else 255 for x in range(WIDTH * 3))
STRIPES = ROW * HEIGHT


def plain(grey: int) -> Callable[[int], bytes]:
    return lambda _number: bytes([grey]) * (WIDTH * HEIGHT * 3)


def fade_in(number: int) -> bytes:
    return bytes(value * min(number, 20) // 20 for value in ROW) * HEIGHT


def fade_out(number: int) -> bytes:
    return fade_in(40 - number)


def fade_to_white(number: int) -> bytes:
    return bytes(255 - (255 - value) * max(0, 20 - number) // 20 for value in ROW) * HEIGHT


def stripes_at_the_end(number: int) -> bytes:
    return STRIPES if number >= 30 else plain(0)(number)


def drawn(tmp_path: Path, picture: Callable[[int], bytes], key_frame_every: int = 5) -> tuple[pyvips.Image, int]:
    """Return the poster and the number of frames of the preview."""
    path = write_film(
        tmp_path / "film", "mp4", "libx264", seconds=4, size=SIZE, picture=picture, key_frame_every=key_frame_every
    )
    poster, preview = draw_video(as_file(path, "video/mp4"), SIZES, Limits())
    return pyvips.Image.new_from_buffer(poster.data, ""), pages_of(preview.data)


def pages_of(webp: bytes) -> int:
    picture = pyvips.Image.new_from_buffer(webp, "", n=-1)
    return int(
        picture.height / (picture.get("page-height") if "page-height" in picture.get_fields() else picture.height)
    )


@pytest.mark.parametrize("grey", [0, 255], ids=["black", "white"])
def test_a_blank_video_has_a_blank_poster(tmp_path: Path, grey: int) -> None:
    poster, _ = drawn(tmp_path, plain(grey))

    assert abs(poster.avg() - grey) < 3


@pytest.mark.parametrize("key_frame_every", [5, 1000])
@pytest.mark.parametrize("picture", [fade_in, fade_out, fade_to_white, stripes_at_the_end])
def test_a_poster_is_not_blank_if_one_frame_is_not(
    tmp_path: Path, picture: Callable[[int], bytes], key_frame_every: int
) -> None:
    poster, frames = drawn(tmp_path, picture, key_frame_every)

    assert 80 < poster.avg() < 176
    assert poster.deviate() > 90
    assert frames >= 2  # WebP merges equal frames


def test_a_late_key_frame_is_used_if_decoding_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_MAX_DECODED_PIXELS", WIDTH * HEIGHT * 8)

    poster, frames = drawn(tmp_path, stripes_at_the_end, key_frame_every=35)

    assert poster.deviate() > 90
    assert frames >= 2  # WebP merges equal frames


def test_frames_found_in_time_are_drawn(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film", "mp4", "libx264", seconds=4, size=SIZE, picture=lambda _number: STRIPES)

    poster, preview = draw_video(as_file(path, "video/mp4"), SIZES, Limits(decoder_seconds=0))

    assert pyvips.Image.new_from_buffer(poster.data, "").deviate() > 90
    assert pages_of(preview.data) == 1
