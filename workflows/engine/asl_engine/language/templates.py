"""Payload templates, such as Parameters, ResultSelector, Arguments, Output and Assign.

JSONPath: a field ``"name.$"`` sets ``"name"`` to the value of its path or intrinsic function. JSONata: any text
``"{% … %}"`` is replaced by its expression's value. Constant parts are shared, as JSON is never changed in place.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-inputpath-params.html
"""

from collections.abc import Callable

from asl_engine.errors import ExpressionMalformed
from asl_engine.jsontext import Json
from asl_engine.language.env import Env, Evaluator, Expression, Read
from asl_engine.language.intrinsics import compile_intrinsic
from asl_engine.language.jsonata import compile_jsonata
from asl_engine.language.jsonpath import compile_path

DYNAMIC = ".$"
OPEN, CLOSE = "{%", "%}"


def compile_template(value: Json, jsonata: bool, where: str) -> Expression:
    """Compile a template; ``where`` is its field in the state, for causes. Raises ExpressionMalformed.

    A text that is one JSONata expression compiles to a JsonataExpression.
    """
    if jsonata and is_jsonata(value):
        return compile_jsonata(jsonata_of(value), where)
    read = _compile(value, _jsonata_leaf if jsonata else None, where)
    return constant(value) if read is None else Evaluator(read)


def constant(value: Json) -> Expression:
    """Return an expression whose value is always this one."""
    return Evaluator(lambda _env: value)


def is_jsonata(value: Json) -> bool:
    """Return whether a value is a JSONata expression in its braces."""
    return isinstance(value, str) and value.startswith(OPEN) and value.endswith(CLOSE) and len(value) >= 4


def jsonata_of(text: str) -> str:
    """Return the expression without its braces."""
    return text[len(OPEN) : -len(CLOSE)].strip()


type Leaf = Callable[[str, str], Read | None] | None


def _compile(value: Json, leaf: Leaf, where: str) -> Read | None:
    """Return the evaluation of a value, None if it is constant."""
    if isinstance(value, dict):
        return _compile_object(value, leaf, where)
    if isinstance(value, list):
        return _compile_array(value, leaf, where)
    return leaf(value, where) if leaf is not None and isinstance(value, str) else None


def _compile_object(value: dict[str, Json], leaf: Leaf, where: str) -> Read | None:
    skeleton: dict[str, Json] = {}
    dynamic: list[tuple[str, Read]] = []
    for key, member in value.items():
        read: Read | None
        if leaf is None and key.endswith(DYNAMIC):
            name, read = key.removesuffix(DYNAMIC), compile_dynamic_field(key, member)
        else:
            name, read = key, _compile(member, leaf, f"{where}/{key}")
        skeleton[name] = member if read is None else None
        if read is not None:
            dynamic.append((name, read))
    if not dynamic:
        return None

    def evaluate(env: Env) -> Json:
        filled = skeleton.copy()
        for name, read in dynamic:
            filled[name] = read(env)
        return filled

    return evaluate


def _compile_array(value: list[Json], leaf: Leaf, where: str) -> Read | None:
    reads = [_compile(item, leaf, f"{where}[{index}]") for index, item in enumerate(value)]
    if not any(reads):
        return None
    items = list(zip(reads, value, strict=True))
    return lambda env: [item if read is None else read(env) for read, item in items]


def _jsonata_leaf(text: str, where: str) -> Read | None:
    return compile_jsonata(jsonata_of(text), where).evaluate if is_jsonata(text) else None


def compile_dynamic_field(key: str, value: Json) -> Read:
    """Compile the path or intrinsic function of a field. Raises ExpressionMalformed."""
    if not isinstance(value, str):
        raise ExpressionMalformed(key, 0, "its value must be a path or an intrinsic function")
    if value.startswith("States."):
        return compile_intrinsic(value).evaluate
    path = compile_path(value)
    return path.reader(
        lambda env: (
            f"The JSONPath '{value}' specified for the field '{key}' could not be found in the input "
            f"'{path.searched(env)}'"
        )
    )
