"""Problems of JSON texts in the words of Jackson, the parser of AWS.

https://github.com/FasterXML/jackson-core
"""

import json
import re
from typing import NamedTuple

_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_SHOWN = 500  # characters of the text that Jackson prints
_TOKEN = re.compile(r"[\w$]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_EXPECTED = {
    "Expecting property name enclosed in double quotes": "was expecting double-quote to start field name",
    "Illegal trailing comma before end of object": "was expecting double-quote to start field name",
    "Expecting ':' delimiter": "was expecting a colon to separate field name and value",
}


class JsonProblem(NamedTuple):
    """A problem of a text, and Jackson's name of its place."""

    message: str
    location: str


def problem_of(text: str) -> JsonProblem:
    """Return the problem of a text that is not JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        message, end = _message(text, error)
    except RecursionError:
        message, end = "The document is nested too deeply", 0
    else:  # Python's parser takes NaN, which JSON does not have
        message, end = "Non-standard token in the text", len(text)
    before = text[:end]
    line, column = before.count("\n") + 1, end - (before.rfind("\n") + 1) + 1
    source = f'"{text[:_SHOWN]}"' + (f"[truncated {len(text) - _SHOWN} chars]" if len(text) > _SHOWN else "")
    return JsonProblem(message, f"[Source: (String){source}; line: {line}, column: {column}]")


def _message(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """Return the message, and how much of the text Jackson has read."""
    at = error.pos
    if error.msg.startswith("Illegal trailing comma"):
        at += 1
    at += len(text[at:]) - len(text[at:].lstrip())
    if error.msg.startswith("Unterminated string"):
        return "Unexpected end-of-input: was expecting closing quote for a string value", len(text)
    if at >= len(text):
        return "Unexpected end-of-input", len(text)
    token = _TOKEN.match(text, at)
    if error.msg == "Expecting value" and token is not None:
        return f"Unrecognized token '{token[0]}': was expecting {_VALUES}", token.end()
    return f"Unexpected character ('{text[at]}' (code {ord(text[at])})): {_expected(text, at, error.msg)}", at + 1


def _expected(text: str, at: int, problem: str) -> str:
    if problem == "Expecting ',' delimiter":
        return f"was expecting comma to separate {_container(text[:at])} entries"
    return _EXPECTED.get(problem, f"expected a valid value {_VALUES}")


def _container(before: str) -> str:
    """Return the kind of the container that is open at the end of a text."""
    opened: list[str] = []
    for letter in _STRING.sub("", before):
        if letter in "[{":
            opened.append(letter)
        elif letter in "]}" and opened:
            opened.pop()
    return "Array" if opened and opened[-1] == "[" else "Object"
