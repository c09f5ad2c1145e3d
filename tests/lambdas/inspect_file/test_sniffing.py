"""Detection of a file's type from its first bytes."""

import gzip
import struct
from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.inspect_file.sniffing import HEAD_BYTES, sniff
from tests.lambdas.papers import compound_file, office, open_document, zipped
from tests.lambdas.pictures import corners, encoded, pdf
from workflows.contracts.guard_report import FileKind

IMAGE, VIDEO, AUDIO, PDF, OTHER = FileKind.IMAGE, FileKind.VIDEO, FileKind.AUDIO, FileKind.PDF, FileKind.OTHER
OFFICE = "application/vnd.openxmlformats-officedocument."


def ftyp(major: bytes, *brands: bytes) -> bytes:
    return struct.pack(">L4s4sL", 16 + 4 * len(brands), b"ftyp", major, 0) + b"".join(brands) + bytes(64)


def tiff(order: str, *tags: tuple[int, int, int]) -> bytes:
    entries = b"".join(struct.pack(order + "HHLL", tag, kind, 1, value) for tag, kind, value in tags)
    magic = b"II*\x00" if order == "<" else b"MM\x00*"
    return magic + struct.pack(order + "LH", 8, len(tags)) + entries + bytes(4)


def mp3_frames(count: int) -> bytes:
    return (b"\xff\xfb\x90\x00" + bytes(413)) * count


def adts_frames(count: int) -> bytes:
    return (b"\xff\xf1\x50\x80\x04\x1f\xfc" + bytes(25)) * count


def ogg(packet: bytes) -> bytes:
    return b"OggS\x00\x02" + bytes(21) + bytes([len(packet)]) + packet


