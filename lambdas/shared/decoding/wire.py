"""Protocol between the function and a decoder over a socket.

Request: four bytes of length, then JSON; the file's descriptor comes with the first byte. Answer: one or more frames of
two lengths of four bytes, JSON, and the bytes of all created files. A hostile file may control the decoder, so the
function unpickles nothing it sends, and limits and validates everything.
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
# What C libraries print when an allocation fails.
_OUT_OF_MEMORY = re.compile(
    r"bad_alloc|(failed|unable|could not|cannot) (to )?allocate|out of memory|not enough memory|MemoryError",
    re.IGNORECASE,
)


class AnswerInvalid(Exception):
    """The decoder sent something that is no valid frame."""


@dataclass(frozen=True)
class Frame:
    """Message of a decoder, with the key ``ready``, ``answer``, ``rejection`` or ``failure``."""

    body: Mapping[str, Any]
    files: Sequence[bytes] = ()


def pack(body: Mapping[str, Any], files: Sequence[bytes]) -> list[bytes]:
    """Return the pieces of a frame, in order."""
    text = json.dumps({**body, "files": [len(file) for file in files]}, allow_nan=False).encode()
    return [FRAME_HEAD.pack(len(text), sum(map(len, files))) + text, *files]


def lengths_of(head: bytes) -> tuple[int, int]:
    """Return the lengths of JSON and files. Raises AnswerInvalid above the limits."""
    text_bytes, files_bytes = FRAME_HEAD.unpack(head)
    if text_bytes > MAX_ANSWER_BYTES or files_bytes > MAX_FILES_BYTES:
        raise AnswerInvalid(f"announced {text_bytes:,} bytes of JSON and {files_bytes:,} of files")
    return text_bytes, files_bytes


def unpack(text: bytes, data: bytes) -> Frame:
    """Return the frame of a JSON text and the files' bytes. Raises AnswerInvalid."""
    try:
        body = json.loads(text)
        # Values that cannot be serialized would fail later: NaN, 1e999, lone surrogates, endless lists.
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid(f"sent invalid JSON: {type(error).__name__}") from None
    if not isinstance(body, dict):
        raise AnswerInvalid("sent JSON that is not an object")
    lengths = body.pop("files", None)
    if not _are_lengths(lengths) or sum(lengths) != len(data):
        raise AnswerInvalid("sent files of other lengths than it announced")
    return Frame(body, [data[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)])


def as_sentence(text: object, max_characters: int) -> str:
    """Return untrusted text as one printable line of limited length."""
    return _NOT_PRINTED.sub(" ", str(text)).strip()[:max_characters]


def says_out_of_memory(text: str) -> bool:
    """Return whether a message says that a memory allocation failed."""
    return _OUT_OF_MEMORY.search(text) is not None


def _are_lengths(lengths: Any) -> bool:
    return (
        isinstance(lengths, list)
        and len(lengths) <= MAX_FILES
        and all(type(length) is int and length >= 0 for length in lengths)
    )
