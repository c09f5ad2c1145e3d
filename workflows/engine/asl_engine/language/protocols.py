"""What the compiled forms of the language can do, whatever compiled them."""

from typing import Protocol

from asl_engine.jsontext import Json
from asl_engine.language.env import Env


class Expression(Protocol):
    """A compiled expression. Raises StateFailed with AWS's error name and text."""

    def evaluate(self, env: Env) -> Json:
        """Return the expression's value."""
        ...


class Path(Protocol):
    """A compiled JSONPath: ``$.a.b``, ``$$.Execution.Name``, ``$variable.c``."""

    @property
    def text(self) -> str:
        """The path as it was written."""
        ...

    def evaluate(self, env: Env) -> Json:
        """Return what the path points to. Raises StateFailed when there is nothing."""
        ...

    def exists(self, env: Env) -> bool:
        """Return whether the path points to anything."""
        ...

    def write(self, document: Json, value: Json) -> Json:
        """Return a copy of the document with the value in place (ResultPath); the document is not changed."""
        ...


class Condition(Protocol):
    """A compiled choice rule."""

    def holds(self, env: Env) -> bool:
        """Return whether the rule holds. Raises StateFailed when it can not be told."""
        ...
