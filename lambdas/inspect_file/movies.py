"""Reads the facts of a video, and whether a frame of it can be decoded."""

from typing import Any

from av.container import InputContainer
from av.video.stream import VideoStream

from lambdas.shared.decoding.jobs import MediaFile
from lambdas.shared.decoding.limits import Limits
from lambdas.shared.media.containers import (
    aspect_of,
    check_frame,
    facts_of_sound,
    facts_of_tags,
    film_of,
    first_frames,
    open_container,
    seconds_of,
    turns_of,
    unreadable,
)

_MP4 = frozenset({"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2"})


def inspect_movie(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return fields of FileFacts: width and height as it is seen, seconds, and what the camera wrote.

    A container without video is audio: kind and media_type say so. Raises UnreadableVideo and FileTooLarge.
    """
    with open_container(file, limits) as container:
        stream = film_of(container)
        if stream is not None:
            return facts_of_film(file, container, stream, limits)
        return {
            "kind": "audio",
            "media_type": _sound_type(file.media_type),
            **facts_of_sound(file, container, limits),
        }


def _sound_type(media_type: str) -> str:
    if media_type in _MP4:
        return "audio/mp4"
    if media_type == "video/mpeg":
        return "audio/x-mpeg-ps"  # audio/mpeg is MP3
    return media_type.replace("video/", "audio/", 1)


def facts_of_film(file: MediaFile, container: InputContainer, stream: VideoStream, limits: Limits) -> dict[str, Any]:
    """Return the facts of an open container that has video. Raises as inspect_movie."""
    frame = next(first_frames(container, stream), None)
    if frame is None:
        raise unreadable(file, "has no frame that can be decoded.")
    check_frame(file, frame, limits)
    width, height = max(1, round(frame.width * aspect_of(stream))), frame.height
    if "rot90" in turns_of(frame):
        width, height = height, width
    return {"width": width, "height": height, **facts_of_tags(container), **seconds_of(file, container, limits)}
