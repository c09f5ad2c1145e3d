"""Files of two formats at once, and odd files of phones that are accepted."""

import io
import struct
import tracemalloc
from pathlib import Path

import pytest

from lambdas.inspect_file.polyglots import refuse_ambiguous
from tests.lambdas.papers import compound_file, media_file, office, zipped
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.errors import AmbiguousContent

JPEG, PNG, GIF, WEBP, BMP = (encoded(corners(), name) for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP"))
TIFF = encoded(corners(), "TIFF")
ZIP = zipped({"a.txt": b"a"})
FILM = struct.pack(">L4s4sL", 16, b"ftyp", b"mp42", 0) + struct.pack(">L4s", 16, b"mdat") + bytes(8)
PROGRAM = b"MZ\x90\x00".ljust(128, b"\x00")


def with_comment(comment: bytes) -> bytes:
    """Return a JPEG that starts with a comment."""
    return JPEG[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + JPEG[2:]


def with_thumbnail() -> bytes:
    """Return a JPEG with a complete JPEG in its EXIF."""
    exif = b"Exif\x00\x00" + JPEG
    return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]


def progressive() -> bytes:
    out = io.BytesIO()
    corners(400, 300).save(out, "JPEG", progressive=True)
    return out.getvalue()


HONEST = [
    ("jpeg", JPEG),
    ("jpeg of many scans", progressive()),
    ("jpeg with a thumbnail", with_thumbnail()),
    ("jpeg with a film behind it", JPEG + FILM),
    (
        "jpeg with a film and a maker's trailer",
        JPEG + b"\x00\x00\x30\x0aMotionPhoto_Data" + FILM + b"SEFH" + bytes(20) + b"SEFT",
    ),
    ("jpeg with more pictures behind it", JPEG + JPEG + bytes(2) + JPEG),
    ("jpeg with zeros behind it", JPEG + bytes(5000)),
    ("jpeg with a note", with_comment(b"made by hand, for <you>")),
    ("jpeg, cut off", JPEG[:-200]),
    ("png", PNG),
    ("gif", GIF),
    ("webp", WEBP),
    ("bmp", BMP),
    ("tiff", TIFF),
    ("film", FILM),
    ("pdf", pdf()),
    ("pdf with lines before it", b"\x1b%-12345X@PJL\r\n" + pdf()),
    ("pdf with zeros behind it", pdf() + bytes(300)),
    ("zip", ZIP),
    ("zip of a stored pdf", zipped({"a.pdf": pdf()}, stored=True)),
    ("zip of a stored zip", zipped({"a.zip": ZIP}, stored=True)),
    ("docx", office("word")),
    ("doc", compound_file("WordDocument")),
    ("text about a zip", b"it says PK\x05\x06 there".replace(b"\x05\x06", b"56")),
    ("html", b"<html><p>"),
]

TWO_AT_ONCE = [
    ("jpeg and zip", JPEG + ZIP, "JPEG and a ZIP archive"),
    ("jpeg and zip with more behind", JPEG + ZIP + b"more", "a ZIP archive"),
    ("jpeg and jar", JPEG + zipped({"META-INF/MANIFEST.MF": b"a"}), "a ZIP archive"),
    ("gif and jar", GIF + ZIP, "a GIF and a ZIP archive"),
    ("png and zip", PNG + ZIP, "a ZIP archive"),
    ("film and zip", FILM + ZIP, "a ZIP archive"),
    ("pdf and zip", pdf() + ZIP, "a PDF and a ZIP archive"),
    ("html and zip", b"<html><p>" + ZIP, "a ZIP archive"),
    ("jpeg and rar", JPEG + b"Rar!\x1a\x07\x00" + bytes(99), "an archive"),
    ("png and a program", PNG + PROGRAM, "a program"),
    ("png and a script", PNG + b"#!/bin/sh\nrm", "a program"),
    ("pdf and a program", pdf() + PROGRAM, "a program"),
    ("png and html", PNG + b"<html><body>", "an HTML page"),
    ("jpeg and html", with_comment(b"<script>alert(1)</script>"), "an HTML page"),
    ("jpeg and php", with_comment(b"<?php system($_GET['a']); ?>"), "an HTML page or a script"),
    ("gif and javascript", b"GIF89a/*\x01\x00" + bytes(40) + b"*/=1;alert(1)", "a script"),
    ("bmp and javascript", BMP[:2] + b"/*" + BMP[4:] + b"*/=1;alert(1)", "a script"),
    ("jpeg and pdf", with_comment(pdf()), "a PDF"),
    ("png and pdf", PNG + pdf(), "a PDF"),
    ("html and pdf", b"<html><!--\n" + pdf() + b"-->", "a PDF"),
    ("zip and pdf", b"PK\x03\x04" + bytes(50) + pdf() + ZIP, "a PDF"),
    ("pdf and html before it", b"\x1b<script>alert(1)</script>\n" + pdf(), "an HTML page"),
    ("pdf and html behind it", pdf() + b"<html><script>", "an HTML page"),
]


@pytest.mark.parametrize("data", [case[1] for case in HONEST], ids=[case[0] for case in HONEST])
def test_an_odd_file_of_one_format_is_accepted(tmp_path: Path, data: bytes) -> None:
    refuse_ambiguous(media_file(tmp_path, data))


@pytest.mark.parametrize(("data", "both"), [case[1:] for case in TWO_AT_ONCE], ids=[case[0] for case in TWO_AT_ONCE])
def test_a_file_of_two_formats_is_refused(tmp_path: Path, data: bytes, both: str) -> None:
    with pytest.raises(AmbiguousContent) as refusal:
        refuse_ambiguous(media_file(tmp_path, data))

    assert both in refusal.value.problem
    assert refusal.value.problem.endswith(" at once.")


def test_a_large_file_is_searched_without_a_copy(tmp_path: Path) -> None:
    filling = bytes(range(1, 256)) * (80 * 1024)
    files = [media_file(tmp_path, JPEG + filling)]
    (tmp_path / "pdf").mkdir()
    files.append(media_file(tmp_path / "pdf", pdf() + filling))
    tracemalloc.start()
    try:
        for file in files:
            refuse_ambiguous(file)
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


def test_only_the_ends_of_a_large_picture_are_searched_for_markup(tmp_path: Path) -> None:
    large = JPEG + bytes(20 * 1024 * 1024)
    refuse_ambiguous(media_file(tmp_path, large[: 10 * 1024 * 1024] + b"<script>" + large[10 * 1024 * 1024 :]))

    with pytest.raises(AmbiguousContent):
        refuse_ambiguous(media_file(tmp_path, large + b"<script>"))
