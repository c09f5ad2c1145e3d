"""JSONata expressions compiled: the one place that knows the library.

The library is a port of the reference engine, which AWS runs. What differs is mended here: numbers,
texts of errors, undefined values, and the bounds that AWS sets an evaluation.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import copy
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jsonata.functions import Functions  # type: ignore[import-untyped]  # the library has no types
from jsonata.jexception import JException  # type: ignore[import-untyped]  # the library has no types
from jsonata.jsonata import Jsonata  # type: ignore[import-untyped]  # the library has no types
from jsonata.utils import Utils  # type: ignore[import-untyped]  # the library has no types

from workflows.engine.errors import QUERY_EVALUATION_ERROR, ExpressionMalformed, StateFailed
from workflows.engine.jsontext import Json, dumps
from workflows.engine.language import jsonata_values as values
from workflows.engine.language.env import Env
from workflows.engine.language.java_random import random_of_seed

NULL = Utils.NULL_VALUE  # the library's null; its None is undefined

MAX_DEPTH = 100  # AWS's own bounds: measured, in no documentation
MAX_BYTES = 6_990_256
MAX_SECONDS = 10.0

_STACK_OVERFLOW = (
    "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive"
)
_OUT_OF_MEMORY = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
_OUT_OF_TIME = "Expression evaluation timeout: Check for infinite loop"

_PATH = re.compile(r"\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)")
_NAMES = re.compile(r"\$(\w+)")
_STATES = re.compile(r"\$states\b(?:\.(\w+))?")
_UNBOUNDED = re.compile(r"function|λ|\.\.")  # what may go deep, or grow, from a short text
_PLACE = re.compile(r"\{\{\{\w+\}\}\}|\{\{\w+\}\}")
_TYPES = {"a": "arrays", "b": "booleans", "f": "functions", "n": "numbers", "o": "objects", "s": "strings"}


@lru_cache(maxsize=4096)
def compile_jsonata(text: str, where: str) -> "JsonataExpression":
    """Return an expression, without its braces, ready to be evaluated. ``where`` names its field for causes.

    Raises ExpressionMalformed.
    """
    try:
        return JsonataExpression(text, where, _Engine(f"{text} "))  # the library misses the end of a comment there
    except JException as error:
        raise ExpressionMalformed(text, error.location, _message(error)) from None
    except (IndexError, AttributeError):  # what the library's parser does at an end that it did not expect
        raise ExpressionMalformed(text, len(text), "Unexpected end of expression") from None


class JsonataExpression:
    """A compiled expression: an ``Expression`` of protocols.py. Threads may share one."""

    __slots__ = ("_bounded", "_engine", "_names", "_path", "_states", "text", "where")

    def __init__(self, text: str, where: str, engine: "_Engine") -> None:
        self.text, self.where, self._engine = text, where, engine
        path = _PATH.fullmatch(text)
        self._path = None if path is None else (path[1], tuple(path[2].split(".")[1:]))
        self._names = frozenset(_NAMES.findall(text))
        members = _STATES.findall(text)
        self._states = None if "" in members else frozenset(members)
        self._bounded = len(text) > MAX_DEPTH or _UNBOUNDED.search(text) is not None

    def evaluate(self, env: Env) -> Json:
        """Return the expression's value, which is JSON.

        Raises StateFailed (States.QueryEvaluationError) where it throws, gives nothing, or a function.
        """
        if self._path is not None:
            try:
                return _follow(*self._path, env)
            except LookupError:
                pass
        value = self._run(env)
        if value is None:
            raise self.failure("returned nothing (undefined).")
        try:
            return _plain(value)
        except _NotJson:
            raise self.failure("returned an unsupported result type.") from None

    @property
    def tree(self) -> Any:
        """What the library parsed the text to, for those who ask what it names."""
        return self._engine.ast

    def failure(self, what: str) -> StateFailed:
        """Return the error of an expression that did what the text says."""
        cause = f"The JSONata expression '{self.text}' specified for the field '{self.where}' {what}"
        return StateFailed(QUERY_EVALUATION_ERROR, cause, location=self.where, headed=True)

    def _run(self, env: Env) -> Any:
        engine = copy.copy(self._engine)
        engine.timestamp = round(time.time() * 1000) if env.now_ms is None else env.now_ms
        Jsonata.CURRENT.jsonata = engine  # the library's functions look there for the one that runs
        if "?" in self.text:  # a partial application parses, and the parser is not for two threads
            engine.parser = Jsonata.get_parser()
        frame = Jsonata.Frame(_FUNCTIONS)
        frame.bindings = self._bindings(env)
        try:
            return engine.eval(engine.ast, None, frame)
        except JException as error:
            raise self.failure(f"threw an error during evaluation. {error.error}: {_message(error)}") from None
        except values.FunctionRefused as error:
            raise self.failure(f"threw an error during evaluation. {error.code}: {error.problem}") from None
        except RecursionError:
            raise self.failure(f"threw an error during evaluation: {_STACK_OVERFLOW}") from None
        except Exception as error:  # noqa: BLE001  the library's own faults fail the state, not the engine
            raise self.failure(f"threw an error during evaluation: {error}") from None

    def _bindings(self, env: Env) -> dict[str, Any]:
        bindings: dict[str, Any] = {name: _given(value) for name, value in env.variables.items() if name in self._names}
        if "states" in self._names and env.states is not None:
            bindings["states"] = {
                name: _given(value)
                for name, value in env.states.items()
                if self._states is None or name in self._states
            }
        if "random" in self._names:
            bindings["random"] = _Function("random", "<n?:n>", lambda seed: _random(env, seed))
        if "uuid" in self._names:
            bindings["uuid"] = _Function("uuid", "<:s>", env.uuid)
        if self._bounded:
            bounds = _Bounds()
            bindings["__evaluate_entry"], bindings["__evaluate_exit"] = bounds.enter, bounds.leave
        return bindings


def expect(expression: JsonataExpression, value: Json, expected: str) -> Json:
    """Return a value that is of the type a field needs. Raises StateFailed for another."""
    actual = type_name(value)
    if actual == expected:
        return value
    raise expression.failure(
        f"returned an unexpected result type. Expected '{expected}', but was '{actual}' for value: {dumps(value)}"
    )


def type_name(value: Json) -> str:
    """Return the name of a JSON value's type, as causes spell it."""
    if value is None:
        return "null"
    names = ((bool, "boolean"), (str, "string"), ((int, float), "number"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")


def _follow(name: str, members: tuple[str, ...], env: Env) -> Json:
    """Return what a plain path through objects leads to. Raises LookupError where the library must look."""
    if name == "states":
        node: Any = {} if env.states is None else env.states
    else:
        node = env.variables[name]
    for member in members:
        if not isinstance(node, dict):
            raise LookupError(member)
        node = node[member]
    return values.number_of(node) if node.__class__ is float else node


class _NotJson(Exception):
    """A value is a function or a regular expression."""


def _plain(value: Any) -> Json:
    """Return a result of the library as JSON."""
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if value is NULL or value is None:
        return None
    if kind is int or kind is float:
        return values.number_of(value)
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    raise _NotJson


def _given(value: Json) -> Any:
    """Return JSON as the library takes it: its own null, and whole numbers as integers. Unchanged where it can be."""
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if value is None:
        return NULL
    if kind is float or kind is int:
        return values.number_of(value)
    if kind is dict:
        changed = {key: given for key, member in value.items() if (given := _given(member)) is not member}
        return {**value, **changed} if changed else value
    items = [_given(item) for item in value]
    return items if any(given is not item for given, item in zip(items, value, strict=True)) else value


class _Exceeded(Exception):
    """An evaluation went beyond a bound."""


class _Bounds:
    """Watches one evaluation: how deep it nests, how long it takes, how large its values grow."""

    def __init__(self) -> None:
        self.depth, self.ends_at = 0, time.monotonic() + MAX_SECONDS

    def enter(self, _expression: Any, _input: Any, _frame: Any) -> None:
        """See a step begin."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Exceeded(_STACK_OVERFLOW)
        if time.monotonic() > self.ends_at:
            raise _Exceeded(_OUT_OF_TIME)

    def leave(self, _expression: Any, _input: Any, _frame: Any, result: Any) -> None:
        """See a step end."""
        self.depth -= 1
        if isinstance(result, (str, list)) and len(result) * (1 if isinstance(result, str) else 8) > MAX_BYTES:
            raise _Exceeded(_OUT_OF_MEMORY)


class _Engine(Jsonata):  # type: ignore[misc]  # the library has no types
    """The library's engine, with JavaScript's arithmetic."""

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002  the library's name
        """Evaluate: on this instance, which is one thread's, and one evaluation's."""
        return self._eval(expr, input, environment)

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """Add, subtract, multiply, divide as JavaScript does."""
        if lhs is not None and not Utils.is_numeric(lhs):
            raise JException("T2001", -1, op, lhs)
        if rhs is not None and not Utils.is_numeric(rhs):
            raise JException("T2002", -1, op, rhs)
        if lhs is None or rhs is None:
            return None
        number = _ARITHMETIC[op](float(lhs), float(rhs))
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def evaluate_function(self, expr: Any, input: Any, environment: Any, applyto_context: Any) -> Any:  # noqa: A002
        """Call a function; an error about an argument that leaves out which gets the first, which it is."""
        try:
            return super().evaluate_function(expr, input, environment, applyto_context)
        except JException as error:
            if error.error == "T0410" and error.expected is None:
                error.current, error.expected = 1, expr.procedure.value
            raise

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:  # noqa: A002
        """Apply a function; refuse what is none, which the library would print."""
        if not self.is_function_like(proc):
            raise JException("T1006", 0)
        return super().apply_inner(proc, args, input, environment)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": values.quotient,
    "%": values.remainder,
}


class _Function(Jsonata.JFunction):  # type: ignore[misc]  # the library has no types
    """A function of ours. It gets as many arguments as it takes, undefined ones as None."""

    def __init__(self, name: str, signature: str, implementation: Callable[..., Any]) -> None:
        super().__init__(None, signature)
        self.implementation, self.arity = implementation, self.signature.get_number_of_args()
        self.function_name = name
        self.signature.set_function_name(name)

    def call(self, _input: Any, args: Any) -> Any:
        """Call it."""
        return self.implementation(*args, *[None] * (self.arity - len(args)))

    def get_number_of_args(self) -> int:
        """Return how many arguments it takes."""
        return int(self.arity)


class _Guarded(Jsonata.JNativeFunction):  # type: ignore[misc]  # the library has no types
    """A function of the library that lets Python's own errors through: they become JSONata's."""

    def __init__(self, name: str, signature: str, method: str, code: str) -> None:
        super().__init__(name, signature, Functions, method)
        self.code = code

    def call(self, input: Any, args: Any) -> Any:  # noqa: A002
        """Call it."""
        try:
            return super().call(input, args)
        except (TypeError, ValueError, OverflowError):
            raise JException(self.code, -1, args[0]) from None


def _message(error: JException) -> str:
    """Return the text of an error as the reference engine has it; the library's port garbled it."""
    arguments = iter((error.current, error.expected, _TYPES.get(error.extra, error.extra)))
    template = JException.error_codes.get(error.error, str(error)).replace("Object", "function")

    def fill(place: re.Match[str]) -> str:
        value = next(arguments, None)
        return str(value) if place[0].startswith("{{{") else _quoted(value)

    return _PLACE.sub(fill, template)


def _quoted(value: Any) -> str:
    try:
        return "undefined" if value is None else dumps(_plain(value))
    except (_NotJson, ValueError):
        return '""'


def _random(env: Env, seed: Any) -> float:
    return env.random() if seed is None else random_of_seed(int(seed))


def _parse(text: Any) -> Any:
    return None if text is None else _given(values.parsed(text))


def _parse_integer(text: Any, picture: Any) -> Any:
    try:
        return Functions.parse_integer(text, picture)
    except ValueError:
        return float("nan")


def _range(first: Any, last: Any, step: Any) -> Any:
    numbers = values.numbers_between(first, last, step)
    if len(numbers) * 8 > MAX_BYTES:
        raise _Exceeded(_OUT_OF_MEMORY)
    return Utils.create_sequence_from_iter(numbers)


def _string(value: Any, prettify: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not Utils.is_numeric(value):  # NaN; the infinite are refused by the library
            raise JException("D3001", -1, value)
        return values.number_text(value)
    return Functions.string(value, prettify)


_FUNCTIONS = Jsonata.Frame(Jsonata.static_frame)
for _function in (
    _Function("parse", "<s?:x>", _parse),
    _Function("partition", "<an?:a>", values.partition),
    _Function("range", "<nnn?:a>", _range),
    _Function("hash", "<ss?:s>", values.hash_of),
    _Function("string", "<x-b?:s>", _string),
    _Function("parseInteger", "<s-s:n>", _parse_integer),
    _Guarded("number", "<(nsb)-:n>", "number", "D3030"),
    _Guarded("toMillis", "<s-s?:n>", "datetime_to_millis", "D3110"),
    _Guarded("sort", "<af?:a>", "sort", "D3070"),
):
    _FUNCTIONS.bindings[_function.function_name] = _function
_FUNCTIONS.bindings["eval"] = None  # AWS has none
BUILT_IN = frozenset({"states", "uuid", *Jsonata.static_frame.bindings, *_FUNCTIONS.bindings})  # no variables
