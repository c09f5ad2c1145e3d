"""Compiled JSONata expressions, and the names they read.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from asl_engine.errors import QUERY_EVALUATION_ERROR, StateFailed
from asl_engine.jsontext import Json
from asl_engine.language.env import Env, random_of_seed
from asl_engine.language.jsonata_engine import (
    FUNCTION_NAMES,
    MAX_DEPTH,
    JsonataEngine,
    JsonataFunction,
    NotJson,
    Thrown,
    given,
    parse,
    plain,
)
from asl_engine.language.jsonata_values import number_of, type_name, unexpected_type

_BUILT_IN = frozenset({"states", "uuid", *FUNCTION_NAMES})  # reserved names

_PATH = re.compile(r"\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)")
_NAMES = re.compile(r"\$(\w+)")
_STATES = re.compile(r"\$states\b(?:\.(\w+))?")
_UNBOUNDED = re.compile(r"function|λ|\.\.")  # may recurse, or grow, from a short text
# Nodes inside these are read from the value before them, not from the top.
_BELOW = frozenset({"predicate", "stages", "group", "terms"})
# The parser's own notes on a node, which lead out of it or in circles.
_NOTES = frozenset({"seeking_parent", "slot", "ancestor", "next_function", "errors", "token", "_outer_instance"})


@lru_cache(maxsize=4096)
def compile_jsonata(text: str, where: str) -> "JsonataExpression":
    """Compile an expression given without its braces; ``where`` is its field, for causes.

    Raises ExpressionMalformed.
    """
    return JsonataExpression(text, where, parse(text))


class JsonataExpression:
    """A compiled expression, an ``Expression`` of env.py. Threads may share one."""

    __slots__ = ("_bounded", "_engine", "_names", "_path", "_states", "text", "where")

    def __init__(self, text: str, where: str, engine: JsonataEngine) -> None:
        self.text, self.where, self._engine = text, where, engine
        path = _PATH.fullmatch(text)
        self._path = None if path is None else (path[1], tuple(path[2].split(".")[1:]))
        self._names = frozenset(_NAMES.findall(text))
        members = _STATES.findall(text)
        self._states = None if "" in members else frozenset(members)
        self._bounded = len(text) > MAX_DEPTH or _UNBOUNDED.search(text) is not None

    def evaluate(self, env: Env) -> Json:
        """Return the expression's value as JSON.

        Raises StateFailed (States.QueryEvaluationError) if it throws, or gives nothing or a function.
        """
        if self._path is not None:
            try:
                return _follow(*self._path, env)
            except LookupError:
                pass
        try:
            value = self._engine.run(self._bindings(env), env.now_ms, bounded=self._bounded)
        except Thrown as thrown:
            raise self.failure(f"threw an error during evaluation{thrown}") from None
        if value is None:
            raise self.failure("returned nothing (undefined).")
        try:
            return plain(value)
        except NotJson:
            raise self.failure("returned an unsupported result type.") from None

    def failure(self, what: str) -> StateFailed:
        """Return the error of this expression; ``what`` ends its cause."""
        cause = f"The JSONata expression '{self.text}' specified for the field '{self.where}' {what}"
        return StateFailed(QUERY_EVALUATION_ERROR, cause, location=self.where, headed=True)

    def _bindings(self, env: Env) -> dict[str, Any]:
        bindings: dict[str, Any] = {name: given(value) for name, value in env.variables.items() if name in self._names}
        if "states" in self._names and env.states is not None:
            bindings["states"] = {
                name: given(value) for name, value in env.states.items() if self._states is None or name in self._states
            }
        if "random" in self._names:
            bindings["random"] = JsonataFunction("random", "<n?:n>", lambda seed: _random(env, seed))
        if "uuid" in self._names:
            bindings["uuid"] = JsonataFunction("uuid", "<:s>", env.uuid)
        return bindings


def expect(expression: JsonataExpression, value: Json, expected: str) -> Json:
    """Return a value of the expected type. Raises StateFailed for another type."""
    if type_name(value) == expected:
        return value
    raise expression.failure(unexpected_type(value, expected))


def _follow(name: str, members: tuple[str, ...], env: Env) -> Json:
    """Return the value of a plain path. Raises LookupError if the library must evaluate it."""
    if name == "states":
        node: Any = {} if env.states is None else env.states
    else:
        node = env.variables[name]
    for member in members:
        if not isinstance(node, dict):
            raise LookupError(member)
        node = node[member]
    return number_of(node) if node.__class__ is float else node


def _random(env: Env, seed: float | None) -> float:
    return env.random() if seed is None else random_of_seed(int(seed))


@dataclass(slots=True)
class Names:
    """The free variables of an expression, and the texts of its forbidden references."""

    variables: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    reads_error_output: bool = False
    bound: set[str] = field(default_factory=set)


@lru_cache(maxsize=1024)
def names_in(source: str) -> Names:
    """Return the names that an expression reads. Raises ExpressionMalformed."""
    names = Names()
    _walk(parse(source).ast, names, at_top=True)
    names.variables -= names.bound | _BUILT_IN | {""}
    return names


def _walk(node: Any, names: Names, *, at_top: bool) -> None:
    """Walk a syntax tree. ``at_top``: a bare name has no context to be read from."""
    kind = node.type
    if kind == "name" and at_top:
        names.refused.append(f"Reference to '{node.value}' at the top level is not supported.")
    elif kind == "variable" and node.value == "$":
        names.refused.append("Reference to '$$' is not supported.")
    elif kind == "variable":
        names.variables.add(node.value)
    elif kind == "lambda":
        names.bound |= {argument.value for argument in node.arguments}
    elif kind == "bind":
        names.bound.add(node.lhs.value)
    elif kind == "path":
        names.reads_error_output |= [step.value for step in node.steps[:2]] == ["states", "errorOutput"]
    for place, child in _children(node):
        _walk(child, names, at_top=at_top and place not in _BELOW)


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(node).items():
        if name == "steps" and value:
            yield name, value[0]
            yield from (("stages", step) for step in value[1:])
        elif name not in _NOTES and not (name == "procedure" and value is not None and value.type == "variable"):
            yield from ((name, symbol) for symbol in _symbols(value))


def _symbols(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for element in value:
            yield from _symbols(element)
    elif hasattr(value, "lbp"):
        yield value
