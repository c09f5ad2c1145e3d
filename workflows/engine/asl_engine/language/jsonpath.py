"""Compiled paths, which read InputPath, ItemsPath or ``"key.$"`` and write ResultPath.

A path of members and elements alone gives one value or fails; any other gives an array, which may be empty.
An element past an array's end is null, as on AWS.
"""

from collections.abc import Callable
from functools import lru_cache

from asl_engine.errors import RESULT_PATH_MATCH_FAILURE, RUNTIME, StateFailed
from asl_engine.jsontext import Json, dumps
from asl_engine.language.env import Env, Read
from asl_engine.language.jsonpath_parser import ParsedPath, parse_path
from asl_engine.language.jsonpath_steps import PathStep, walk

type Keys = tuple[str | int, ...]

_MISSES = (KeyError, IndexError, TypeError)  # raised by reading a missing value
_PROVIDER = "com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider"
_NODES = {bool: "Boolean", int: "Int", float: "Double", str: "Text", list: "Array", type(None): "Null"}


class PathNotFound(Exception):
    """A path has no value; the text says where it ends."""


@lru_cache(maxsize=4096)
def compile_path(text: str) -> "CompiledPath":
    """Compile a path. Raises ExpressionMalformed."""
    return CompiledPath(text, parse_path(text))


class CompiledPath:
    """A compiled path, an ``Expression`` of env.py."""

    __slots__ = ("_keys", "_parsed", "_read", "_root", "is_definite", "text")

    def __init__(self, text: str, parsed: ParsedPath) -> None:
        self.text, self._parsed, self._root = text, parsed, _root_of(parsed)
        self._keys = _keys_of(parsed.steps)
        self.is_definite = len(self._keys) == len(parsed.steps)
        self._read = _reader_of(parsed, self._keys) if self.is_definite else self._walk

    @property
    def is_reference(self) -> bool:
        """True if ResultPath may be this path: only members and elements of the input."""
        return self.is_definite and self._parsed.root == "$"

    def evaluate(self, env: Env) -> Json:
        """Return the path's value. Raises StateFailed (States.Runtime, "Invalid path '$.a' : …")."""
        try:
            return self.find(env)
        except PathNotFound as end:
            raise StateFailed(RUNTIME, f"Invalid path '{self.text}' : {end}", headed=True) from None

    def find(self, env: Env) -> Json:
        """Return the path's value. Raises PathNotFound."""
        try:
            return self._read(env)
        except _MISSES:
            return self._walk(env)

    def reader(self, cause: Callable[[Env], str]) -> Read:
        """Return ``find`` that raises States.Runtime with this cause."""
        find = self.find

        def read(env: Env) -> Json:
            try:
                return find(env)
            except PathNotFound:
                raise StateFailed(RUNTIME, cause(env), headed=True) from None

        return read

    def exists(self, env: Env) -> bool:
        """Return whether the path has a value, which null is."""
        try:
            return bool(walk(self._parsed.steps, self._root(env)))
        except PathNotFound:
            return False

    def searched(self, env: Env) -> str:
        """Return the text of the document that the path searches, for a cause."""
        return dumps(_context_of(env) if self._parsed.root == "$$" else env.input)

    def write(self, document: Json, value: Json) -> Json:
        """Return a copy of a document with the value at the path, creating missing objects.

        Raises StateFailed (States.ResultPathMatchFailure) if the document has no place for it.
        """
        return _put(document, self._keys, value)

    def _walk(self, env: Env) -> Json:
        return _reach(self._parsed.steps, self._root(env))


def _keys_of(steps: tuple[PathStep, ...]) -> Keys:
    return tuple(step.key for step in steps if step.key is not None)


def _context_of(env: Env) -> Json:
    return env.context if isinstance(env.context, dict) else dict(env.context)


def _root_of(parsed: ParsedPath) -> Read:
    if parsed.root == "$":
        return lambda env: env.input
    if parsed.root == "$$":
        return _context_of

    def variable(env: Env) -> Json:
        try:
            return env.variables[parsed.root]
        except KeyError:
            raise PathNotFound(f"The variable '${parsed.root}' has not been assigned.") from None

    return variable


def _reader_of(parsed: ParsedPath, keys: Keys) -> Read:
    """Return a fast reader of keys, which raises _MISSES for a missing value."""
    root = _root_of(parsed)

    def read(env: Env) -> Json:
        node = root(env)
        for key in keys:
            if key.__class__ is int and node.__class__ is not list:
                raise TypeError  # in Python, texts and mappings have [0] too
            node = node[key]
        return node

    return read


def _reach(steps: tuple[PathStep, ...], root: Json) -> Json:
    """Follow the steps one by one. Raises PathNotFound with the text of AWS's library."""
    keys = _keys_of(steps)
    if len(keys) == len(steps):
        return _follow(keys, root)
    *before, last = steps
    if last.aggregate is not None:
        return last.aggregate(_reach(tuple(before), root))
    if last.gather is not None and len(keys) == len(before):
        return last.gather(_follow(keys, root))
    return walk(steps, root)


def _follow(keys: Keys, node: Json) -> Json:
    absent = False
    for at, key in enumerate(keys):
        where = _normal_form(keys[:at])
        if absent and isinstance(key, int):
            raise PathNotFound(f"The path {where} is null")
        if isinstance(key, int):
            if not isinstance(node, list):
                raise PathNotFound(f"Filter: [{key}] can only be applied to arrays. Current context is: {dumps(node)}")
            absent = not -len(node) <= key < len(node)
            node = None if absent else node[key]
            continue
        if not isinstance(node, dict):
            raise PathNotFound(_no_object(key, where, "null" if absent else _class_of(node)))
        if key not in node:
            end = "No results for path:" if at == len(keys) - 1 else "Missing property in path"
            raise PathNotFound(f"{end} {_normal_form(keys[: at + 1])}")
        node = node[key]
    return node


def _normal_form(keys: Keys) -> str:
    return "$" + "".join(f"['{key}']" if isinstance(key, str) else f"[{key}]" for key in keys)


def _class_of(node: Json) -> str:
    return f"com.fasterxml.jackson.databind.node.{_NODES[type(node)]}Node"


def _no_object(name: str, where: str, found: str) -> str:
    return (
        f"Expected to find an object with property ['{name}'] in path {where} but found '{found}'. "
        f"This is not a json object according to the JsonProvider: '{_PROVIDER}'."
    )


def _put(document: Json, keys: Keys, value: Json) -> Json:
    if not keys:
        return value
    key, *rest = keys
    if isinstance(key, str) and isinstance(document, dict):
        return {**document, key: _put(document.get(key, {}), tuple(rest), value)}
    if isinstance(key, int) and isinstance(document, list) and -len(document) <= key < len(document):
        changed = document.copy()
        changed[key] = _put(document[key], tuple(rest), value)
        return changed
    step = f'"{key}"' if isinstance(key, str) else str(key)
    raise StateFailed(RESULT_PATH_MATCH_FAILURE, f"Unable to apply step {step} to input {dumps(document)}", headed=True)
