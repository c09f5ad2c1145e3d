"""All detected video and audio formats are read, without other files or endless work."""

import io
from pathlib import Path
from time import perf_counter

import av
import pytest
from PIL import Image

from lambdas.inspect_file.recordings import inspect_recording
from lambdas.inspect_file.sniffing import HEAD_BYTES, sniff
from lambdas.make_thumbnails.recordings import draw_audio, draw_video
from lambdas.make_thumbnails.thumbnail_sizes import PREVIEW_SIZE, ThumbnailSize
from lambdas.shared.decoding.job import Limits
from lambdas.shared.media import containers
from lambdas.shared.media.containers import open_container
from tests.lambdas.films import AMR_NB, as_file, write_film, write_sound
from workflows.contracts.guard_report import FileKind
from workflows.errors import FileRejected, FileTooLarge, UnreadableAudio, UnreadableVideo

FORMS = [ThumbnailSize("small", 160)]
QUIET = {"x265-params": "log-level=none:pools=none:frame-threads=1"}
TAGS = {
    "com.apple.quicktime.creationdate": "2026-03-01T10:20:30+0100",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15",
    "com.apple.quicktime.location.ISO6709": "+40.4168-003.7038+650/",
}


def sniffed(path: Path) -> str:
    return sniff(path.read_bytes()[:HEAD_BYTES]).media_type


@pytest.mark.parametrize(
    ("container", "codec", "sound", "media_type"),
    [
        ("mp4", "libx264", "aac", "video/mp4"),
        ("mp4", "libx265", None, "video/mp4"),
        ("mov", "libx264", None, "video/quicktime"),
        ("webm", "libvpx", "libopus", "video/webm"),
        ("webm", "libvpx-vp9", None, "video/webm"),
        ("matroska", "libx264", None, "video/x-matroska"),
        ("3gp", "h263", None, "video/3gpp"),
        ("3gp", "mpeg4", "aac", "video/3gpp"),
        ("avi", "mpeg4", "libmp3lame", "video/x-msvideo"),
        ("flv", "libx264", None, "video/x-flv"),
        ("mpegts", "libx264", None, "video/mp2t"),
        ("asf", "wmv2", None, "video/x-ms-asf"),
    ],
)
def test_a_video_is_detected_inspected_and_drawn(
    tmp_path: Path, container: str, codec: str, sound: str | None, media_type: str
) -> None:
    path = write_film(tmp_path / "film", container, codec, sound=sound, options=QUIET if codec == "libx265" else None)
    assert sniffed(path) == media_type

    facts = inspect_recording(as_file(path, media_type), Limits())
    drawn = draw_video(as_file(path, media_type), [*FORMS, PREVIEW_SIZE], Limits())

    assert facts["height"] == 144
    assert facts["duration_seconds"] == pytest.approx(2, abs=0.3)
    assert len(drawn) == 2
    assert len(drawn[1].data) < 300_000


@pytest.mark.parametrize(
    ("container", "codec", "media_type"),
    [
        ("ipod", "aac", "audio/mp4"),
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("ogg", "libopus", "audio/ogg"),
        ("wav", "pcm_s16le", "audio/wav"),
        ("flac", "flac", "audio/flac"),
        ("adts", "aac", "audio/aac"),
        ("aiff", "pcm_s16be", "audio/aiff"),
        ("caf", "pcm_s16le", "audio/x-caf"),
        ("au", "pcm_s16be", "audio/basic"),
        ("webm", "libopus", "audio/webm"),
    ],
)
def test_a_sound_is_detected_inspected_and_drawn(tmp_path: Path, container: str, codec: str, media_type: str) -> None:
    path = write_sound(tmp_path / "sound", container, codec)
    assert sniffed(path) == media_type

    facts = inspect_recording(as_file(path, media_type), Limits())

    assert facts["duration_seconds"] == pytest.approx(2, abs=0.1)
    assert len(draw_audio(as_file(path, media_type), FORMS, Limits())) == 1


