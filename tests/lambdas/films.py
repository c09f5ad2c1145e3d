"""Makes video and audio with FFmpeg's own encoders."""

import math
import struct
from array import array
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer

from lambdas.shared.decoding.job import MediaFile

AMR_NB = b"#!AMR\n" + (b"\x3c" + bytes(range(31))) * 50  # a second of frames of 12.2 kbit/s


def as_file(path: Path, media_type: str) -> MediaFile:
    """Return a file as a decoder job receives it."""
    return MediaFile(str(path), path.name, media_type, path.stat().st_size)


def write_film(
    path: Path,
    container: str,
    codec: str,
    *,
    seconds: float = 2,
    size: tuple[int, int] = (176, 144),
    sound: str | None = None,
    tags: Mapping[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    key_frame_every: int = 5,
    picture: Callable[[int], bytes] | None = None,
) -> Path:
    """Write a video of a moving ramp at ten frames a second.

    ``sound`` is the codec of a tone; ``picture`` returns the RGB pixels of each frame instead.
    """
    flags = {"movflags": "use_metadata_tags"} if container in {"mp4", "mov"} else {}
    with av.open(str(path), "w", format=container, options=flags) as out:
        out.metadata.update(tags or {})
        stream: Any = out.add_stream(codec, rate=10, options=dict(options or {}))
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, pix_fmt, key_frame_every
        stream.codec_context.thread_count = 1
        tone = out.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number in range(int(seconds * 10)):
            frame = (_ramp(size, number) if picture is None else _of_rgb(size, picture(number))).reformat(
                format=pix_fmt
            )
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone is not None:
            _mux_tone(out, tone, seconds)
    return path


def _ramp(size: tuple[int, int], number: int) -> av.VideoFrame:
    frame = av.VideoFrame(*size, "gray")
    row = bytes((x * 2 + number * 8) % 256 for x in range(frame.planes[0].line_size))
    frame.planes[0].update(row * size[1])
    return frame


def _of_rgb(size: tuple[int, int], pixels: bytes) -> av.VideoFrame:
    frame, row = av.VideoFrame(*size, "rgb24"), size[0] * 3
    line = frame.planes[0].line_size
    frame.planes[0].update(b"".join(pixels[at : at + row].ljust(line, b"\0") for at in range(0, len(pixels), row)))
    return frame


def box(name: bytes, *parts: bytes) -> bytes:
    """Return a box of MP4 around its parts."""
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def with_matrix(film: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """Return an MP4 whose track has a display matrix."""
    a, b, c, d = (number << 16 for number in matrix)
    at = film.index(b"tkhd") + 4 + 40
    return film[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + film[at + 36 :]


def with_boxes(film: bytes, boxes: bytes, *, in_track: bool = False) -> bytes:
    """Return an MP4 with its "moov" last, and with boxes in place of its metadata."""
    film = film.replace(b"meta", b"free").replace(b"udta", b"free")
    moov, trak = film.index(b"moov") - 4, film.index(b"trak") - 4
    end = trak + int.from_bytes(film[trak : trak + 4], "big") if in_track else len(film)
    inner = box(b"trak", film[trak + 8 : end], boxes) if in_track else film[trak:] + boxes
    return film[:moov] + box(b"moov", film[moov + 8 : trak], inner, film[end:])


def write_sound(path: Path, container: str, codec: str, seconds: float = 2, cover: bytes | None = None) -> Path:
    """Write a tone that grows louder, with optional cover art."""
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000, layout="mono")
        if cover is not None:
            _mux_cover(out, cover)
        _mux_tone(out, stream, seconds)
    return path


def _mux_cover(out: OutputContainer, jpeg: bytes) -> None:
    picture: Any = out.add_stream("mjpeg", rate=1)
    picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
    picture.disposition = av.stream.Disposition.attached_pic
    packet = av.Packet(jpeg)
    packet.stream, packet.pts, packet.dts, packet.time_base, packet.is_keyframe = picture, 0, 0, Fraction(1, 1), True
    out.start_encoding()
    out.mux(packet)


def _mux_tone(out: OutputContainer, stream: Any, seconds: float) -> None:
    resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=48_000)
    fifo, total = av.AudioFifo(), int(seconds * 48_000)
    wave = [int(20_000 * math.sin(n / 20)) for n in range(4_800)]
    for start in range(0, total, 4_800):
        frame = av.AudioFrame("s16", "mono", 4_800)
        frame.planes[0].update(array("h", [value * start // total for value in wave]).tobytes())
        frame.rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        for small in resampler.resample(frame):
            fifo.write(small)
    count = stream.frame_size or 4_800
    for small in fifo.read_many(count, partial=True):
        out.mux(stream.encode(small))
    out.mux(stream.encode(None))
