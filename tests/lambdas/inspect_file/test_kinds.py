"""What a file is, by its first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.inspect_file.kinds import HEAD_BYTES, sniff
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.contracts.guard_report import FileKind


@pytest.mark.parametrize(
    ("data", "kind", "media_type"),
    [
        (encoded(corners(), "JPEG"), FileKind.IMAGE, "image/jpeg"),
        (encoded(corners(), "PNG"), FileKind.IMAGE, "image/png"),
        (encoded(corners(), "GIF"), FileKind.IMAGE, "image/gif"),
        (encoded(corners(), "WEBP"), FileKind.IMAGE, "image/webp"),
        (pdf(), FileKind.PDF, "application/pdf"),
        (b"\xef\xbb\xbf\r\n" + pdf(), FileKind.PDF, "application/pdf"),
        (encoded(corners(), "BMP"), FileKind.OTHER, "image/bmp"),
        (encoded(corners(), "TIFF"), FileKind.OTHER, "image/tiff"),
        (b"PK\x03\x04" + bytes(40), FileKind.OTHER, "application/zip"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(32), FileKind.OTHER, "audio/x-wav"),
        (b"BMW seen at the gate", FileKind.OTHER, "text/plain"),
        ("Todo en orden a las 23:15 ¡sí!".encode(), FileKind.OTHER, "text/plain"),
        ("Todo en orden".encode("utf-16"), FileKind.OTHER, "text/plain"),
        (b"the file %PDF-1.4 is attached", FileKind.OTHER, "text/plain"),
        (b"<svg onload='x'></svg>", FileKind.OTHER, "text/plain"),
        (bytes(100), FileKind.OTHER, "application/octet-stream"),
        ("n\u00f3".encode("latin-1"), FileKind.OTHER, "application/octet-stream"),
        (b"", FileKind.OTHER, "application/octet-stream"),
    ],
)
def test_content_tells_what_a_file_is(data: bytes, kind: FileKind, media_type: str) -> None:
    content = sniff(data[:HEAD_BYTES])

    assert (content.kind, content.media_type) == (kind, media_type)


def test_a_text_may_be_cut_within_a_character() -> None:
    assert sniff("é".encode()[:1].rjust(HEAD_BYTES, b"a")).media_type == "text/plain"


MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF....WEBP", b"%PDF-", b"\x1f\x8b", b"")


@given(st.sampled_from(MAGICS), st.binary(max_size=300))
def test_any_bytes_have_a_kind_and_a_media_type(magic: bytes, rest: bytes) -> None:
    content = sniff(magic + rest)

    assert content.kind in FileKind
    assert content.media_type.count("/") == 1
    assert content.media_type.isascii()
