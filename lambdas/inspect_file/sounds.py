"""Reads the facts of a sound, and whether any of it can be decoded."""

from typing import Any

from av.container import InputContainer

from lambdas.shared.containers import facts_of_tags, open_container, seconds_of, unreadable
from lambdas.shared.decoding.jobs import MediaFile
from lambdas.shared.limits import Limits


def inspect_sound(file: MediaFile, limits: Limits) -> dict[str, Any]:
    """Return fields of FileFacts: seconds, and what the recorder wrote. Raises UnreadableAudio and FileTooLarge."""
    with open_container(file, limits) as container:
        return facts_of_sound(file, container, limits)


def facts_of_sound(file: MediaFile, container: InputContainer, limits: Limits) -> dict[str, Any]:
    """Return the facts of an open container that has sound. Raises as inspect_sound."""
    if not container.streams.audio or next(container.decode(audio=0), None) is None:
        raise unreadable(file, "has no sound that can be decoded.")
    return {**facts_of_tags(container), "duration_seconds": seconds_of(file, container, limits)}