def test_the_duration_of_amr_is_counted_by_frames(tmp_path: Path) -> None:
    path = tmp_path / "speech.amr"
    path.write_bytes(AMR_NB)

    assert sniffed(path) == "audio/amr"
    assert inspect_recording(as_file(path, "audio/amr"), Limits())["duration_seconds"] == pytest.approx(1, abs=0.05)
    assert len(draw_audio(as_file(path, "audio/amr"), FORMS, Limits())) == 1


@pytest.mark.parametrize(
    ("container", "media_type", "becomes"),
    [
        ("mp4", "video/mp4", "audio/mp4"),
        ("mov", "video/quicktime", "audio/mp4"),
        ("mpegts", "video/mp2t", "audio/mp2t"),
        ("mpeg", "video/mpeg", "audio/x-mpeg-ps"),
    ],
)
def test_a_video_container_without_video_becomes_audio(
    tmp_path: Path, container: str, media_type: str, becomes: str
) -> None:
    path = write_sound(tmp_path / "sound", container, "mp2" if container == "mpeg" else "aac")

    facts = inspect_recording(as_file(path, media_type), Limits())

    assert (facts["kind"], facts["media_type"]) == (FileKind.AUDIO, becomes)
    assert len(draw_audio(as_file(path, becomes), FORMS, Limits())) == 1


def test_an_audio_container_with_video_becomes_video(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film", "mp4", "libx264", sound="aac")

    facts = inspect_recording(as_file(path, "audio/mp4"), Limits())

    assert (facts["kind"], facts["media_type"], facts["height"]) == (FileKind.VIDEO, "video/mp4", 144)


@pytest.mark.parametrize(
    ("container", "codec", "media_type"), [("mp4", "aac", "video/mp4"), ("mp3", "libmp3lame", "audio/mpeg")]
)
def test_cover_art_is_not_a_video(tmp_path: Path, container: str, codec: str, media_type: str) -> None:
    cover = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(cover, "JPEG")
    path = write_sound(tmp_path / "sound", container, codec, cover=cover.getvalue())

    facts = inspect_recording(as_file(path, media_type), Limits())

    assert facts["kind"] == FileKind.AUDIO
    assert "width" not in facts


def test_a_ten_bit_video_of_a_phone_is_read(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film", "mov", "libx265", pix_fmt="yuv420p10le", tags=TAGS, options=QUIET)

    facts = inspect_recording(as_file(path, "video/quicktime"), Limits())

    assert facts["captured_at"] == "2026-03-01T10:20:30+01:00"
    assert facts["camera"] == "Apple iPhone 15"
    assert (facts["latitude"], facts["longitude"]) == (40.4168, -3.7038)
    assert len(draw_video(as_file(path, "video/quicktime"), FORMS, Limits())) == 1


@pytest.mark.parametrize(
    "media_type", ["video/mp4", "video/webm", "video/mp2t", "video/x-flv", "audio/mpeg", "audio/aac"]
)
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{bait}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{bait}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
def test_a_playlist_opens_no_other_files(tmp_path: Path, media_type: str, text: str) -> None:
    bait = write_film(tmp_path / "bait.ts", "mpegts", "mpeg4", seconds=1)
    path = tmp_path / "list"
    path.write_text(text.format(bait=bait))

    assert sniff(path.read_bytes()).kind is FileKind.OTHER
    with pytest.raises((UnreadableVideo, UnreadableAudio)):
        inspect_recording(as_file(path, media_type), Limits())


def grown(box: bytes, path: list[bytes], dref: bytes) -> bytes:
    """Return a box with its data reference replaced and the sizes corrected."""
    if not path:
        return len(dref).to_bytes(4, "big") + box[4:12] + dref[12:]
    at = box.index(path[0]) - 4
    size = int.from_bytes(box[at : at + 4], "big")
    inner = grown(box[at : at + size], path[1:], dref)
    body = box[:at] + inner + box[at + size :]
    return len(body).to_bytes(4, "big") + body[4:]


def with_reference(film: bytes, bait: str) -> bytes:
    """Return a video whose samples are in another file, by an alias of QuickTime."""
    name = bait.encode()
    alias = bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + b"\0\1\0\1" + bytes(16)
    alias += b"\0\2" + len(name).to_bytes(2, "big") + name + bytes(len(name) % 2) + b"\xff\xff\0\0"
    entry = (12 + len(alias)).to_bytes(4, "big") + b"alis" + bytes(4) + alias
    dref = bytes(12) + bytes(3) + b"\1" + entry
    at = film.index(b"moov") - 4
    moov = grown(film[at:], [b"trak", b"mdia", b"minf", b"dinf", b"dref"], dref)
    mdat = film.index(b"mdat") + 4
    return film[:mdat] + bytes(at - mdat) + moov


def test_a_video_with_samples_in_another_file_is_unreadable(tmp_path: Path) -> None:
    bait = write_film(tmp_path / "bait.mov", "mov", "mpeg4", seconds=1)
    path = tmp_path / "film.mov"
    path.write_bytes(with_reference(bait.read_bytes(), str(bait)))
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as lured:
        assert next(lured.decode(video=0)).width == 176  # the bait works

    with pytest.raises(UnreadableVideo):
        inspect_recording(as_file(path, "video/quicktime"), Limits())
    with pytest.raises(UnreadableVideo):
        draw_video(as_file(path, "video/quicktime"), FORMS, Limits())


@pytest.mark.parametrize(
    "content",
    [
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x08free" * 100_000,
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x01mdat" + b"\x7f" + b"\xff" * 7,
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x01moov" + b"\xff" * 8 + bytes(100),
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\x10\0\0moov\0\x0f\0\0trak" * 50_000,
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\0moov\0\0\0\0trak\0\0\0\0mdia",
    ],
    ids=["no moov", "boxes without end", "64 bits", "more than 64 bits", "boxes in boxes", "boxes to the end"],
)
def test_boxes_with_wrong_sizes_are_refused_at_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    started = perf_counter()

    with pytest.raises(UnreadableVideo):
        inspect_recording(as_file(path, "video/mp4"), Limits())

    assert perf_counter() - started < 2


@pytest.mark.parametrize("kept", [0.6, 0.9])
def test_a_truncated_video_is_drawn_as_far_as_possible(tmp_path: Path, kept: float) -> None:
    whole = write_film(tmp_path / "film", "matroska", "libx264").read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: int(len(whole) * kept)])

    assert inspect_recording(as_file(path, "video/x-matroska"), Limits())["height"] == 144
    assert len(draw_video(as_file(path, "video/x-matroska"), FORMS, Limits())) == 1


