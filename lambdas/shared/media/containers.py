"""Opens video and audio with FFmpeg in the detected format, without other files or network."""

import re
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media import captures
from workflows.errors import FileRejected, FileTooLarge, UnreadableAudio, UnreadableVideo

# Demuxers are called by name, so that content cannot choose one that opens other files (hls, concat, dash, image2).
_DEMUXERS = {
    "audio/flac": "flac",
    "audio/amr": "amr",
    "audio/amr-wb": "amr",
    "audio/x-caf": "caf",
    "audio/basic": "au",
    "audio/wav": "wav",
    "audio/aiff": "aiff",
    "audio/mp4": "mov",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/mpeg": "mp3",
    "audio/webm": "matroska",
    "audio/x-matroska": "matroska",
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/x-m4v": "mov",
    "video/3gpp": "mov",
    "video/3gpp2": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/ogg": "ogg",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "audio/x-mpeg-ps": "mpeg",
    "video/mp2t": "mpegts",
    "video/x-ms-asf": "asf",
    "video/x-msvideo": "avi",
}
_MAX_TRACKS = 100
_OPTIONS = {"protocol_whitelist": "none", "enable_drefs": "0", "max_streams": str(_MAX_TRACKS), "probesize": "5000000"}
_MAX_PACKETS = 1_000_000
_ISO_6709 = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")


def unreadable(file: MediaFile, what: str) -> FileRejected:
    """Return an UnreadableVideo or UnreadableAudio error."""
    leaf = UnreadableAudio if file.media_type.startswith("audio/") else UnreadableVideo
    return leaf(file.key, what, "Record or export it again, and upload that.")


@contextmanager
def open_container(file: MediaFile, limits: Limits) -> Generator[InputContainer]:
    """Yield an open file. Errors of FFmpeg in the block become UnreadableVideo or UnreadableAudio.

    Raises FileTooLarge for frames or seconds over a limit.
    """
    # A video container with sound alone has an audio type.
    demuxer = _DEMUXERS.get(file.media_type) or _DEMUXERS.get(file.media_type.replace("audio/", "video/", 1))
    if demuxer is None:
        raise unreadable(file, f"is {file.media_type}, which no decoder reads.")
    try:
        with Path(file.path).open("rb") as source, av.open(source, "r", format=demuxer, options=_OPTIONS) as container:
            _check(file, container, limits)
            yield container
    except av.MemoryError as error:  # FFmpeg's error for more than max_streams, too
        raise unreadable(file, f"has more than {_MAX_TRACKS} tracks, or asks for too much memory.") from error
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise unreadable(file, "cannot be decoded: it is broken, cut short or encrypted.") from error


def _check(file: MediaFile, container: InputContainer, limits: Limits) -> None:
    for stream in container.streams:
        if stream.type in {"audio", "video"} and stream.codec_context is None:
            raise unreadable(file, "is in a codec that no decoder knows.")
    for stream in container.streams.video:
        check_frame(file, stream, limits)
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
    for sound in container.streams.audio:
        sound.codec_context.thread_count = 1
    if (stated_seconds(container) or 0) > limits.max_media_seconds:
        raise _too_long(file, limits)


def check_frame(file: MediaFile, frame: VideoFrame | VideoStream, limits: Limits) -> None:
    """Raise FileTooLarge over ``max_pixels``. A container may state fewer than its frames have."""
    if frame.width * frame.height > limits.max_pixels:
        problem = f"has frames of {frame.width:,} x {frame.height:,} pixels, more than {limits.max_pixels:,}."
        raise FileTooLarge(file.key, problem, "Export it in a lower resolution.")


def _too_long(file: MediaFile, limits: Limits) -> FileTooLarge:
    problem = f"lasts more than {limits.max_media_seconds:,} seconds."
    return FileTooLarge(file.key, problem, "Cut it into shorter parts.")


