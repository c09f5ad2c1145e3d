"""Thumbnails of pictures look right, whatever the format."""

import io
from math import log10
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any
from zlib import compress, crc32

import pytest
import pyvips  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lambdas.inspect_file.decoder_job import inspect_picture
from lambdas.make_thumbnails.pictures import draw_picture, fit
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, Drawn, ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from tests.lambdas.heic import heic
from tests.lambdas.pictures import corner_colours, corners, encoded, jpeg_turned, swapped_primaries_profile
from workflows.errors import FileTooLarge, UnreadableImage

UPRIGHT = ["red", "green", "blue", "yellow"]
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]


@pytest.fixture
def media(tmp_path: Path) -> Any:
    def made(data: bytes, media_type: str) -> MediaFile:
        path = tmp_path / "file"
        path.write_bytes(data)
        return MediaFile(str(path), "media/file", media_type, len(data))

    return made


def drawn(file: MediaFile, edge: int = 480, limits: Limits | None = None) -> list[Drawn]:
    return draw_picture(file, [ThumbnailSize("it", edge), ThumbnailSize("it", edge, JPEG)], limits or Limits())


def reread(thumbnail: Drawn) -> Image.Image:
    image = Image.open(io.BytesIO(thumbnail.data))
    image.load()
    assert image.size == (thumbnail.width, thumbnail.height)
    return image


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_thumbnail_is_upright(media: Any, orientation: int, file_format: str) -> None:
    file = media(jpeg_turned(orientation, 120, 80, file_format), f"image/{file_format.lower()}")

    for thumbnail in drawn(file, 60):
        assert (corner_colours(reread(thumbnail)), thumbnail.width, thumbnail.height) == (UPRIGHT, 60, 40)
    facts = inspect_picture(file, Limits())
    assert (facts["width"], facts["height"]) == (120, 80)


@pytest.mark.parametrize("file_format", FORMATS)
def test_all_formats_look_the_same(media: Any, file_format: str) -> None:
    for thumbnail in drawn(media(encoded(corners(1000, 600), file_format), f"image/{file_format.lower()}")):
        assert (corner_colours(reread(thumbnail)), thumbnail.width, thumbnail.height) == (UPRIGHT, 480, 288)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "PA"])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_all_colour_modes_look_the_same(media: Any, mode: str, file_format: str) -> None:
    if (mode, file_format) == ("PA", "PNG"):
        data = encoded(corners(100, 60, "P"), "PNG", transparency=255)
    else:
        data = encoded(corners(100, 60, mode), file_format)

    assert corner_colours(reread(drawn(media(data, f"image/{file_format.lower()}"))[0])) == UPRIGHT


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_pictures_keep_their_brightness(media: Any, mode: str, file_format: str) -> None:
    if mode == "I;16":
        image = Image.new("I;16", (100, 60), 0x4000)
    else:
        image = corners(100, 60, "L").point(lambda _: 64 if mode != "1" else 255).convert(mode)

    for thumbnail in drawn(media(encoded(image, file_format), f"image/{file_format.lower()}")):
        expected = 255 if mode == "1" else 64
        assert all(abs(value - expected) <= 2 for value in pixel(reread(thumbnail).convert("RGB"), 50, 30))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(media: Any, file_format: str) -> None:
    data = encoded(corners(100, 60, "CMYK"), file_format, quality=95)

    assert corner_colours(reread(drawn(media(data, f"image/{file_format.lower()}"))[0])) == UPRIGHT


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_an_animation_is_drawn_by_its_first_frame(media: Any, file_format: str) -> None:
    frames = [corners(100, 60), Image.new("RGB", (100, 60), "white")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)
    file = media(data, f"image/{file_format.lower()}")

    assert corner_colours(reread(drawn(file)[0])) == UPRIGHT
    assert inspect_picture(file, Limits()).get("frames") == 2
    for work in (inspect_picture, lambda file, limits: drawn(file, 480, limits)):
        with pytest.raises(FileTooLarge, match="2 frames, more than 1"):
            work(file, Limits(max_frames=1))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_colour_profile_is_converted_to_srgb(media: Any, file_format: str) -> None:
    image = Image.new("RGB", (100, 60), (220, 30, 30))
    data = encoded(image, file_format, icc_profile=swapped_primaries_profile())

    red, green, _ = pixel(reread(drawn(media(data, f"image/{file_format.lower()}"))[0]).convert("RGB"), 50, 30)

    assert green > 150 > 100 > red


