"""What a thumbnail looks like, whatever the file was like."""

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lambdas.make_thumbnails.drawing import draw, encode, fit
from lambdas.make_thumbnails.forms import EMAIL, Form
from tests.lambdas.pictures import (
    ENCRYPTED_PDF,
    corner_colours,
    corners,
    encoded,
    jpeg_turned,
    pdf,
    swapped_primaries_profile,
)
from workflows.contracts.guard_report import FileKind
from workflows.errors import FileTooLarge, UnreadableImage, UnreadablePdf

MEDIUM = Form("medium", 480)
UPRIGHT = ["red", "green", "blue", "yellow"]


def drawn(data: bytes, edge: int = 480, kind: FileKind = FileKind.IMAGE) -> Image.Image:
    return draw(io.BytesIO(data), kind, "media/file", edge, 120_000_000)


def reread(image: Image.Image, form: Form = MEDIUM) -> Image.Image:
    thumbnail = Image.open(io.BytesIO(encode(image, form)))
    thumbnail.load()
    return thumbnail


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("edge", [480, 30])
def test_a_thumbnail_is_upright(orientation: int, file_format: str, edge: int) -> None:
    image = drawn(jpeg_turned(orientation, 120, 80, file_format), edge)

    assert corner_colours(reread(image)) == UPRIGHT
    assert image.size == ((120, 80) if edge == 480 else (30, 20))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_every_kind_of_picture_looks_the_same(file_format: str) -> None:
    image = drawn(encoded(corners(1000, 600), file_format), 480)

    assert image.size == (480, 288)
    assert corner_colours(image) == UPRIGHT


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_every_colour_mode_of_a_png_looks_the_same(mode: str) -> None:
    assert corner_colours(drawn(encoded(corners(100, 60, mode), "PNG"))) == UPRIGHT


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_pictures_keep_their_lights_and_shades(mode: str) -> None:
    if mode == "I;16":
        image = Image.new("I;16", (100, 60), 0x4000)
    else:
        image = corners(100, 60, "L").point(lambda _: 64 if mode != "1" else 255).convert(mode)

    thumbnail = drawn(encoded(image, "PNG")).convert("RGB")

    expected = 255 if mode == "1" else 64
    assert all(abs(value - expected) <= 1 for value in pixel(thumbnail, 50, 30))


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    image = drawn(encoded(corners(100, 60, "CMYK"), "JPEG", quality=95))

    assert image.mode == "RGB"
    assert corner_colours(image) == UPRIGHT


def test_an_animation_shows_its_first_frame() -> None:
    frames = [corners(100, 60), Image.new("RGB", (100, 60), "white")]
    for file_format in ("GIF", "WEBP", "PNG"):
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)
        assert corner_colours(drawn(data)) == UPRIGHT


def test_a_pdf_shows_its_first_page() -> None:
    image = drawn(pdf(300, 200, pages=2), 1280, FileKind.PDF)

    assert image.size == (1280, 854)
    assert corner_colours(image) == ["red", "white", "red", "white"]


@pytest.mark.parametrize(("width", "height"), [(1, 14_400), (14_400, 1), (3, 3), (595, 842)])
def test_a_page_of_any_shape_fits(width: int, height: int) -> None:
    image = drawn(pdf(width, height), 160, FileKind.PDF)

    assert max(image.size) == 160
    assert min(image.size) >= 1


def test_a_profile_is_turned_into_srgb() -> None:
    data = encoded(Image.new("RGB", (100, 60), (220, 30, 30)), "PNG", icc_profile=swapped_primaries_profile())

    red, green, _ = pixel(reread(drawn(data)).convert("RGB"), 50, 30)

    assert green > 150 > 100 > red


def test_a_profile_does_not_cost_transparency() -> None:
    image = Image.new("RGBA", (100, 60), (220, 30, 30, 0))
    image.paste((220, 30, 30, 255), (50, 0, 100, 60))

    thumbnail = reread(drawn(encoded(image, "PNG", icc_profile=swapped_primaries_profile())))

    assert thumbnail.mode == "RGBA"
    assert (pixel(thumbnail, 10, 30)[3], pixel(thumbnail, 90, 30)[3]) == (0, 255)


