"""The contract of a decoding job: what it is given and what it answers.

A job is the function ``job`` of a module, ``decoder_job`` of inspect_file or make_thumbnails. It runs in the decoder's
process, which has no credentials, little memory and little time; whatever it does there, the function goes on. The
module's ``WARM`` names what is imported before the first file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.shared.decoding.limits import Limits


@dataclass(frozen=True)
class MediaFile:
    """A file to decode. ``path`` can be opened and read from its start, any number of times, while the job runs.

    ``key`` names the file in errors; the path's own name says nothing.
    """

    path: str
    key: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True)
class Decoded:
    """What a job answers: plain JSON, and the files that it made. No file is written: they travel back as bytes."""

    answer: Mapping[str, Any]
    files: Sequence[bytes] = ()


# Given the file, the limits and the job's own arguments (plain JSON). It raises a leaf of FileRejected for what cannot
# be processed; any other error becomes DecoderCrashed, a MemoryError DecoderOutOfMemory.
type Job = Callable[[MediaFile, Limits, Mapping[str, Any]], Decoded]