def test_a_profile_keeps_transparency(media: Any) -> None:
    image = Image.new("RGBA", (100, 60), (220, 30, 30, 0))
    image.paste((220, 30, 30, 255), (50, 0, 100, 60))

    file = media(encoded(image, "PNG", icc_profile=swapped_primaries_profile()), "image/png")
    thumbnail = reread(drawn(file)[0])

    assert thumbnail.mode == "RGBA"
    assert (pixel(thumbnail, 10, 30)[3], pixel(thumbnail, 90, 30)[3]) == (0, 255)


@pytest.mark.parametrize("profile", [b"no profile at all", b"\x00" * 200])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_broken_profile_is_ignored(media: Any, profile: bytes, file_format: str) -> None:
    file = media(encoded(corners(100, 60), file_format, icc_profile=profile), f"image/{file_format.lower()}")

    assert corner_colours(reread(drawn(file)[0])) == UPRIGHT


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_a_profile_of_another_colour_space_is_ignored(media: Any, mode: str) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    file_format = "JPEG" if mode == "CMYK" else "PNG"

    plain, profiled = (
        drawn(media(encoded(corners(100, 60, mode), file_format, **options), f"image/{file_format.lower()}"))
        for options in ({}, {"icc_profile": lab})
    )

    assert [thumbnail.data for thumbnail in plain] == [thumbnail.data for thumbnail in profiled]


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_transparency_is_kept_and_white_in_a_jpeg(media: Any, file_format: str) -> None:
    image = Image.new("RGBA", (100, 60), (0, 0, 0, 0))
    image.paste((*(220, 30, 30), 255), (50, 0, 100, 60))

    webp, jpeg = map(reread, drawn(media(encoded(image, file_format), f"image/{file_format.lower()}")))

    assert (webp.mode, pixel(webp, 10, 30)[3], pixel(webp, 90, 30)[3]) == ("RGBA", 0, 255)
    assert (jpeg.mode, corner_colours(jpeg)) == ("RGB", ["white", "red", "white", "red"])


def test_transparent_pixels_do_not_darken_their_neighbours(media: Any) -> None:
    image = Image.new("RGBA", (1000, 600), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (503, 0, 1000, 600))

    thumbnail = reread(drawn(media(encoded(image, "PNG"), "image/png"), 100)[0])

    row = [pixel(thumbnail, x, 30) for x in range(100)]
    assert len({alpha for *_, alpha in row}) > 1
    assert all(red > 240 for red, _, _, alpha in row if alpha > 40)


def test_thumbnails_have_no_metadata(media: Any) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera Maker"
    exif.get_ifd(0x8825)[2] = (40.0, 0.0, 0.0)
    profile = swapped_primaries_profile()
    options = {"exif": exif, "icc_profile": profile, "xmp": b"<x>Camera Maker</x>"}
    originals = {
        "image/jpeg": encoded(corners(), "JPEG", comment=b"Camera Maker", **options),
        "image/webp": encoded(corners(), "WEBP", **options),
        "image/png": encoded(corners(), "PNG", exif=exif, icc_profile=profile),
        "image/gif": encoded(corners(), "GIF", comment=b"Camera Maker"),
    }
    for media_type, original in originals.items():
        for thumbnail in drawn(media(original, media_type)):
            image = reread(thumbnail)
            assert not dict(image.getexif())
            assert not image.info.keys() & {"exif", "xmp", "icc_profile", "comment"}
            assert not any(mark in thumbnail.data for mark in (b"Exif", b"Camera", b"ICC", b"http"))


def test_the_same_file_gives_the_same_bytes(media: Any) -> None:
    file = media(encoded(Image.effect_noise((900, 700), 80).convert("RGB"), "JPEG"), "image/jpeg")

    assert drawn(file) == drawn(file)


@pytest.mark.parametrize("file_format", [*FORMATS, "progressive JPEG"])
@pytest.mark.parametrize("work", [inspect_picture, lambda file, limits: drawn(file, 480, limits)])
def test_a_truncated_picture_is_refused(media: Any, file_format: str, work: Any) -> None:
    file_format, options = (file_format.rsplit(maxsplit=1)[-1], {"progressive": True} if " " in file_format else {})
    whole = encoded(Image.effect_noise((300, 200), 90).convert("RGB"), file_format, **options)
    media_type = f"image/{file_format.lower()}"
    work(media(whole, media_type), Limits())

    for kept in (0.1, 0.5, 0.8):
        with pytest.raises(UnreadableImage):
            work(media(whole[: int(len(whole) * kept)], media_type), Limits())


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("work", [inspect_picture, lambda file, limits: drawn(file, 480, limits)])
def test_a_picture_with_too_many_pixels_is_refused(media: Any, file_format: str, work: Any) -> None:
    with pytest.raises(FileTooLarge, match="300 by 200 pixels, more than 59,999"):
        work(media(encoded(corners(300, 200), file_format), f"image/{file_format.lower()}"), Limits(max_pixels=59_999))


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 9999))
def test_a_size_fits_and_never_grows(width: int, height: int, edge: int) -> None:
    small = fit(width, height, edge)

    assert max(small) == min(edge, max(width, height))
    assert 1 <= small[0] <= width
    assert 1 <= small[1] <= height