def stated_seconds(container: InputContainer) -> float | None:
    """Return the duration that the container or a stream states, None if neither does."""
    if container.duration and container.duration > 0:
        return container.duration / 1_000_000
    stated = [float(s.duration * s.time_base) for s in container.streams if s.duration and s.time_base]
    return max([0.0, *stated]) or None  # broken files state negative durations


def video_of(container: InputContainer) -> VideoStream | None:
    """Return the first video stream that is not cover art, None without one."""
    return next((one for one in container.streams.video if not one.disposition & Disposition.attached_pic), None)


def first_frames(
    container: InputContainer, stream: Any, packets: int | None = 300, until: float = inf
) -> Generator[Any]:
    """Yield the frames of the next packets, except broken ones, until a monotonic time."""
    for packet in islice(container.demux(stream), packets):
        with suppress(av.FFmpegError):  # try the next packet
            yield from packet.decode()
        if monotonic() > until:
            return


def seconds_of(file: MediaFile, container: InputContainer, limits: Limits) -> dict[str, Any]:
    """Return duration_seconds as stated, or from the packets unless there are too many.

    Raises FileTooLarge over ``max_media_seconds``.
    """
    stated = stated_seconds(container)
    if stated is not None:
        return {"duration_seconds": round(stated, 3)}
    end = 0.0
    for count, packet in enumerate(container.demux()):
        if packet.pts is not None and packet.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if end > limits.max_media_seconds:
            raise _too_long(file, limits)
        if count >= _MAX_PACKETS:
            return {}
    return {"duration_seconds": round(end, 3)}


def tags_of(container: InputContainer) -> dict[str, Any]:
    """Return captured_at, camera, latitude and longitude from the metadata, where present."""
    tags: dict[str, str] = {}
    for stated in (container.metadata, *(stream.metadata for stream in container.streams)):
        for key, value in stated.items():
            tags.setdefault(key.lower(), value.strip())
    return {**_captured(tags), **_camera(tags), **_place(tags)}


def _captured(tags: dict[str, str]) -> dict[str, Any]:
    for name in ("com.apple.quicktime.creationdate", "creation_time"):
        try:
            moment = datetime.fromisoformat(tags.get(name, ""))
        except ValueError:
            continue
        if name == "creation_time" and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if stated := captures.captured_at(moment.replace(tzinfo=None), f"{moment:%:z}"):
            return {"captured_at": stated}
    return {}


def _camera(tags: dict[str, str]) -> dict[str, Any]:
    make, model = (
        tags.get(f"com.apple.quicktime.{part}") or tags.get(f"com.android.{android}") or tags.get(part, "")
        for part, android in (("make", "manufacturer"), ("model", "model"))
    )
    name = captures.camera(make, model)
    return {"camera": name} if name else {}


def _place(tags: dict[str, str]) -> dict[str, Any]:
    found = _ISO_6709.match(tags.get("com.apple.quicktime.location.iso6709") or tags.get("location", ""))
    return captures.position(float(found[1]), float(found[2])) if found else {}


def aspect_of(stream: Any) -> Fraction:
    """Return a pixel's width divided by its height, 1 if missing or implausible."""
    stated = stream.sample_aspect_ratio
    return stated if stated and Fraction(1, 4) <= stated <= 4 else Fraction(1)


def turns_of(frame: VideoFrame) -> list[str]:
    """Return the libvips operations that turn a frame upright, in order.

    Phones do not turn the pixels, but write a matrix of rotation and reflection.
    """
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return []
    right, down, _, right_by_row, down_by_row = struct.unpack("=9i", bytes(matrix))[:5]
    if abs(right) + abs(down_by_row) >= abs(down) + abs(right_by_row):
        return ["fliphor"] * (right < 0) + ["flipver"] * (down_by_row < 0)
    return ["rot90"] + ["fliphor"] * (right_by_row > 0) + ["flipver"] * (down < 0)
