"""The JSONata library, corrected; no other module imports it.

The library is a port of the reference engine, which AWS runs. Its differences are corrected here: null,
numbers, texts of errors. Step Functions' own functions and AWS's limits are added.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import re
import time
from collections.abc import Callable
from typing import Any

from jsonata.functions import Functions  # type: ignore[import-untyped]  # the library has no types
from jsonata.jexception import JException  # type: ignore[import-untyped]  # the library has no types
from jsonata.jsonata import Jsonata  # type: ignore[import-untyped]  # the library has no types
from jsonata.signature import Signature  # type: ignore[import-untyped]  # the library has no types
from jsonata.utils import Utils  # type: ignore[import-untyped]  # the library has no types

from asl_engine.errors import ExpressionMalformed
from asl_engine.jsontext import Json, dumps
from asl_engine.language import jsonata_values as values

NULL = Utils.NULL_VALUE  # the library's null; its None is undefined

MAX_DEPTH = 100  # AWS's limits: measured, undocumented
MAX_BYTES = 6_990_256
MAX_SECONDS = 10.0

_STACK_OVERFLOW = (
    "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive"
)
_OUT_OF_MEMORY = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
_OUT_OF_TIME = "Expression evaluation timeout: Check for infinite loop"

_PLACE = re.compile(r"\{\{\{\w+\}\}\}|\{\{\w+\}\}")
_TYPES = {"a": "arrays", "b": "booleans", "f": "functions", "n": "numbers", "o": "objects", "s": "strings"}


class Thrown(Exception):
    """An evaluation threw; the text continues the cause "threw an error during evaluation"."""


class NotJson(Exception):
    """A value is a function or a regular expression."""


def parse(text: str) -> "JsonataEngine":
    """Parse an expression. Raises ExpressionMalformed."""
    try:
        return JsonataEngine(f"{text} ")  # the library cannot read a comment at the very end
    except JException as error:
        raise ExpressionMalformed(text, min(error.location, len(text)), _message(error)) from None
    except (AttributeError, LookupError, TypeError, ValueError, re.error) as error:  # on some malformed texts
        raise ExpressionMalformed(text, 0, str(error)) from None


def plain(value: Any) -> Json:
    """Return a result of the library as JSON."""
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if value is NULL or value is None:
        return None
    if kind is int or kind is float:
        return values.number_of(value)
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    raise NotJson


def given(value: Json) -> Any:
    """Return JSON for the library: with its null, and whole numbers as integers."""
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if value is None:
        return NULL
    if kind is float or kind is int:
        return values.number_of(value)
    if kind is dict:
        changed = {key: new for key, member in value.items() if (new := given(member)) is not member}
        return {**value, **changed} if changed else value
    items = [given(item) for item in value]
    return items if any(new is not item for new, item in zip(items, value, strict=True)) else value


class _Bounds:
    """Limits one evaluation's depth, time and size of values."""

    def __init__(self) -> None:
        self.depth, self.ends_at = 0, time.monotonic() + MAX_SECONDS

    def enter(self, _expression: Any, _input: Any, _frame: Any) -> None:
        """Check the limits before a step."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise values.BoundPassed(_STACK_OVERFLOW)
        if time.monotonic() > self.ends_at:
            raise values.BoundPassed(_OUT_OF_TIME)

    def leave(self, _expression: Any, _input: Any, _frame: Any, result: Any) -> None:
        """Check the result of a step."""
        self.depth -= 1
        if isinstance(result, (str, list)) and _bytes_of(result) > MAX_BYTES:
            raise values.BoundPassed(_OUT_OF_MEMORY)


def _bytes_of(value: Any) -> int:
    """Return the size that AWS seems to count."""
    if isinstance(value, Utils.RangeList):  # its length is one too large
        return 8 * int(value.b - value.a)
    return len(value) if isinstance(value, str) else 8 * len(value)


class JsonataEngine(Jsonata):  # type: ignore[misc]  # the library has no types
    """The library's engine, with JavaScript's arithmetic."""

    bounded = False

    def run(self, bindings: dict[str, Any], now_ms: int | None, *, bounded: bool) -> Any:
        """Return the expression's value, None for undefined. Threads may share an engine.

        ``bounded`` checks the limits, which costs a call per step. Raises Thrown.
        """
        engine = self._for_one_evaluation(now_ms, bounded=bounded)
        Jsonata.CURRENT.jsonata = engine  # the library's functions look there for the one that runs
        frame = Jsonata.Frame(_FUNCTIONS)
        frame.bindings = {"__evaluate_entry": None, "__evaluate_exit": None, **bindings}
        if bounded:
            bounds = _Bounds()
            frame.bindings["__evaluate_entry"], frame.bindings["__evaluate_exit"] = bounds.enter, bounds.leave
        try:
            return engine.eval(engine.ast, None, frame)
        except JException as error:
            raise Thrown(f". {_code(error)}: {_message(error)}") from None
        except values.FunctionRefused as error:
            raise Thrown(f". {error.code}: {error.problem}") from None
        except RecursionError:
            raise Thrown(f": {_STACK_OVERFLOW}") from None
        except Exception as error:  # noqa: BLE001  the library's own faults fail the state, not the engine
            raise Thrown(f": {error}") from None

    def _for_one_evaluation(self, now_ms: int | None, *, bounded: bool) -> "JsonataEngine":
        """Return an engine with the same expression and its own state."""
        engine = JsonataEngine.__new__(JsonataEngine)
        engine.__dict__.update(self.__dict__)
        engine.bounded = bounded
        engine.timestamp = round(time.time() * 1000) if now_ms is None else now_ms
        engine.parser = Jsonata.get_parser()  # a partial application parses; a parser is one thread's
        return engine

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002  the library's name
        """Evaluate on this instance, which belongs to one evaluation."""
        return self._eval(expr, input, environment)

    def evaluate_path(self, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002
        """Evaluate a path; one of a variable and plain names without the library's sequences."""
        if not hasattr(expr, "plain_names"):
            expr.plain_names = _plain_names(expr)
        if expr.plain_names is not None and not self.bounded:
            node = environment.lookup(expr.steps[0].value)
            for name in expr.plain_names:
                if node.__class__ is not dict:
                    break
                node = node.get(name)
            else:
                return node
        return super().evaluate_path(expr, input, environment)

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """Calculate as JavaScript does."""
        if lhs is not None and not Utils.is_numeric(lhs):
            raise JException("T2001", -1, op, lhs)
        if rhs is not None and not Utils.is_numeric(rhs):
            raise JException("T2002", -1, op, rhs)
        if lhs is None or rhs is None:
            return None
        number = _ARITHMETIC[op](float(lhs), float(rhs))
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def evaluate_function(self, expr: Any, input: Any, environment: Any, applyto_context: Any) -> Any:  # noqa: A002
        """Call a function; complete an error without argument and function."""
        try:
            return super().evaluate_function(expr, input, environment, applyto_context)
        except JException as error:
            if error.error == "T0410" and error.expected is None:
                error.current, error.expected = 1, expr.procedure.value
            raise

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:  # noqa: A002
        """Apply a function; refuse any other value, which the library would print."""
        if not self.is_function_like(proc):
            raise JException("T1006", 0)
        try:
            return super().apply_inner(proc, args, input, environment)
        except JException as error:
            if error.error == "T0410" and error.expected is not None and getattr(proc, "signature", None):
                error.current = _refused_argument(proc.signature, args)
            raise


