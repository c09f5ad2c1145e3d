"""Makes films and sounds with FFmpeg's own encoders."""

import math
from array import array
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer

from lambdas.shared.decoding.jobs import MediaFile

AMR_NB = b"#!AMR\n" + (b"\x3c" + bytes(range(31))) * 50  # a second of frames of 12.2 kbit/s


def as_file(path: Path, media_type: str) -> MediaFile:
    """Return a file as the decoder's process is given it."""
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
) -> Path:
    """Write a film of a ramp that moves, at ten frames a second, with a tone where ``sound`` names its codec."""
    flags = {"movflags": "use_metadata_tags"} if container in {"mp4", "mov"} else {}
    with av.open(str(path), "w", format=container, options=flags) as out:
        out.metadata.update(tags or {})
        stream: Any = out.add_stream(codec, rate=10, options=dict(options or {}))
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, pix_fmt, 5
        stream.codec_context.thread_count = 1
        tone = out.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number in range(int(seconds * 10)):
            frame = av.VideoFrame(*size, "gray")
            row = bytes((x * 2 + number * 8) % 256 for x in range(frame.planes[0].line_size))
            frame.planes[0].update(row * size[1])
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone is not None:
            _mux_tone(out, tone, seconds)
    return path


def write_sound(path: Path, container: str, codec: str, seconds: float = 2, cover: bytes | None = None) -> Path:
    """Write a tone that grows louder, with a picture of the cover where one is given."""
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
