"""Intrinsic functions: ``States.Format('Hello {}', $.name)`` and their like, nested up to ten deep.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import re
from functools import lru_cache

from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.language.env import Env, Read
from asl_engine.language.intrinsic_functions import FUNCTIONS, FunctionFailed, format_text, parse_format
from asl_engine.language.jsonpath import CompiledPath, PathNotFound, compile_path
from asl_engine.language.jsonpath_parser import read_path
from asl_engine.language.reader import Reader

MAX_DEPTH = 10

_CALL = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_LITERAL = re.compile(r"(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])")
_ESCAPE = re.compile(r"\\(['{}\\])")


@lru_cache(maxsize=4096)
def compile_intrinsic(text: str) -> "Intrinsic":
    """Return a call ready to be evaluated. Raises ExpressionMalformed."""
    reader = Reader(text)
    reader.space()
    read = _read_call(reader, 1)
    reader.space()
    reader.end()
    return Intrinsic(text, read)


class Intrinsic:
    """A compiled call: an ``Expression`` of env.py."""

    __slots__ = ("_read", "text")

    def __init__(self, text: str, read: Read) -> None:
        self.text, self._read = text, read

    def evaluate(self, env: Env) -> Json:
        """Return the call's value.

        Raises StateFailed: States.Runtime for an argument's path that leads nowhere,
        States.IntrinsicFailure for arguments that the function cannot take.
        """
        try:
            return self._read(env)
        except FunctionFailed as failed:
            cause = f"The function '{self.text}' had the following error: {failed.problem}"
            raise StateFailed(failed.error, cause, headed=True) from None


def _read_call(reader: Reader, depth: int) -> Read:
    call = reader.take(_CALL)
    if call is None:
        reader.fail("a call like States.Format('{}', $.name) was expected")
    if call[1] not in FUNCTIONS:
        reader.fail(f"there is no function States.{call[1]}; there are {', '.join(FUNCTIONS)}")
    if depth > MAX_DEPTH:
        reader.fail(f"functions may be nested {MAX_DEPTH} deep, no deeper")
    template = _format_template(reader) if call[1] == "Format" else None
    arguments = _read_arguments(reader, depth)
    if template is not None:
        return _format_call(template, arguments)
    function = FUNCTIONS[call[1]]
    if not function.least <= len(arguments) <= function.most:
        reader.fail(f"States.{call[1]} takes {function.takes} arguments, not {len(arguments)}")
    return function.bind(arguments)


def _read_arguments(reader: Reader, depth: int) -> list[Read]:
    arguments: list[Read] = []
    reader.space()
    if reader.skip(")"):
        return arguments
    while True:
        arguments.append(_read_argument(reader, depth))
        reader.space()
        if reader.skip(")"):
            return arguments
        reader.expect(",")
        reader.space()


def _read_argument(reader: Reader, depth: int) -> Read:
    if reader.text.startswith("States.", reader.at):
        return _read_call(reader, depth + 1)
    if reader.text.startswith("$", reader.at):
        start = reader.at
        read_path(reader)
        return _path_argument(compile_path(reader.text[start : reader.at]))
    text = reader.take(_TEXT)
    if text is not None:
        return _constant(_ESCAPE.sub(r"\1", text[1]))
    literal = reader.take(_LITERAL)
    if literal is None:
        reader.fail("a path, a text in single quotes, a number, true, false, null or a call was expected")
    return _constant(loads(literal[0]))


def _constant(value: Json) -> Read:
    return lambda _env: value


def _path_argument(path: CompiledPath) -> Read:
    find, exists = path.find, path.exists

    def read(env: Env) -> Json:
        try:
            value = find(env)
        except PathNotFound as end:
            raise FunctionFailed(_unread_argument(path, env, str(end)), RUNTIME) from None
        if value is None and not exists(env):  # an element past an array's end: null elsewhere, but not here
            raise FunctionFailed(_unread_argument(path, env, ""), RUNTIME)
        return value

    return read


def _unread_argument(path: CompiledPath, env: Env, end: str) -> str:
    if end.startswith("Filter: "):
        return end
    field = path.text.removeprefix("$") if path.text.startswith("$$") else path.text
    return f"The JsonPath argument for the field '{field}' could not be found in the input '{dumps(env.input)}'"


def _format_template(reader: Reader) -> list[str] | None:
    """Return the pieces of a literal template, before its escapes are gone. The place read stays where it is."""
    start = reader.at
    reader.space()
    text = reader.take(_TEXT)
    reader.at = start
    return None if text is None else parse_format(text[1])


def _format_call(pieces: list[str], arguments: list[Read]) -> Read:
    values = arguments[1:]
    if len(values) != len(pieces) - 1:
        problem = f"The template has {len(pieces) - 1} places {{}} for {len(values)} values"
        return _failing(problem)
    return lambda env: format_text(pieces, [value(env) for value in values])


def _failing(problem: str) -> Read:
    def read(_env: Env) -> Json:
        raise FunctionFailed(problem)

    return read
