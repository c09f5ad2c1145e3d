"""JSONata expressions compiled.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import re
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

BUILT_IN = frozenset({"states", "uuid", *FUNCTION_NAMES})  # names that no variable has

_PATH = re.compile(r"\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)")
_NAMES = re.compile(r"\$(\w+)")
_STATES = re.compile(r"\$states\b(?:\.(\w+))?")
_UNBOUNDED = re.compile(r"function|λ|\.\.")  # what may go deep, or grow, from a short text


@lru_cache(maxsize=4096)
def compile_jsonata(text: str, where: str) -> "JsonataExpression":
    """Return an expression, without its braces, ready to be evaluated. ``where`` names its field for causes.

    Raises ExpressionMalformed.
    """
    return JsonataExpression(text, where, parse(text))


class JsonataExpression:
    """A compiled expression: an ``Expression`` of env.py. Threads may share one."""

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
        """Return the expression's value, which is JSON.

        Raises StateFailed (States.QueryEvaluationError) where it throws, gives nothing, or a function.
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

    @property
    def tree(self) -> Any:
        """What the library parsed the text to, for those who ask what it names."""
        return self._engine.ast

    def failure(self, what: str) -> StateFailed:
        """Return the error of an expression that did what the text says."""
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
    """Return a value that is of the type a field needs. Raises StateFailed for another."""
    if type_name(value) == expected:
        return value
    raise expression.failure(unexpected_type(value, expected))


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
    return number_of(node) if node.__class__ is float else node


def _random(env: Env, seed: float | None) -> float:
    return env.random() if seed is None else random_of_seed(int(seed))
