"""Reads the facts of video and audio, and checks that they can be decoded."""

from typing import Any

from av.container import InputContainer
from av.video.stream import VideoStream

from lambdas.shared.decoding.job import Limits, MediaFile
from lambdas.shared.media.containers import (
    aspect_of,
    check_frame,
    first_frames,
    open_container,
    seconds_of,
    tags_of,
    turns_of,
    unreadable,
    video_of,
)

_MP4 = frozenset({"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2"})
# Audio types that are not named like the video type of the same container.
_AUDIO_TYPES = dict.fromkeys(_MP4, "audio/mp4") | {"video/mpeg": "audio/x-mpeg-ps"}  # audio/mpeg is MP3


def inspect_recording(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return kind, media type, width and height as displayed, duration and metadata for FileFacts.

    The streams decide between video and audio, not the first bytes. Raises UnreadableVideo, UnreadableAudio and
    FileTooLarge.
    """
    with open_container(file, limits) as container:
        stream = video_of(container)
        if stream is not None:
            kind, media_type = "video", file.media_type.replace("audio/", "video/", 1)
            size = _displayed_size(file, container, stream, limits)
        else:
            kind, size = "audio", {}
            media_type = _AUDIO_TYPES.get(file.media_type, file.media_type.replace("video/", "audio/", 1))
            sounds = container.streams.audio
            if not sounds or next(first_frames(container, sounds[0]), None) is None:
                raise unreadable(file, "has no sound that can be decoded.")
        facts = {**size, **tags_of(container), **seconds_of(file, container, limits)}
    return {"kind": kind, "media_type": media_type, **facts}


def _displayed_size(file: MediaFile, container: InputContainer, stream: VideoStream, limits: Limits) -> dict[str, int]:
    frame = next(first_frames(container, stream), None)
    if frame is None:
        raise unreadable(file, "has no frame that can be decoded.")
    check_frame(file, frame, limits)
    width, height = max(1, round(frame.width * aspect_of(stream))), frame.height
    if "rot90" in turns_of(frame):
        width, height = height, width
    return {"width": width, "height": height}
