"""Writes HEIC: one HEVC frame in the boxes of ISO/IEC 23008-12."""

import io
import struct

import av
from PIL import Image


def heic(image: Image.Image, quarter_turns: int = 0, pixels: str = "yuv420p") -> bytes:
    """Return a picture as HEIC, rotated by ``irot``. Its sides are multiples of 16."""
    config, frame = _hevc(image, pixels)
    properties = [config, _full(b"ispe", struct.pack(">II", *image.size)), _box(b"irot", bytes([quarter_turns]))]
    uses = struct.pack(">IHB", 1, 1, 3) + bytes([0x81, 2, 0x83])
    described = _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", uses))
    start = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    offset = len(start) + len(_meta(described, 0, len(frame))) + 8
    return start + _meta(described, offset, len(frame)) + _box(b"mdat", frame)


def _meta(described: bytes, offset: int, length: int) -> bytes:
    item = _full(b"infe", struct.pack(">HH", 1, 0) + b"hvc1\0", 2)
    place = bytes([0x44, 0]) + struct.pack(">HHHHII", 1, 1, 0, 1, offset, length)
    return _full(
        b"meta",
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13))
        + _full(b"pitm", struct.pack(">H", 1))
        + _full(b"iloc", place)
        + _full(b"iinf", struct.pack(">H", 1) + item)
        + described,
    )


def _hevc(image: Image.Image, pixels: str) -> tuple[bytes, bytes]:
    """Return the decoder's configuration box and the frame from an MP4."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream(
            "libx265", rate=1, options={"x265-params": "log-level=none:keyint=1:pools=none:frame-threads=1"}
        )
        stream.width, stream.height = image.size
        stream.pix_fmt = pixels
        frame_in = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # it ships no types for this
        container.mux([*stream.encode(frame_in), *stream.encode(None)])
    data = out.getvalue()
    config, frame = data.index(b"hvcC") - 4, data.index(b"mdat") - 4
    return _at(data, config), _at(data, frame)[8:]


def _at(data: bytes, start: int) -> bytes:
    return data[start : start + int.from_bytes(data[start : start + 4], "big")]


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def _full(name: bytes, body: bytes, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]) + body)
