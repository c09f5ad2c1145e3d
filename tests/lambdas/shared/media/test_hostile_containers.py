"""Hostile videos are refused within seconds, by inspection and by drawing."""

import struct
from collections.abc import Callable
from hashlib import shake_128
from pathlib import Path
from time import perf_counter

import pytest

from lambdas.inspect_file import audio_video_types
from lambdas.inspect_file.decoder_job import job
from lambdas.inspect_file.recordings import inspect_recording
from lambdas.make_thumbnails.recordings import draw_video
from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW_SIZE, ThumbnailSize
from lambdas.shared.decoding.job import Limits
from lambdas.shared.media import containers
from tests.lambdas.films import as_file, box, write_film
from workflows.errors import FileRejected, FileTooLarge, UnreadableVideo

type Change = Callable[[bytes], bytes]
SECONDS = 3


def verdicts(path: Path, media_type: str, limits: Limits | None = None) -> list[tuple[type[FileRejected], str]]:
    """Return the refusal of a video by each function, each within seconds."""
    file, limits = as_file(path, media_type), limits or Limits()
    found = []
    for run in (
        lambda: inspect_recording(file, limits),
        lambda: draw_video(file, [ThumbnailSize("small", 160), PREVIEW_SIZE], limits),
    ):
        started = perf_counter()
        with pytest.raises(FileRejected) as caught:
            run()
        assert perf_counter() - started < SECONDS
        found.append((caught.type, str(caught.value)))
    return found


def encrypted(film: bytes) -> bytes:
    """Return an H.264 video with its samples encrypted by common encryption."""
    start, end = film.index(b"mdat") + 4, film.index(b"moov") - 4
    out = bytearray(film)
    while start < end:
        length = int.from_bytes(out[start : start + 4], "big")
        out[start + 5 : start + 4 + length] = shake_128(str(start).encode()).digest(length - 1)
        start += 4 + length
    scheme = box(b"schm", bytes(4), b"cenc", struct.pack(">I", 0x10000))
    key = box(b"schi", box(b"tenc", bytes(6), b"\1\x08", bytes(16)))
    return in_sample_entry(bytes(out), b"encv", box(b"sinf", box(b"frma", b"avc1"), scheme, key))


