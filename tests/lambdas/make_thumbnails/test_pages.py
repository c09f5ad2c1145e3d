"""The first page of a PDF as a picture."""

import io
from pathlib import Path

import pytest
from PIL import Image

from lambdas.make_thumbnails.pictures import draw_page
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, ThumbnailSize
from lambdas.shared.decoding.job import Limits
from tests.lambdas.papers import media_file
from tests.lambdas.pictures import ENCRYPTED_PDF, RED, pdf
from workflows.errors import UnreadablePdf

SIZES = [ThumbnailSize("small", 160), ThumbnailSize("small", 160, JPEG), ThumbnailSize("large", 600)]
WHITE = (255, 255, 255)
FILLED_FIELD = (
    b"/AcroForm << /Fields [9 0 R] >>",
    b"/Annots [9 0 R]",
    b"9 0 obj\n<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (b) /F 4 /Rect [160 10 290 190] "
    b"/AP << /N 10 0 R >> >>\nendobj\n"
    b"10 0 obj\n<< /Type /XObject /Subtype /ThumbnailSize /BBox [0 0 130 180] /Length 29 >>\nstream\n"
    b"0.12 0.12 0.86 rg 0 0 130 180 re f\nendstream\nendobj\n",
)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 12 for one, other in zip(pixel, colour, strict=True))


def test_the_first_page_is_drawn_on_white_in_each_size(tmp_path: Path) -> None:
    drawn = draw_page(media_file(tmp_path, pdf(pages=2)), SIZES, Limits())

    assert [one.size for one in drawn] == SIZES
    assert [(one.width, one.height) for one in drawn] == [(160, 107), (160, 107), (600, 400)]
    for one in drawn:
        picture = opened(one.data)
        assert near(picture.getpixel((one.width // 4, one.height // 2)), RED)
        assert near(picture.getpixel((one.width * 3 // 4, one.height // 2)), WHITE)


def test_a_filled_in_form_field_is_drawn(tmp_path: Path) -> None:
    catalog, annotations, field = FILLED_FIELD
    data = pdf().replace(b"/Type /Catalog", catalog + b" /Type /Catalog")
    data = data.replace(b"/Type /Page /", annotations + b" /Type /Page /").replace(b"xref\n0", field + b"xref\n0", 1)

    picture = opened(draw_page(media_file(tmp_path, data), SIZES, Limits())[-1].data)

    assert near(picture.getpixel((450, 200)), (31, 31, 219))


@pytest.mark.parametrize(("width", "height"), [(1_000_000, 500_000), (1, 1), (1, 14_000), (2_000_000_000, 1)])
def test_a_page_of_any_size_has_small_thumbnails(tmp_path: Path, width: int, height: int) -> None:
    for one in draw_page(media_file(tmp_path, pdf(width, height)), SIZES, Limits()):
        assert 1 <= min(one.width, one.height) <= max(one.width, one.height) <= one.size.edge + 1


def test_the_same_page_gives_the_same_bytes(tmp_path: Path) -> None:
    file = media_file(tmp_path, pdf())

    assert draw_page(file, SIZES, Limits()) == draw_page(file, SIZES, Limits())


@pytest.mark.parametrize("data", [ENCRYPTED_PDF, pdf()[:60], pdf(kids="2 0 R")])
def test_an_unreadable_page_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadablePdf):
        draw_page(media_file(tmp_path, data), SIZES, Limits())