def test_a_thumbnail_is_as_accurate_as_pillows(media: Any) -> None:
    noise = pyvips.Image.perlin(1600, 1200, cell_size=40, uchar=True).bandjoin(
        [pyvips.Image.sines(1600, 1200, uchar=True, hfreq=3, vfreq=9)] * 2
    )
    data = noise.copy(interpretation="srgb").jpegsave_buffer(Q=95)
    best = Image.open(io.BytesIO(data)).resize((480, 360), Image.Resampling.LANCZOS)

    for thumbnail, at_least in zip(drawn(media(data, "image/jpeg")), (34, 36), strict=True):
        assert psnr(reread(thumbnail).convert("RGB"), best) > at_least


def psnr(image: Image.Image, best: Image.Image) -> float:
    squares = [(a - b) ** 2 for a, b in zip(image.tobytes(), best.tobytes(), strict=True)]
    return 10 * log10(255**2 * len(squares) / max(1, sum(squares)))


def test_a_gif_of_thousands_of_frames_is_refused(media: Any) -> None:
    frames = [Image.new("L", (2, 2), shade % 256) for shade in range(1200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=20)

    with pytest.raises(FileTooLarge, match="1,200 frames"):
        inspect_picture(media(data, "image/gif"), Limits())


def test_a_tiff_with_circular_pages_is_inspected(media: Any) -> None:
    data = bytearray(encoded(corners(), "TIFF"))
    first = int.from_bytes(data[4:8], "little")
    after = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[after : after + 4] = data[4:8]  # the next page is this one

    assert inspect_picture(media(bytes(data), "image/tiff"), Limits())["width"] == 60


def test_a_png_with_a_wrong_header_is_refused(media: Any) -> None:
    data = bytearray(encoded(corners(), "PNG"))
    data[16:24] = (10_000).to_bytes(4, "big") * 2
    data[29:33] = crc32(data[12:29]).to_bytes(4, "big")

    with pytest.raises(UnreadableImage):
        inspect_picture(media(bytes(data), "image/png"), Limits())


def test_a_large_packed_profile_takes_little_memory(media: Any) -> None:
    data, packed = encoded(corners(), "PNG"), compress(bytes(200_000_000), 9)
    body = b"iCCP" + b"x\x00\x00" + packed
    chunk = (len(body) - 4).to_bytes(4, "big") + body + crc32(body).to_bytes(4, "big")
    before = getrusage(RUSAGE_SELF).ru_maxrss

    assert inspect_picture(media(data[:33] + chunk + data[33:], "image/png"), Limits()) == {"width": 60, "height": 40}
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 100_000


def test_large_packed_texts_take_little_memory(media: Any) -> None:
    data, packed = encoded(corners(), "PNG"), compress(bytes(100_000_000), 9)
    chunks = b""
    for number in range(20):
        body = b"zTXtk%d\x00\x00" % number + packed
        chunks += (len(body) - 4).to_bytes(4, "big") + body + crc32(body).to_bytes(4, "big")
    before = getrusage(RUSAGE_SELF).ru_maxrss

    assert inspect_picture(media(data[:33] + chunks + data[33:], "image/png"), Limits()) == {"width": 60, "height": 40}
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize(
    ("turns", "size", "colours"),
    [(0, (64, 32), UPRIGHT), (1, (32, 64), ["green", "yellow", "red", "blue"])],
)
def test_a_heic_is_rotated_once(media: Any, turns: int, size: tuple[int, int], colours: list[str], pixels: str) -> None:
    file = media(heic(corners(128, 64), turns, pixels), "image/heic")

    for thumbnail in drawn(file, 64):
        assert (corner_colours(reread(thumbnail)), (thumbnail.width, thumbnail.height)) == (colours, size)
    assert inspect_picture(file, Limits()) == {"width": size[0] * 2, "height": size[1] * 2}


def test_a_truncated_heic_is_refused(media: Any) -> None:
    data = heic(corners(128, 64))

    with pytest.raises(UnreadableImage):
        inspect_picture(media(data[: -len(data) // 20], "image/heic"), Limits())