@pytest.mark.parametrize("profile", [b"no profile at all", b"\x00" * 200])
def test_a_broken_profile_is_left_out(profile: bytes) -> None:
    assert corner_colours(drawn(encoded(corners(100, 60), "PNG", icc_profile=profile))) == UPRIGHT


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_a_profile_of_another_kind_of_colour_is_left_out(mode: str) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    file_format = "JPEG" if mode == "CMYK" else "PNG"

    plain, profiled = (
        drawn(encoded(corners(100, 60, mode), file_format, **options)) for options in ({}, {"icc_profile": lab})
    )

    assert plain.tobytes() == profiled.tobytes()


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF"])
def test_transparency_is_kept_and_white_in_mails(file_format: str) -> None:
    image = Image.new("RGBA", (100, 60), (0, 0, 0, 0))
    image.paste((*(220, 30, 30), 255), (50, 0, 100, 60))

    thumbnail = drawn(encoded(image, file_format))

    webp, jpeg = reread(thumbnail), reread(thumbnail, EMAIL)
    assert (webp.mode, pixel(webp, 10, 30)[3], pixel(webp, 90, 30)[3]) == ("RGBA", 0, 255)
    assert (jpeg.mode, corner_colours(jpeg)) == ("RGB", ["white", "red", "white", "red"])


def test_what_is_transparent_does_not_darken_its_neighbours() -> None:
    image = Image.new("RGBA", (1000, 600), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (500, 0, 1000, 600))

    thumbnail = drawn(encoded(image, "PNG"), 100)

    row = [pixel(thumbnail, x, 30) for x in range(100)]
    assert len({alpha for *_, alpha in row}) > 1
    assert all(red > 250 for red, _, _, alpha in row if alpha > 40)


def test_no_metadata_is_left() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera Maker"
    exif.get_ifd(0x8825)[2] = (40.0, 0.0, 0.0)
    profile = swapped_primaries_profile()
    originals = [
        encoded(corners(), "JPEG", exif=exif, icc_profile=profile, comment=b"Camera Maker", xmp=b"<x>Camera Maker</x>"),
        encoded(corners(), "WEBP", exif=exif, icc_profile=profile, xmp=b"<x>Camera Maker</x>"),
        encoded(corners(), "PNG", exif=exif, icc_profile=profile),
        encoded(corners(), "GIF", comment=b"Camera Maker"),
    ]
    for original in originals:
        image = drawn(original)
        for form in (MEDIUM, EMAIL):
            data = encode(image, form)
            thumbnail = Image.open(io.BytesIO(data))
            assert not dict(thumbnail.getexif())
            assert not thumbnail.info.keys() & {"exif", "xmp", "icc_profile", "comment"}
            assert not any(mark in data for mark in (b"Exif", b"Camera", b"ICC", b"http"))


@pytest.mark.parametrize("form", [MEDIUM, EMAIL])
def test_the_same_file_gives_the_same_bytes(form: Form) -> None:
    data = encoded(Image.effect_noise((900, 700), 80).convert("RGB"), "JPEG")

    assert encode(drawn(data), form) == encode(drawn(data), form)


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 9999))
def test_a_size_fits_keeps_its_shape_and_never_grows(width: int, height: int, edge: int) -> None:
    small = fit(width, height, edge)

    assert max(small) == min(edge, max(width, height))
    assert 1 <= small[0] <= width
    assert 1 <= small[1] <= height
    if small[0] > 1 and small[1] > 1:
        assert abs(small[0] * height - small[1] * width) <= max(width, height)  # within a pixel


def test_a_large_jpeg_is_not_decoded_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    resize = Image.Image.resize

    def seen(self: Image.Image, *args: object, **options: object) -> Image.Image:
        decoded.append(self.size)
        return resize(self, *args, **options)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(Image.Image, "resize", seen)

    assert drawn(encoded(corners(8000, 6000), "JPEG"), 1280).size == (1280, 960)
    assert decoded[0] == (2000, 1500)


def test_what_can_not_be_drawn_is_rejected() -> None:
    whole = encoded(Image.effect_noise((300, 200), 90), "JPEG")

    with pytest.raises(UnreadableImage):
        drawn(whole[: len(whole) // 2])
    with pytest.raises(UnreadablePdf):
        drawn(b"%PDF-1.4 nothing", kind=FileKind.PDF)
    with pytest.raises(UnreadablePdf):
        drawn(ENCRYPTED_PDF, kind=FileKind.PDF)
    with pytest.raises(UnreadablePdf):
        drawn(pdf(kids="9 0 R"), kind=FileKind.PDF)
    with pytest.raises(FileTooLarge):
        draw(io.BytesIO(whole), FileKind.IMAGE, "media/file", 480, 59_999)


def test_pdfs_may_be_drawn_from_several_threads() -> None:
    results: list[tuple[int, int]] = []

    def work() -> None:
        results.extend(drawn(pdf(), 200, FileKind.PDF).size for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [(200, 134)] * 40
