"""The facts of a file, or its rejection."""

import hashlib
import io
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lambdas.inspect_file.facts import inspect_file
from lambdas.shared.decoding.job import Limits
from tests.lambdas.pictures import ENCRYPTED_PDF, corners, encoded, jpeg_turned, pdf
from workflows.contracts.guard_report import FILE_ERRORS, FileFacts, FileKind
from workflows.errors import FileEmpty, FileRejected, FileTooLarge, UnreadableImage, UnreadablePdf

KEY = "media/guard_reports/2026/11/24/file"


def inspect(data: bytes, limits: Limits | None = None) -> FileFacts:
    return inspect_file(KEY, [data] if data else [], limits or Limits())


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_has_pixels_and_a_digest(file_format: str) -> None:
    data = encoded(corners(60, 40), file_format)

    facts = inspect(data)

    assert facts == FileFacts(
        kind=FileKind.IMAGE,
        media_type=f"image/{file_format.lower()}",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width=60,
        height=40,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_the_size_of_a_picture_is_that_displayed(orientation: int, file_format: str) -> None:
    facts = inspect(jpeg_turned(orientation, 60, 40, file_format))

    assert (facts.width, facts.height) == (60, 40)


@pytest.mark.parametrize("orientation", [0, 9, 60_000])
def test_an_invalid_orientation_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert inspect(encoded(corners(60, 40), "JPEG", exif=exif)).width == 60


def test_broken_exif_does_not_make_a_picture_unreadable() -> None:
    data = encoded(corners(60, 40), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 40)

    assert inspect(data).width == 60


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_a_png_is_read(mode: str) -> None:
    image = Image.new("I;16", (60, 40)) if mode == "I;16" else corners(60, 40, mode)

    assert inspect(encoded(image, "PNG")).height == 40


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_mode_of_a_jpeg_is_read(mode: str, progressive: bool) -> None:
    assert inspect(encoded(corners(60, 40, mode), "JPEG", progressive=progressive)).width == 60


def test_an_animation_is_one_picture() -> None:
    frames = [corners(60, 40), Image.new("RGB", (60, 40))]

    for file_format in ("GIF", "WEBP", "PNG"):
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert inspect(data).width == 60


def test_a_pdf_has_pages() -> None:
    data = pdf(pages=3)

    facts = inspect(data)

    assert (facts.kind, facts.media_type, facts.pages, facts.width) == (FileKind.PDF, "application/pdf", 3, None)


def test_other_files_have_digest_size_and_type_only() -> None:
    facts = inspect(b"22:00 Round started.\n")

    assert (facts.kind, facts.media_type, facts.size_bytes) == (FileKind.OTHER, "text/plain", 21)
    assert (facts.width, facts.height, facts.pages) == (None, None, None)


def test_the_digest_is_of_all_chunks_in_their_order() -> None:
    facts = inspect_file(KEY, iter([b"one ", b"two ", b"three"]), Limits())

    assert facts.sha256 == hashlib.sha256(b"one two three").hexdigest()
    assert facts.size_bytes == 13


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.8])
def test_a_truncated_picture_is_unreadable(file_format: str, part: float) -> None:
    noisy = Image.effect_noise((300, 200), 90).convert("RGB")
    data = encoded(noisy, file_format)

    with pytest.raises(UnreadableImage) as caught:
        inspect(data[: int(len(data) * part)])
    assert caught.value.where == KEY


@pytest.mark.parametrize(
    "magic", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x24\x00\x00\x00WEBPVP8 "]
)
def test_a_picture_with_only_a_header_is_unreadable(magic: bytes) -> None:
    with pytest.raises(UnreadableImage, match=r"damaged|cut off"):
        inspect(magic + b"\x00" * 100)


def test_a_broken_pdf_is_unreadable() -> None:
    with pytest.raises(UnreadablePdf, match="cannot be read"):
        inspect(b"%PDF-1.7\nnothing of what a PDF has")


def test_a_pdf_without_pages_is_unreadable() -> None:
    with pytest.raises(UnreadablePdf):
        inspect(pdf(pages=0))


def test_a_pdf_with_a_password_is_unreadable() -> None:
    with pytest.raises(UnreadablePdf, match="password"):
        inspect(ENCRYPTED_PDF)


def test_a_file_without_bytes_is_empty() -> None:
    with pytest.raises(FileEmpty):
        inspect(b"")


def test_a_file_over_the_limit_is_not_read_to_its_end() -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield bytes(1000)

    with pytest.raises(FileTooLarge, match="5,000 bytes"):
        inspect_file(KEY, chunks(), Limits(max_bytes=5000))
    assert len(taken) == 6


def test_a_file_at_the_limit_is_read() -> None:
    assert inspect(b"12345", Limits(max_bytes=5)).size_bytes == 5


def test_a_picture_over_the_limit_of_pixels_is_too_large() -> None:
    data = encoded(corners(60, 40), "PNG")

    assert inspect(data, Limits(max_pixels=2400)).width == 60
    with pytest.raises(FileTooLarge, match="60 by 40"):
        inspect(data, Limits(max_pixels=2399))


def test_a_decompression_bomb_takes_no_memory_and_logs_no_warning() -> None:
    bomb = png_header(60_000, 60_000)
    tracemalloc.start()
    try:
        with warnings.catch_warnings(action="error"), pytest.raises(FileTooLarge):
            inspect(bomb)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 10_000_000


def test_a_large_jpeg_is_read_at_a_coarse_scale() -> None:
    image = Image.open(io.BytesIO(encoded(corners(4000, 3000), "JPEG")))
    assert image.size == (4000, 3000)

    facts = inspect(encoded(corners(4000, 3000), "JPEG"))

    assert (facts.width, facts.height) == (4000, 3000)


WHOLE = [
    encoded(corners(60, 40), "JPEG"),
    encoded(corners(60, 40), "JPEG", progressive=True),
    encoded(corners(60, 40, "RGBA"), "PNG"),
    encoded(corners(60, 40, "P"), "GIF"),
    encoded(corners(60, 40, "RGBA"), "WEBP", lossless=True),
    jpeg_turned(6),
    pdf(pages=2),
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WHOLE), st.data())
def test_a_damaged_file_has_a_verdict(whole: bytes, data: st.DataObject) -> None:
    """Cut, overwrite and repeat bytes: the result is facts or a declared rejection."""
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=6))
        if not damaged:
            break
    try:
        inspect(bytes(damaged), Limits(max_pixels=1_000_000))
    except FileRejected as rejection:
        assert type(rejection) in FILE_ERRORS
        assert rejection.where == KEY


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\x00\x00\x00WEBP", b"%PDF-1.7\n"]
    ),
    st.binary(max_size=400),
)
def test_any_bytes_have_a_verdict(magic: bytes, rest: bytes) -> None:
    try:
        inspect(magic + rest, Limits(max_pixels=1_000_000))
    except FileRejected as rejection:
        assert type(rejection) in FILE_ERRORS


def png_header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG with a size and almost no data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00" * 100))
