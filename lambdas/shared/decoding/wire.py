"""Protocol between the function and a decoder over a socket.

The function sends a request: four bytes of length, then JSON; the file's descriptor comes with the first byte. The
decoder sends frames: two lengths of four bytes, then JSON, then the bytes of all files that it made, one after the
other. A decoder may be taken over by a hostile file, so nothing it sends is unpickled, unbounded or believed.
"""

import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

REQUEST_HEAD = struct.Struct("!I")
FRAME_HEAD = struct.Struct("!II")
MAX_ANSWER_BYTES = 256 * 1024
MAX_FILES = 64
MAX_FILES_BYTES = 64 * 1024 * 1024
_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


# What C libraries print when they get no memory, each in its own words.
_MEMORY_IS_OUT = re.compile(
    r"bad_alloc|(failed|unable|could not|cannot) (to )?allocate|out of memory|not enough memory|MemoryError",
    re.IGNORECASE,
)


class AnswerInvalid(Exception):
    """What a decoder sent is nothing that a decoder sends."""


@dataclass(frozen=True)
class Frame:
    """One message of a decoder: ``ready``, ``answer``, ``rejection`` or ``failure`` says which."""

    body: Mapping[str, Any]
    files: Sequence[bytes] = ()


def pack(body: Mapping[str, Any], files: Sequence[bytes] = ()) -> list[bytes]:
    """Return the pieces of a frame, in their order."""
    text = json.dumps({**body, "files": [len(file) for file in files]}, allow_nan=False).encode()
    return [FRAME_HEAD.pack(len(text), sum(map(len, files))) + text, *files]


def lengths_of(head: bytes) -> tuple[int, int]:
    """Return how many bytes of JSON and of files follow. Raises AnswerInvalid for more than there may be."""
    text_bytes, files_bytes = FRAME_HEAD.unpack(head)
    if text_bytes > MAX_ANSWER_BYTES or files_bytes > MAX_FILES_BYTES:
        raise AnswerInvalid(f"announced {text_bytes:,} bytes of JSON and {files_bytes:,} of files")
    return text_bytes, files_bytes


def unpack(text: bytes, data: bytes) -> Frame:
    """Return the frame that JSON and the files' bytes are. Raises AnswerInvalid."""
    try:
        body = json.loads(text)
        # What cannot be written again would fail somewhere later: NaN, 1e999, lone surrogates, lists without end.
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid(f"sent no JSON: {type(error).__name__}") from None
    if not isinstance(body, dict):
        raise AnswerInvalid("sent JSON that is no object")
    lengths = body.pop("files", None)
    if not _are_lengths(lengths) or sum(lengths) != len(data):
        raise AnswerInvalid("sent files of other lengths than it said")
    return Frame(body, [data[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)])


def as_sentence(text: object, max_characters: int) -> str:
    """Return a decoder's text as it may be shown: one line, printable, of bounded length."""
    return _NOT_PRINTED.sub(" ", str(text)).strip()[:max_characters]


def says_memory_is_out(text: str) -> bool:
    """Return whether a message says that an allocation of memory failed."""
    return _MEMORY_IS_OUT.search(text) is not None


def _are_lengths(lengths: Any) -> bool:
    return (
        isinstance(lengths, list)
        and len(lengths) <= MAX_FILES
        and all(type(length) is int and length >= 0 for length in lengths)
    )