def in_sample_entry(film: bytes, name: bytes, more: bytes) -> bytes:
    """Return a video whose "avc1" has another name and one more box."""
    at = film.index(b"avc1", film.index(b"stsd"))
    size = int.from_bytes(film[at - 4 : at], "big")
    out = bytearray(film[: at - 4] + box(name, film[at + 4 : at - 4 + size], more) + film[at - 4 + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        place = out.index(parent) - 4
        out[place : place + 4] = struct.pack(">I", int.from_bytes(out[place : place + 4], "big") + len(more))
    return bytes(out)


def with_tracks(film: bytes, tracks: bytes) -> bytes:
    moov = film.index(b"moov") - 4
    return film[:moov] + box(b"moov", film[moov + 8 :], tracks)


def first_track(film: bytes) -> bytes:
    at = film.index(b"trak") - 4
    return film[at : at + int.from_bytes(film[at : at + 4], "big")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (encrypted, "no frame that can be decoded"),
        (lambda film: with_tracks(film, first_track(film) * 200), "more than 100 tracks"),
        (lambda film: with_tracks(film, first_track(film) * 10_000), "more than 100 tracks"),
        (lambda film: with_tracks(film, box(b"trak") * 500_000), "more than 100 tracks"),
    ],
    ids=["encrypted", "200 tracks", "10,000 tracks", "500,000 tracks without content"],
)
def test_a_video_that_no_player_opens_is_unreadable(tmp_path: Path, change: Change, reason: str) -> None:
    path = write_film(tmp_path / "film.mp4", "mp4", "libx264", seconds=1)
    path.write_bytes(change(path.read_bytes()))

    for leaf, text in verdicts(path, "video/mp4"):
        assert leaf is UnreadableVideo
        assert reason in text


ENDLESS = b"\x01" + b"\xff" * 7
SEGMENT, CLUSTER, TAGS, TAG = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x12\x54\xc3\x67", b"\x73\x73"


def element(name: bytes, content: bytes) -> bytes:
    return name + (1 << 56 | len(content)).to_bytes(8, "big") + content


HEAD = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm")) + SEGMENT
SEEK_HEAD = b"\x11\x4d\x9b\x74"
SEEK_ITSELF = element(b"\x4d\xbb", element(b"\x53\xab", SEEK_HEAD) + element(b"\x53\xac", bytes(8)))
TRACK = element(b"\xae", element(b"\xd7", b"\1") + element(b"\x83", b"\1") + element(b"\x86", b"V_VP8"))


@pytest.mark.parametrize(
    "content",
    [
        ENDLESS,
        ENDLESS + (SEGMENT + ENDLESS) * 100_000,
        ENDLESS + (CLUSTER + ENDLESS) * 200_000,
        ENDLESS + TAGS + ENDLESS + (TAG + ENDLESS + b"\x67\xc8" + ENDLESS) * 100_000,
        ENDLESS + element(SEEK_HEAD, SEEK_ITSELF * 20_000),
        ENDLESS + element(b"\x16\x54\xae\x6b", TRACK * 20_000),
        ENDLESS + b"\xec\x80" * 2_000_000,
        ENDLESS + bytes(5_000_000),
        b"\x01\x7f" + b"\xff" * 6 + bytes(100),
        b"\x80",
    ],
    ids=[
        "nothing",
        "segments in segments",
        "clusters in clusters",
        "tags in tags",
        "an index that names itself",
        "20,000 tracks",
        "elements of no length",
        "zeros",
        "longer than any disk",
        "of no length",
    ],
)
def test_endless_elements_are_refused_at_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.webm"
    path.write_bytes(HEAD + content)

    assert [leaf for leaf, _ in verdicts(path, "video/webm")] == [UnreadableVideo, UnreadableVideo]


def with_small_size_in_matroska(film: bytes) -> bytes:
    wide, high = b"\xb0\x82" + struct.pack(">H", 640), b"\xba\x82" + struct.pack(">H", 480)
    assert (film.count(wide), film.count(high)) == (1, 1)
    return film.replace(wide, b"\xb0\x82\0\x40").replace(high, b"\xba\x82\0\x30")


def with_small_size_in_mp4(film: bytes) -> bytes:
    sample, track = struct.pack(">HH", 640, 480), struct.pack(">II", 640 << 16, 480 << 16)
    assert film.count(sample) == film.count(track) == 1
    return film.replace(sample, struct.pack(">HH", 64, 48)).replace(track, struct.pack(">II", 64 << 16, 48 << 16))


@pytest.mark.parametrize(
    ("container", "codec", "media_type", "change"),
    [
        ("webm", "libvpx", "video/webm", with_small_size_in_matroska),
        ("matroska", "mpeg4", "video/x-matroska", with_small_size_in_matroska),
        ("mp4", "libx264", "video/mp4", with_small_size_in_mp4),
        ("mp4", "mpeg4", "video/mp4", with_small_size_in_mp4),
    ],
)
def test_frames_larger_than_stated_are_refused(
    tmp_path: Path, container: str, codec: str, media_type: str, change: Change
) -> None:
    path = write_film(tmp_path / "film", container, codec, size=(640, 480), seconds=1)
    path.write_bytes(change(path.read_bytes()))

    for leaf, text in verdicts(path, media_type, Limits(max_pixels=100_000)):
        assert leaf is FileTooLarge
        assert "640 x 480 pixels" in text


def test_no_memory_is_allocated_for_gigapixels_in_a_header(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film", "avi", "mjpeg", size=(640, 480), seconds=1, pix_fmt="yuvj420p")
    header = b"\xff\xc0\0\x11\x08"
    content = path.read_bytes().replace(
        header + struct.pack(">HH", 480, 640), header + struct.pack(">HH", 65_500, 65_500)
    )
    path.write_bytes(content)

    assert [leaf for leaf, _ in verdicts(path, "video/x-msvideo")] == [UnreadableVideo, UnreadableVideo]


def detected_types() -> list[str]:
    """Return each media type in the source of the detection."""
    source = Path(audio_video_types.__file__).read_text()
    names = {word for word in source.split('"')[1::2] if word.startswith(("video/", "audio/"))}
    return sorted(names | {f"{kind}/{subtype}" for kind in ("video", "audio") for subtype in ("webm", "x-matroska")})


@pytest.mark.parametrize("media_type", detected_types())
def test_every_detected_media_type_has_a_demuxer(tmp_path: Path, media_type: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"nothing of the kind")
    kind = media_type.split("/", maxsplit=1)[0]

    with pytest.raises(FileRejected) as caught:
        job(as_file(path, media_type), Limits(), {"kind": kind})

    assert "which no decoder reads" not in str(caught.value)
    assert media_type in containers._DEMUXERS