def test_broken_first_packets_of_a_video_are_skipped(tmp_path: Path) -> None:
    content = bytearray(write_film(tmp_path / "film", "mp4", "mpeg4", seconds=3).read_bytes())
    start = content.index(b"mdat") + 4
    content[start : start + 40] = bytes(40)
    path = tmp_path / "broken"
    path.write_bytes(content)

    assert inspect_recording(as_file(path, "video/mp4"), Limits())["width"] == 176
    assert len(draw_video(as_file(path, "video/mp4"), FORMS, Limits())) == 1


def test_hours_of_sound_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "speech.amr"
    path.write_bytes(AMR_NB[:6] + AMR_NB[6:] * 3600)
    file, before = as_file(path, "audio/amr"), _data_mib()

    assert len(draw_audio(file, FORMS, Limits())) == 1

    assert _data_mib() - before < 200


def _data_mib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData")) // 1024


def test_a_file_of_too_many_packets_has_no_duration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "speech.amr"
    path.write_bytes(AMR_NB)
    file = as_file(path, "audio/amr")
    monkeypatch.setattr(containers, "stated_seconds", lambda _container: None)
    assert inspect_recording(file, Limits())["duration_seconds"] == pytest.approx(1, abs=0.05)

    monkeypatch.setattr(containers, "_MAX_PACKETS", 5)

    assert "duration_seconds" not in inspect_recording(file, Limits())


def test_counted_seconds_over_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "sound", "adts", "aac", seconds=3)
    monkeypatch.setattr(containers, "stated_seconds", lambda _container: None)

    with pytest.raises(FileTooLarge, match="lasts more than 1 seconds"):
        inspect_recording(as_file(path, "audio/aac"), Limits(max_media_seconds=1))


def test_an_error_of_ffmpeg_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"nothing of the kind")

    with pytest.raises(FileRejected, match=r"film\.mp4"), open_container(as_file(path, "video/mp4"), Limits()):
        pass