def _plain_names(path: Any) -> tuple[str, ...] | None:
    """Return the names after a path's variable, None for any other path."""
    first, *rest = path.steps
    plain = path.group is None and path.tuple is None and not path.keep_singleton_array
    for step in path.steps:
        decorations = (step.stages, step.predicate, step.group, step.focus, step.index, step.tuple)
        plain = plain and all(decoration is None for decoration in decorations) and not step.keep_array
    if not plain or first.type != "variable" or any(step.type != "name" for step in rest):
        return None
    return tuple(step.value for step in rest)


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": values.quotient,
    "%": values.remainder,
}


def _refused_argument(signature: Any, arguments: Any) -> int:
    """Return the number of the refused argument, which the library miscounts."""
    symbols = "".join(map(signature.get_symbol, arguments))
    pattern, good = "", 0
    for parameter in signature._params:
        pattern += parameter.regex
        match = re.match(pattern, symbols)
        if match is None:
            break
        good = match.end()
    return good + 1


class _Signature(Signature):  # type: ignore[misc]  # the library has no types
    """A signature that distinguishes null from undefined."""

    def get_symbol(self, value: Any) -> Any:
        """Return the letter of a value's type."""
        return "l" if value is NULL else super().get_symbol(value)


class JsonataFunction(Jsonata.JFunction):  # type: ignore[misc]  # the library has no types
    """A function of ours; missing arguments are None."""

    def __init__(self, name: str, signature: str, implementation: Callable[..., Any]) -> None:
        super().__init__(None, None)
        self.signature, self.function_name = _Signature(signature, name), name
        self.implementation, self.arity = implementation, self.signature.get_number_of_args()

    def call(self, _input: Any, args: Any) -> Any:
        """Call it."""
        return self.implementation(*args, *[None] * (self.arity - len(args)))

    def get_number_of_args(self) -> int:
        """Return its number of arguments."""
        return int(self.arity)


