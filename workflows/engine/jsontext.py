"""JSON as text: one way to write a value, one way to read it."""

import json
from typing import Any

import orjson

type Json = Any

# AWS: input or output of a state, a task or an execution, 256 KiB as UTF-8, hard.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DATA_BYTES = 262_144


def dumps(value: Json) -> str:
    """Return the text of a value: no spaces, keys in their own order. Integers of any size are written whole."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, which orjson refuses
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def loads(text: str | bytes) -> Json:
    """Return the value of a text. Raises ValueError (orjson.JSONDecodeError) for what is not JSON."""
    return orjson.loads(text)


def size_bytes(text: str) -> int:
    """Return the length of a text as UTF-8, in bytes."""
    return len(text) if text.isascii() else len(text.encode())
