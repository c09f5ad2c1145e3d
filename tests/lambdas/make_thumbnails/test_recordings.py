"""Inspection and thumbnails of video and audio that FFmpeg's own encoders made."""

import wave
from fractions import Fraction
from pathlib import Path

import av
import pytest
import pyvips  # type: ignore[import-untyped]  # it ships no types

from lambdas.inspect_file.recordings import inspect_recording
from lambdas.make_thumbnails.recordings import draw_audio, draw_video
from lambdas.make_thumbnails.thumbnail_sizes import JPEG, PREVIEW_SIZE, ThumbnailSize
from lambdas.shared.decoding.job import Limits, MediaFile
from workflows.errors import FileTooLarge, UnreadableAudio, UnreadableVideo

SIZES = [ThumbnailSize("small", 160), ThumbnailSize("small", 160, JPEG), PREVIEW_SIZE]


def video(path: Path, key_frame_every: int = 5) -> MediaFile:
    with av.open(str(path), "w", format="mp4", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata["com.apple.quicktime.creationdate"] = "2026-03-01T10:20:30+0100"
        out.metadata["com.apple.quicktime.location.ISO6709"] = "+40.4168-003.7038+650/"
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", key_frame_every
        for number in range(40):
            pixels = bytes(320 * 240 * 3) if number < 15 else bytes((x * number) % 256 for x in range(320)) * 720
            frame = av.VideoFrame(320, 240, "rgb24")
            frame.planes[0].update(pixels)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame.reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    return MediaFile(str(path), "a.mp4", "video/mp4", path.stat().st_size)


def sound(path: Path, swings: int = 400, rate: int = 8000) -> MediaFile:
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes((b"\x00\x40" * 20 + b"\x00\xc0" * 20) * swings)
    return MediaFile(str(path), "a.wav", "audio/wav", path.stat().st_size)


def test_facts_of_a_video_come_from_its_container(tmp_path: Path) -> None:
    facts = inspect_recording(video(tmp_path / "m"), Limits())
    assert (facts["width"], facts["height"]) == (320, 240)
    assert facts["duration_seconds"] == pytest.approx(4, abs=0.2)
    assert facts["captured_at"] == "2026-03-01T10:20:30+01:00"
    assert (facts["latitude"], facts["longitude"]) == (40.4168, -3.7038)


def test_a_poster_is_not_black_and_a_preview_is_animated(tmp_path: Path) -> None:
    file = video(tmp_path / "m")
    drawn = draw_video(file, SIZES, Limits())
    assert pyvips.Image.new_from_buffer(drawn[0].data, "").avg() > 30
    assert pyvips.Image.new_from_buffer(drawn[2].data, "").get("n-pages") > 3
    assert [one.data for one in draw_video(file, SIZES, Limits())] == [one.data for one in drawn]


def test_a_video_with_one_black_key_frame_has_poster_and_preview(tmp_path: Path) -> None:
    drawn = draw_video(video(tmp_path / "m", key_frame_every=1000), SIZES, Limits())

    assert pyvips.Image.new_from_buffer(drawn[0].data, "").avg() > 30
    assert pyvips.Image.new_from_buffer(drawn[2].data, "").get("n-pages") > 3


def test_a_sound_has_a_duration_and_a_waveform(tmp_path: Path) -> None:
    file = sound(tmp_path / "s")
    assert inspect_recording(file, Limits())["duration_seconds"] == 2
    assert [one.size for one in draw_audio(file, SIZES[:2], Limits())] == SIZES[:2]


def test_the_shortest_sound_has_a_waveform(tmp_path: Path) -> None:
    assert len(draw_audio(sound(tmp_path / "s", swings=1, rate=44_100), SIZES[:2], Limits())) == 2


def test_a_video_container_with_sound_alone_is_audio(tmp_path: Path) -> None:
    path = tmp_path / "asf"
    with av.open(str(path), "w", format="asf") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame("s16", "mono", 8000)
        frame.planes[0].update(b"\x00\x40" * 8000)
        frame.rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    facts = inspect_recording(MediaFile(str(path), "a.wma", "video/x-ms-asf", path.stat().st_size), Limits())
    file = MediaFile(str(path), "a.wma", facts["media_type"], path.stat().st_size)

    assert (facts["kind"], facts["media_type"]) == ("audio", "audio/x-ms-asf")
    assert len(draw_audio(file, SIZES[:2], Limits())) == 2


def test_recordings_over_a_limit_or_unreadable_are_refused(tmp_path: Path) -> None:
    file = video(tmp_path / "m")
    with pytest.raises(FileTooLarge, match="pixels"):
        inspect_recording(file, Limits(max_pixels=1000))
    with pytest.raises(FileTooLarge, match="seconds"):
        draw_video(file, SIZES, Limits(max_media_seconds=1))
    (tmp_path / "cut").write_bytes((tmp_path / "m").read_bytes()[:500])
    with pytest.raises(UnreadableVideo):
        inspect_recording(MediaFile(str(tmp_path / "cut"), "c", "video/mp4", 500), Limits())
    with pytest.raises(UnreadableAudio):
        inspect_recording(MediaFile(str(tmp_path / "cut"), "c", "audio/flac", 500), Limits())
