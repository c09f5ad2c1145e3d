"""Detects audio, video and HEIF pictures from their first bytes."""

import re
from collections.abc import Callable, Iterable

_UNKNOWN = "application/octet-stream"
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis"})
_HEIC_SEQUENCES = frozenset({b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset({b"mif1", b"mif2", b"msf1", b"miaf", b"1pic"})
_M4A = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "})
_M4V = frozenset({b"M4V ", b"M4VH", b"M4VP"})
# First boxes of a QuickTime file without "ftyp".
_FIRST_BOXES = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_VIDEO_HANDLER, _SOUND_HANDLER = re.compile(rb"hdlr.{8}vide", re.S), re.compile(rb"hdlr.{8}soun", re.S)
_PREFIXES = (
    (b"fLaC", "audio/flac"),
    (b"#!AMR-WB", "audio/amr-wb"),
    (b"#!AMR", "audio/amr"),
    (b"caff\x00\x01", "audio/x-caf"),
    (b".snd\x00\x00", "audio/basic"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
)
_RIFF = {b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo", b"AIFF": "audio/aiff", b"AIFC": "audio/aiff"}
_TS_PACKET_BYTES = 188

# MPEG audio: kbit/s by version 1 or not, and layer (3 is I); Hz of version 1.
_BITRATES = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = (44_100, 48_000, 32_000)
# Eleven bits can match a header by chance, but not this many in a row.
_HEADERS_IN_A_ROW = 3


def media_type_of_audio_or_video(head: bytes) -> str:
    """Return the media type, ``application/octet-stream`` for other content."""
    if media_type := by_prefix(head, _PREFIXES):
        return media_type
    if head[:4] in {b"RIFF", b"RIFX", b"RF64", b"FORM"}:
        return _RIFF.get(head[8:12], _UNKNOWN)
    return _boxes(head) or _matroska(head) or _ogg(head) or _frames(head) or _transport_stream(head) or _UNKNOWN


def by_prefix(head: bytes, prefixes: Iterable[tuple[bytes, str]]) -> str | None:
    """Return the media type of the first matching prefix, else None."""
    return next((media_type for prefix, media_type in prefixes if head.startswith(prefix)), None)


def _boxes(head: bytes) -> str | None:
    size = int.from_bytes(head[:4], "big")
    if head[4:8] == b"ftyp" and size >= 8:
        return _branded(head, size)
    if head[4:8] in _FIRST_BOXES and (size >= 8 or size <= 1):
        return _with_sound_only("video/quicktime", head)
    return None


def _branded(head: bytes, size: int) -> str:
    """Return the format of the major brand, else of the compatible ones."""
    major, end = head[8:12], min(size, len(head), 4096)
    brands = {head[start : start + 4] for start in range(16, end - 3, 4)}
    return _by_brand(major, brands) or _by_compatible(brands) or _with_sound_only("video/mp4", head)


def _by_brand(major: bytes, brands: set[bytes]) -> str | None:
    if major in _M4A:
        return "audio/mp4"
    if major in _M4V:
        return "video/x-m4v"
    if major == b"qt  ":
        return "video/quicktime"
    if major[:3] in {b"3gp", b"3g2"}:
        return "video/3gpp" if major[:3] == b"3gp" else "video/3gpp2"
    if major == b"crx ":
        return "image/x-canon-cr3"
    return _by_compatible({major}) or (_by_compatible(brands) or "image/heif" if major in _HEIF else None)


def _by_compatible(brands: set[bytes]) -> str | None:
    if brands & _AVIF:
        return "image/avif"
    if brands & _HEIC:
        return "image/heic"
    if brands & _HEIC_SEQUENCES:
        return "image/heic-sequence"
    return None


def _with_sound_only(media_type: str, head: bytes) -> str:
    """Return audio if all tracks are in the head and none is video."""
    is_sound = _SOUND_HANDLER.search(head) and not _VIDEO_HANDLER.search(head) and b"mdat" not in head[:64]
    return "audio/mp4" if is_sound else media_type


def _matroska(head: bytes) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    is_sound = b"A_" in head and not re.search(rb"V_(?:VP[89]|AV1|MPEG|THEORA|MS|UNCOMPRESSED|PRORES|MJPEG|FFV)", head)
    subtype = "webm" if b"webm" in head[:64] else "x-matroska"
    return f"{'audio' if is_sound else 'video'}/{subtype}"


def _ogg(head: bytes) -> str | None:
    if not head.startswith(b"OggS"):
        return None
    shows = b"\x80theora" in head or b"\x01video" in head or b"BBCD" in head
    return "video/ogg" if shows else "audio/ogg"


def _frames(head: bytes) -> str | None:
    """Detect MP3 and AAC, with or without an ID3 tag."""
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
        tag = (head[6] << 21) + (head[7] << 14) + (head[8] << 7) + head[9] + 10
        after = head[tag : tag + 4]
        if after == b"fLaC":
            return "audio/flac"
        return "audio/aac" if after[:1] == b"\xff" and len(after) > 1 and after[1] & 0xF6 == 0xF0 else "audio/mpeg"
    start = len(head) - len(head.lstrip(b"\x00"))
    if _in_a_row(head, start, _mpeg_frame_bytes):
        return "audio/mpeg"
    return "audio/aac" if _in_a_row(head, start, _adts_frame_bytes) else None


def _in_a_row(head: bytes, start: int, frame_bytes: Callable[[bytes], int]) -> bool:
    """Return whether frames follow each other, up to the end of a short file."""
    for _ in range(_HEADERS_IN_A_ROW):
        length = frame_bytes(head[start : start + 6])
        if not length:
            return False
        start += length
        if start == len(head):
            return True
    return True


def _transport_stream(head: bytes) -> str | None:
    packets = head[::_TS_PACKET_BYTES][:_HEADERS_IN_A_ROW]
    return "video/mp2t" if packets == b"G" * _HEADERS_IN_A_ROW else None


def _mpeg_frame_bytes(header: bytes) -> int:
    """Return the length of the frame with this header, 0 if invalid."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer, bitrate, rate = header[1] >> 3 & 3, header[1] >> 1 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 0 or bitrate in {0, 15} or rate == 3:
        return 0
    bits = _BITRATES[version == 3, layer][bitrate - 1] * 1000
    hertz = _SAMPLE_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = header[2] >> 1 & 1
    if layer == 3:
        return (12 * bits // hertz + padding) * 4
    return (144 if version == 3 or layer == 2 else 72) * bits // hertz + padding


def _adts_frame_bytes(header: bytes) -> int:
    if len(header) < 6 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    length = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return length if length >= 7 else 0
