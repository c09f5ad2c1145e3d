"""Dimensions of a thumbnail, from its header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.make_thumbnails.thumbnail_sizes import size_of
from tests.lambdas.pictures import corners, encoded

WHOLE = [
    ("image/webp", encoded(corners(61, 40), "WEBP")),
    ("image/webp", encoded(corners(61, 40), "WEBP", lossless=True)),
    ("image/webp", encoded(corners(61, 40, "RGBA"), "WEBP")),
    ("image/webp", encoded(corners(61, 40), "WEBP", save_all=True, append_images=[corners(61, 40, "L")])),
    ("image/jpeg", encoded(corners(61, 40), "JPEG")),
    ("image/jpeg", encoded(corners(61, 40), "JPEG", progressive=True, comment=b"\xff\xc0 not here" * 100)),
]


@pytest.mark.parametrize(("media_type", "data"), WHOLE)
def test_every_encoding_has_its_size_in_the_header(media_type: str, data: bytes) -> None:
    assert size_of(data, media_type) == (61, 40)


@pytest.mark.parametrize(("media_type", "data"), WHOLE)
def test_another_format_has_no_size(media_type: str, data: bytes) -> None:
    assert size_of(data, "image/webp" if media_type == "image/jpeg" else "image/jpeg") is None
    assert size_of(data, "text/html") is None


@given(st.sampled_from(WHOLE), st.integers(0, 2000), st.binary(max_size=40))
def test_any_bytes_have_a_size_or_none(whole: tuple[str, bytes], length: int, rest: bytes) -> None:
    size = size_of(whole[1][:length] + rest, whole[0])

    assert size is None or min(size) > 0
