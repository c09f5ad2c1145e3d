"""Reads the facts of a video, and whether a frame of it can be decoded."""

from typing import Any

from lambdas.inspect_file.sounds import facts_of_sound
from lambdas.shared.containers import aspect_of, facts_of_tags, open_container, seconds_of, unreadable
from lambdas.shared.decoding.jobs import MediaFile
from lambdas.shared.limits import Limits

_MP4 = frozenset({"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2"})


def inspect_movie(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return fields of FileFacts: width and height as it is seen, seconds, and what the camera wrote.

    A container without video is audio: kind and media_type say so. Raises UnreadableVideo and FileTooLarge.
    """
    with open_container(file, limits) as container:
        if not container.streams.video:
            media_type = "audio/mp4" if file.media_type in _MP4 else file.media_type.replace("video/", "audio/", 1)
            return {"kind": "audio", "media_type": media_type, **facts_of_sound(file, container, limits)}
        stream = container.streams.video[0]
        frame = next(container.decode(stream), None)
        if frame is None:
            raise unreadable(file, "has no frame that can be decoded.")
        width, height = max(1, round(frame.width * aspect_of(stream))), frame.height
        if frame.rotation % 180:
            width, height = height, width
        facts = {"width": width, "height": height, **facts_of_tags(container)}
        return {**facts, "duration_seconds": seconds_of(file, container, limits)}
