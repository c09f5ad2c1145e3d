"""Reads the facts of a sound, and whether any of it can be decoded."""

from typing import Any

from lambdas.inspect_file.movies import facts_of_film
from lambdas.shared.decoding.jobs import MediaFile
from lambdas.shared.decoding.limits import Limits
from lambdas.shared.media.containers import facts_of_sound, film_of, open_container


def inspect_sound(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return fields of FileFacts: seconds, and what the recorder wrote.

    A container that shows something is video: kind and media_type say so. Raises UnreadableAudio and FileTooLarge.
    """
    with open_container(file, limits) as container:
        stream = film_of(container)
        if stream is None:
            return facts_of_sound(file, container, limits)
        media_type = file.media_type.replace("audio/", "video/", 1)
        return {"kind": "video", "media_type": media_type, **facts_of_film(file, container, stream, limits)}