CASES = [
    ("jpeg", encoded(corners(), "JPEG"), IMAGE, "image/jpeg"),
    ("png", encoded(corners(), "PNG"), IMAGE, "image/png"),
    ("gif", encoded(corners(), "GIF"), IMAGE, "image/gif"),
    ("webp", encoded(corners(), "WEBP"), IMAGE, "image/webp"),
    ("bmp", encoded(corners(), "BMP"), IMAGE, "image/bmp"),
    ("tiff", encoded(corners(), "TIFF"), IMAGE, "image/tiff"),
    ("tiff, the other order", tiff(">", (256, 4, 1)), IMAGE, "image/tiff"),
    ("bigtiff", b"II+\x00\x08\x00\x00\x00" + bytes(20), IMAGE, "image/tiff"),
    ("dng", tiff("<", (0xC612, 1, 0x0401)), OTHER, "image/x-adobe-dng"),
    ("a raw file", tiff(">", (0xFE, 4, 1), (0x14A, 4, 99)), OTHER, "image/x-raw"),
    ("cr2", b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(40), OTHER, "image/x-canon-cr2"),
    ("heic", ftyp(b"heic", b"mif1", b"heic"), IMAGE, "image/heic"),
    ("heic by its other brands", ftyp(b"mif1", b"mif1", b"heic"), IMAGE, "image/heic"),
    ("heif", ftyp(b"mif1", b"miaf"), IMAGE, "image/heif"),
    ("heic burst", ftyp(b"hevc", b"msf1"), IMAGE, "image/heic-sequence"),
    ("avif", ftyp(b"avif", b"mif1", b"miaf"), IMAGE, "image/avif"),
    ("avif by its other brands", ftyp(b"mif1", b"avif"), IMAGE, "image/avif"),
    ("cr3", ftyp(b"crx ", b"isom"), OTHER, "image/x-canon-cr3"),
    ("mp4", ftyp(b"isom", b"iso2", b"avc1"), VIDEO, "video/mp4"),
    ("mp4 of a maker's own", ftyp(b"XAVC", b"XAVC"), VIDEO, "video/mp4"),
    ("mov", ftyp(b"qt  ", b"qt  "), VIDEO, "video/quicktime"),
    ("mov without ftyp", b"\x00\x00\x00\x08wide\x00\x01\x00\x00mdat" + bytes(99), VIDEO, "video/quicktime"),
    ("m4v", ftyp(b"M4V ", b"isom"), VIDEO, "video/x-m4v"),
    ("3gp", ftyp(b"3gp4", b"3gp4"), VIDEO, "video/3gpp"),
    ("3g2", ftyp(b"3g2a", b"3g2a"), VIDEO, "video/3gpp2"),
    ("webm", b"\x1a\x45\xdf\xa3\x9fB\x82\x84webm" + bytes(20) + b"V_VP9 A_OPUS", VIDEO, "video/webm"),
    ("webm with sound alone", b"\x1a\x45\xdf\xa3\x9fB\x82\x84webm" + bytes(20) + b"A_OPUS", AUDIO, "audio/webm"),
    ("matroska", b"\x1a\x45\xdf\xa3\xa3B\x82\x88matroska" + bytes(20), VIDEO, "video/x-matroska"),
    ("avi", b"RIFF\x24\x00\x00\x00AVI LIST" + bytes(32), VIDEO, "video/x-msvideo"),
    ("m4a", ftyp(b"M4A ", b"isom"), AUDIO, "audio/mp4"),
    ("m4a of a recorder", ftyp(b"mp42") + b"hdlr" + bytes(8) + b"soun", AUDIO, "audio/mp4"),
    ("mp3 with a tag", b"ID3\x03\x00\x00\x00\x00\x00\x05" + bytes(5) + mp3_frames(1), AUDIO, "audio/mpeg"),
    ("mp3", mp3_frames(4), AUDIO, "audio/mpeg"),
    ("one frame of mp3 is chance", mp3_frames(1) + b"\x00\x01", OTHER, "application/octet-stream"),
    ("aac", adts_frames(4), AUDIO, "audio/aac"),
    ("amr", b"#!AMR\n" + bytes(32), AUDIO, "audio/amr"),
    ("amr, wide", b"#!AMR-WB\n" + bytes(32), AUDIO, "audio/amr-wb"),
    ("amr without zeros", b"#!AMR\n<" + b"a" * 31, AUDIO, "audio/amr"),
    ("opus", ogg(b"OpusHead\x01\x01"), AUDIO, "audio/ogg"),
    ("vorbis", ogg(b"\x01vorbis"), AUDIO, "audio/ogg"),
    ("theora", ogg(b"\x80theora"), VIDEO, "video/ogg"),
    ("wav", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(32), AUDIO, "audio/wav"),
    ("flac", b"fLaC\x00\x00\x00\x22" + bytes(34), AUDIO, "audio/flac"),
    ("pdf", pdf(), PDF, "application/pdf"),
    ("pdf after a mark", b"\xef\xbb\xbf\r\n" + pdf(), PDF, "application/pdf"),
    ("pdf after a printer's lines", b"\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n" + pdf(), PDF, "application/pdf"),
    ("zip", zipped({"a": b"a"}), OTHER, "application/zip"),
    ("an empty zip", zipped({}), OTHER, "application/zip"),
    ("docx", office("word"), OTHER, OFFICE + "wordprocessingml.document"),
    ("xlsx", office("xl"), OTHER, OFFICE + "spreadsheetml.sheet"),
    ("pptx", office("ppt"), OTHER, OFFICE + "presentationml.presentation"),
    ("odt", open_document(), OTHER, "application/vnd.oasis.opendocument.text"),
    ("epub", zipped({"mimetype": b"application/epub+zip"}), OTHER, "application/epub+zip"),
    ("old office", compound_file("WordDocument"), OTHER, "application/x-ole-storage"),
    ("gzip", gzip.compress(b"a"), OTHER, "application/gzip"),
    ("rtf", b"{\\rtf1 a}", OTHER, "application/rtf"),
    ("svg", b"<svg onload='x'></svg>", OTHER, "image/svg+xml"),
    (
        "svg behind much",
        b"<?xml version='1.0'?><!-- <html> --><!DOCTYPE svg [<!ENTITY a 'b'>]><s:svg/>",
        OTHER,
        "image/svg+xml",
    ),
    ("html", b"\n<!DOCTYPE html><p>", OTHER, "text/html"),
    ("xhtml", b"<?xml version='1.0'?><html/>", OTHER, "application/xhtml+xml"),
    ("xml", b"<?xml version='1.0'?><gpx/>", OTHER, "text/xml"),
    ("a program of Windows", b"MZ\x90\x00".ljust(128, b"\x00"), OTHER, "application/vnd.microsoft.portable-executable"),
    ("a program of Linux", b"\x7fELF\x02\x01\x01" + bytes(64), OTHER, "application/x-elf"),
    ("a script", b"#!/bin/sh\nrm -r /", OTHER, "text/x-shellscript"),
    ("a note that begins as a bitmap", b"BMW seen at the gate, without a driver", OTHER, "text/plain"),
    ("a note that begins as a program", b"MZ-448 is the plate".ljust(80), OTHER, "text/plain"),
    ("utf-8", "Todo en orden a las 23:15 ¡sí!".encode(), OTHER, "text/plain"),
    ("utf-16", "Todo en orden".encode("utf-16"), OTHER, "text/plain"),
    ("text of old Windows", "Señal de alarma en la puerta".encode("cp1252"), OTHER, "text/plain"),
    ("a note about a pdf", b"the file\n%PDF-1.4 is attached", OTHER, "text/plain"),
    ("zeros", bytes(100), OTHER, "application/octet-stream"),
    ("chance", "n\u00f3".encode("latin-1"), OTHER, "application/octet-stream"),
    ("nothing", b"", OTHER, "application/octet-stream"),
]


@pytest.mark.parametrize(("data", "kind", "media_type"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_content_determines_kind_and_media_type(data: bytes, kind: FileKind, media_type: str) -> None:
    content = sniff(data[:HEAD_BYTES])

    assert (content.kind, content.media_type) == (kind, media_type)


def test_text_may_end_within_a_character() -> None:
    assert sniff("é".encode()[:1].rjust(HEAD_BYTES, b"a")).media_type == "text/plain"


BEGINNINGS = [case[1][:length] for case in CASES for length in (4, 12, 40, 400)]


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300), st.integers(1, 40))
@example(b"<!DOCTYPE x ", b"[" * 300, 25)
@example(b"<?xml", b"<!-- " * 60, 25)
def test_any_bytes_have_a_type_at_once(beginning: bytes, rest: bytes, times: int) -> None:
    started = perf_counter()
    content = sniff((beginning + rest * times)[:HEAD_BYTES])

    assert content.kind in FileKind
    assert content.media_type.count("/") == 1
    assert content.media_type.isascii()
    assert perf_counter() - started < 0.5
