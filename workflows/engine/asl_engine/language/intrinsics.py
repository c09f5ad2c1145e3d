"""Parser of calls of intrinsic functions, such as ``States.Format('Hello {}', $.name)``.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import re
from functools import lru_cache

from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.language.env import Env, Evaluator, Expression, Read
from asl_engine.language.intrinsic_functions import FUNCTIONS, FunctionFailed
from asl_engine.language.jsonpath import CompiledPath, PathNotFound, compile_path
from asl_engine.language.jsonpath_parser import read_path
from asl_engine.language.reader import Reader

MAX_DEPTH = 10

_CALL = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_TEXT = re.compile(r"'((?:[^'\\]|\\['{}\\])*)'", re.DOTALL)  # AWS has no other escapes
_TEMPLATE = re.compile(rf"\s*{_TEXT.pattern}", re.DOTALL)
_LITERAL = re.compile(r"(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])")
_ESCAPE = re.compile(r"\\(['{}\\])")


@lru_cache(maxsize=4096)
def compile_intrinsic(text: str) -> Expression:
    """Compile a call. Raises ExpressionMalformed.

    Its evaluation raises StateFailed: States.Runtime for an argument's path without a value,
    States.IntrinsicFailure for arguments that the function does not accept.
    """
    reader = Reader(text)
    reader.space()
    read = _read_call(reader, 1)
    reader.space()
    reader.end()

    def evaluate(env: Env) -> Json:
        try:
            return read(env)
        except FunctionFailed as failed:
            cause = f"The function '{text}' had the following error: {failed.problem}"
            raise StateFailed(failed.error, cause, headed=True) from None

    return Evaluator(evaluate)


def _read_call(reader: Reader, depth: int) -> Read:
    call = reader.take(_CALL)
    if call is None:
        reader.fail("a call like States.Format('{}', $.name) was expected")
    if call[1] not in FUNCTIONS:
        reader.fail(f"unknown function States.{call[1]}; write one of {', '.join(FUNCTIONS)}")
    if depth > MAX_DEPTH:
        reader.fail(f"functions may be nested at most {MAX_DEPTH} deep")
    template = _TEMPLATE.match(reader.text, reader.at) if call[1] == "Format" else None
    arguments = _read_arguments(reader, depth)
    if template is not None:  # as written: the function itself reads its escapes
        arguments[0] = _constant(template[1])
    function = FUNCTIONS[call[1]]
    if not function.least <= len(arguments) <= function.most:
        takes = f"{function.least} to {function.most}" if function.least < function.most else function.most
        reader.fail(f"States.{call[1]} takes {takes} arguments, not {len(arguments)}")
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
        if value is None and not exists(env):  # an element past an array's end, which is null elsewhere
            raise FunctionFailed(_unread_argument(path, env, ""), RUNTIME)
        return value

    return read


def _unread_argument(path: CompiledPath, env: Env, end: str) -> str:
    if end.startswith("Filter: "):
        return end
    field = path.text.removeprefix("$") if path.text.startswith("$$") else path.text
    return f"The JsonPath argument for the field '{field}' could not be found in the input '{dumps(env.input)}'"