def _guarded(function: Callable[..., Any], code: str) -> Callable[..., Any]:
    """Return a function of the library whose Python errors become JSONata's."""

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (TypeError, ValueError, OverflowError):
            raise JException(code, -1, arguments[0]) from None

    return call


def _message(error: JException) -> str:
    """Return the reference engine's text of an error, which the library garbles."""
    arguments = iter(_MISPLACED.get(error.error, _in_order)(error))
    template = JException.error_codes.get(error.error, error.error).replace("Object", "function")

    def fill(place: re.Match[str]) -> str:
        value = next(arguments, None)
        return str(value) if place[0].startswith("{{{") else _quoted(value)

    return _PLACE.sub(fill, template)


def _in_order(error: JException) -> tuple[Any, ...]:
    return error.current, error.expected, _TYPES.get(error.extra, error.extra)


_MISPLACED: dict[str, Callable[[JException], tuple[Any, ...]]] = {
    "D1002": lambda error: (error.expected,),
    "D3100": lambda error: (error.location,),
}


def _code(error: JException) -> str:
    """Return the code of an error; the library may have its text instead."""
    if error.error in JException.error_codes:
        return str(error.error)
    texts = {text.replace("Object", "function"): code for code, text in JException.error_codes.items()}
    return str(texts.get(error.error, "D3137"))


def _quoted(value: Any) -> str:
    try:
        return "undefined" if value is None else dumps(plain(value))
    except (NotJson, ValueError):
        return '""'


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return Functions.number(value)
    number = values.number_in(value)
    if number is None:
        raise JException("D3030", -1, value)
    return number


def _distinct(array: Any) -> Any:
    if not isinstance(array, list) or len(array) < 2:
        return array
    found = Utils.create_sequence() if Utils.is_sequence(array) else []
    for item in array:
        if not any(Utils.is_deep_equal(item, earlier) for earlier in found):
            found.append(item)
    return found


def _replace(text: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
    if isinstance(replacement, str) or not isinstance(text, str) or not isinstance(pattern, re.Pattern):
        return Functions.replace(text, pattern, replacement, limit)

    def replaced(match: re.Match[str]) -> str:
        about = {"match": match[0], "start": match.start(), "end": match.end(), "groups": list(match.groups(""))}
        value = Functions.func_apply(replacement, [about])
        if not isinstance(value, str):
            raise JException("D3012", -1, value)
        return str(value)

    return text if limit == 0 else pattern.sub(replaced, text, count=int(limit or 0))


def _pad(text: Any, width: Any, filler: Any) -> Any:
    if width is not None and abs(width) > MAX_BYTES:
        raise values.BoundPassed(_OUT_OF_MEMORY)
    return Functions.pad(text, width, filler)


def _parse(text: Any) -> Any:
    return None if text is None else given(values.parsed(text))


def _parse_integer(text: Any, picture: Any) -> Any:
    try:
        return Functions.parse_integer(text, picture)
    except ValueError:
        return float("nan")


def _range(first: Any, last: Any, step: Any) -> Any:
    numbers = values.numbers_between(first, last, step)
    if len(numbers) * 8 > MAX_BYTES:
        raise values.BoundPassed(_OUT_OF_MEMORY)
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
    JsonataFunction("parse", "<s?:x>", _parse),
    JsonataFunction("partition", "<an?:a>", values.partition),
    JsonataFunction("pad", "<s-ns?:s>", _pad),
    JsonataFunction("range", "<nnn?:a>", _range),
    JsonataFunction("hash", "<ss?:s>", values.hash_of),
    JsonataFunction("string", "<x-b?:s>", _string),
    JsonataFunction("parseInteger", "<s-s:n>", _parse_integer),
    JsonataFunction("number", "<(nsb)-:n>", _number),
    JsonataFunction("distinct", "<x:x>", _distinct),
    JsonataFunction("replace", "<s-(sf)(sf)n?:s>", _replace),
    JsonataFunction("toMillis", "<s-s?:n>", _guarded(Functions.datetime_to_millis, "D3110")),
    JsonataFunction("sort", "<af?:a>", _guarded(Functions.sort, "D3070")),
):
    _FUNCTIONS.bindings[_function.function_name] = _function
_FUNCTIONS.bindings["eval"] = None  # AWS has none
FUNCTION_NAMES = frozenset({*Jsonata.static_frame.bindings, *_FUNCTIONS.bindings})
