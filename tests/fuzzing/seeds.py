"""Makes a small file of each kind, for the fuzzer and the benchmarks."""

import io
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.lambdas.pictures import encoded, jpeg_turned, pdf

_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_SAME_EACH_TIME = {"fflags": "+bitexact"}  # else Matroska and Ogg number their streams by chance
_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="#c22"/></svg>'
)


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return a picture with detail at every scale, which compresses like a photo."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for cells in (3, 11, 37):
        coarse = Image.fromarray(rng.integers(0, 255, (cells, cells, 3), dtype=np.uint8))
        picture += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=float) / 3
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def animation(width: int = 40, height: int = 30, frames: int = 5) -> bytes:
    """Return an animated GIF."""
    pictures = [scene(width, height, seed) for seed in range(frames)]
    return encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=100)


def video(container: str, codec: str, width: int = 64, height: int = 48, seconds: float = 1.0) -> bytes:
    """Return a video of moving bands, 10 frames each second, without sound."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=_SAME_EACH_TIME) as file:
        stream: Any = file.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none:pools=none:frame-threads=1"}  # else it writes its settings
        base = np.asarray(scene(width, height))
        for number in range(max(1, round(seconds * 10))):
            frame = av.VideoFrame.from_ndarray(np.roll(base, number * 3, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def sound(container: str, codec: str, rate: int = 16_000, seconds: float = 1.0, layout: str = "mono") -> bytes:
    """Return a tone that swells."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=_SAME_EACH_TIME) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout=layout)
        times = np.arange(round(seconds * rate)) / rate
        wave = (np.sin(times * 2 * np.pi * 440) * (times / seconds) * 20_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis, :], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=stream.frame_size or 0)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def heic(width: int = 64, height: int = 48) -> bytes:
    """Return a HEIC: one HEVC picture in the boxes of ISO/IEC 23008-12."""
    mp4 = video("mp4", "libx265", width, height, 0.1)
    decoder_set_up, coded = _content_of(mp4, b"hvcC"), _content_of(mp4, b"mdat")
    properties = _box(
        b"iprp",
        _box(b"ipco", _box(b"hvcC", decoder_set_up) + _full_box(b"ispe", struct.pack(">II", width, height))),
        _full_box(b"ipma", struct.pack(">IHBBB", 1, 1, 2, 0x81, 2)),
    )
    head = _box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic")

    def meta(offset: int) -> bytes:
        return _full_box(
            b"meta",
            _full_box(b"hdlr", b"\x00\x00\x00\x00pict" + bytes(13)),
            _full_box(b"pitm", struct.pack(">H", 1)),
            _full_box(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(coded))),
            _full_box(b"iinf", struct.pack(">H", 1), _box(b"infe", b"\x02\x00\x00\x00\x00\x01\x00\x00hvc1\x00")),
            properties,
        )

    return head + meta(len(head) + len(meta(0)) + 8) + _box(b"mdat", coded)


def word(text: str = "Patrol log", extra: Mapping[str, bytes] | None = None) -> bytes:
    """Return a DOCX with one paragraph; ``extra`` are more parts of it."""
    parts = {
        "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships'
        f'+xml"/><Override PartName="/word/document.xml" ContentType="{_WORD}"/></Types>',
        "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships'
        '/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/document.xml": '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/'
        f'wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>',
    }
    return zipped({**{name: part.encode() for name, part in parts.items()}, **(extra or {})})


def open_document(text: str = "Patrol log") -> bytes:
    """Return an ODT with one paragraph."""
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry '
        'manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.text"/></manifest:manifest>'
    )
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text='
        f'"urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text><text:p>{text}</text:p>'
        "</office:text></office:body></office:document-content>"
    )
    return zipped(
        {
            "mimetype": b"application/vnd.oasis.opendocument.text",
            "content.xml": content.encode(),
            "META-INF/manifest.xml": manifest.encode(),
        }
    )


def zipped(parts: Mapping[str, bytes]) -> bytes:
    """Return a ZIP with these members, the first one uncompressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(parts.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED if number else zipfile.ZIP_STORED)
    return out.getvalue()


# Kind of file -> its maker. Each has a few kilobytes, so that mutations hit headers, not pixels.
_SAMPLES = Path(__file__).parents[2] / "deploy" / "local" / "demo" / "samples"
SEEDS: Mapping[str, Callable[[], bytes]] = {
    "jpeg": lambda: jpeg_turned(6),
    "png": lambda: encoded(scene(40, 30), "PNG"),
    "webp": lambda: encoded(scene(40, 30), "WEBP"),
    "gif": animation,
    "tiff": lambda: encoded(scene(40, 30), "TIFF", compression="tiff_lzw"),
    "bmp": lambda: encoded(scene(40, 30), "BMP"),
    "avif": lambda: encoded(scene(40, 30), "AVIF"),
    "heic": (_SAMPLES / "launch-pad.heic").read_bytes,
    "mp4": lambda: video("mp4", "libx264"),
    "mov": lambda: video("mov", "libx264"),
    "webm": lambda: video("webm", "libvpx"),
    "3gp": lambda: video("3gp", "h263", 128, 96),
    "m4a": lambda: sound("ipod", "aac"),
    "mp3": lambda: sound("mp3", "libmp3lame"),
    "ogg": lambda: sound("ogg", "libopus"),
    "wav": lambda: sound("wav", "pcm_s16le", 8_000, 0.3),
    "pdf": lambda: pdf(pages=2),
    "docx": word,
    "odt": open_document,
    "svg": lambda: _SVG,
}


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, name) + body


def _full_box(name: bytes, *content: bytes) -> bytes:
    return _box(name, bytes(4), *content)


def _content_of(mp4: bytes, name: bytes) -> bytes:
    """Return the content of the first box of a name, at any depth."""
    start = next(_named(mp4, name))
    size = struct.unpack(">I", mp4[start - 4 : start])[0]
    return mp4[start + 4 : start - 4 + size]


def _named(mp4: bytes, name: bytes) -> Iterator[int]:
    at = mp4.find(name)
    while at >= 0:
        yield at
        at = mp4.find(name, at + 1)
