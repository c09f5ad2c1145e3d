"""Facts and thumbnails of a video respect rotation, reflection and pixel aspect ratio."""

from pathlib import Path

import pytest
import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.inspect_file.recordings import inspect_recording
from lambdas.make_thumbnails.recordings import draw_video
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, PREVIEW_SIZE, ThumbnailSize
from lambdas.shared.decoding.job import Limits
from tests.lambdas.films import as_file, with_matrix, write_film

WIDTH, HEIGHT = 192, 96
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
# Clockwise from the upper left corner, as stored.
AS_STORED = ["red", "green", "blue", "white"]


def corners(_number: int) -> bytes:
    red, green, blue, white = (bytes(COLOURS[name]) * (WIDTH // 2) for name in AS_STORED)
    return (red + green) * (HEIGHT // 2) + (white + blue) * (HEIGHT // 2)


def colours_of(picture: pyvips.Image, width: int, height: int) -> list[str]:
    places = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
    return [_nearest(picture.getpoint(int(width * x), int(height * y))) for x, y in places]


def _nearest(pixel: list[float]) -> str:
    return min(
        COLOURS, key=lambda name: sum(abs(one - other) for one, other in zip(COLOURS[name], pixel, strict=False))
    )


@pytest.mark.parametrize(
    ("matrix", "as_displayed"),
    [
        ((1, 0, 0, 1), ["red", "green", "blue", "white"]),
        ((0, 1, -1, 0), ["white", "red", "green", "blue"]),
        ((-1, 0, 0, -1), ["blue", "white", "red", "green"]),
        ((0, -1, 1, 0), ["green", "blue", "white", "red"]),
        ((-1, 0, 0, 1), ["green", "red", "white", "blue"]),
        ((1, 0, 0, -1), ["white", "blue", "green", "red"]),
        ((0, 1, 1, 0), ["red", "white", "blue", "green"]),
        ((0, -1, -1, 0), ["blue", "green", "red", "white"]),
    ],
    ids=["0", "90", "180", "270", "mirrored", "upside down", "90 mirrored", "270 mirrored"],
)
def test_a_video_is_upright_however_the_phone_was_held(
    tmp_path: Path, matrix: tuple[int, int, int, int], as_displayed: list[str]
) -> None:
    path = write_film(tmp_path / "film", "mp4", "libx264", size=(WIDTH, HEIGHT), picture=corners)
    path.write_bytes(with_matrix(path.read_bytes(), matrix))
    size = (WIDTH, HEIGHT) if matrix[0] else (HEIGHT, WIDTH)

    facts = inspect_recording(as_file(path, "video/mp4"), Limits())
    poster, preview = draw_video(
        as_file(path, "video/mp4"), [ThumbnailSize("large", 1280, JPEG), PREVIEW_SIZE], Limits()
    )

    assert (facts["width"], facts["height"]) == size
    for drawn in (poster, preview):
        assert (drawn.width, drawn.height) == size
        assert colours_of(pyvips.Image.new_from_buffer(drawn.data, ""), *size) == as_displayed


@pytest.mark.parametrize(
    ("ratio", "width"), [("2/1", 384), ("1/2", 96), ("100/1", WIDTH)], ids=["wide", "narrow", "nonsense"]
)
@pytest.mark.parametrize(
    ("container", "media_type"),
    [("mp4", "video/mp4"), ("matroska", "video/x-matroska"), ("avi", "video/x-msvideo")],
)
def test_pixels_that_are_not_square_are_drawn_in_their_shape(
    tmp_path: Path, container: str, media_type: str, ratio: str, width: int
) -> None:
    options = {"x264-params": f"sar={ratio}"}
    path = write_film(
        tmp_path / "film", container, "libx264", size=(WIDTH, HEIGHT), seconds=1, picture=corners, options=options
    )

    facts = inspect_recording(as_file(path, media_type), Limits())
    poster, preview = draw_video(
        as_file(path, media_type), [ThumbnailSize("large", 1280, JPEG), PREVIEW_SIZE], Limits()
    )

    assert (facts["width"], facts["height"]) == (width, HEIGHT)
    assert (poster.width, poster.height) == (width, HEIGHT)
    assert preview.width / preview.height == pytest.approx(width / HEIGHT, rel=0.05)


def test_pixels_that_are_not_square_are_widened_before_rotation(tmp_path: Path) -> None:
    options = {"x264-params": "sar=2/1"}
    path = write_film(tmp_path / "film", "mp4", "libx264", size=(WIDTH, HEIGHT), picture=corners, options=options)
    path.write_bytes(with_matrix(path.read_bytes(), (0, 1, -1, 0)))

    facts = inspect_recording(as_file(path, "video/mp4"), Limits())
    poster = draw_video(as_file(path, "video/mp4"), [ThumbnailSize("large", 1280, JPEG)], Limits())[0]

    assert (facts["width"], facts["height"]) == (poster.width, poster.height) == (HEIGHT, WIDTH * 2)
