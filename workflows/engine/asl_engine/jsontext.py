"""JSON texts: writing and reading values."""

import json
import re
from typing import Any

import orjson

type Json = Any

# AWS's hard limit of input and output of a state, a task or an execution: 256 KiB of UTF-8.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DATA_BYTES = 262_144

# orjson reads an integer beyond 64 bits as a float; 64 bits hold any integer of 18 digits.
_LONG_NUMBER = re.compile(r"\d{19}")
_LONG_NUMBER_BYTES = re.compile(rb"\d{19}")


def dumps(value: Json) -> str:
    """Return a value as JSON without spaces, with integers of any size.

    Raises ValueError for a value that JSON does not have, such as NaN.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # orjson.JSONEncodeError: an integer beyond 64 bits, a lone surrogate, or an invalid value
        return _dumps_slowly(value)


def _dumps_slowly(value: Json) -> str:
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8, only an escape
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return text


def loads(text: str | bytes) -> Json:
    """Return the value of a JSON text. Raises ValueError (orjson.JSONDecodeError)."""
    value = orjson.loads(text)
    long_number = _LONG_NUMBER.search(text) if isinstance(text, str) else _LONG_NUMBER_BYTES.search(text)
    return value if long_number is None else json.loads(text)


def size_bytes(text: str) -> int:
    """Return the length of a text in bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
