"""One parameter of a task, and what a value in a payload must be to fit it.

The standard library alone: the dispatcher holds every message against this, and pydantic would add
a third to its cold start. What the contracts say in pydantic is rendered into these few words.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

# JSON's words for Python's types.
TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
ANY = "any"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a task: ``type`` is a key of ``TYPES``, or ``any``.

    Lengths are in characters. ``pattern`` has to match the whole text.
    """

    type: str
    required: bool
    minimum: int | None = None
    maximum: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def as_words(self) -> dict[str, Any]:
        """Return the parameter as the catalog's files have it: what is not said is left out."""
        return {word: value for word, value in asdict(self).items() if value is not None}

    def problem_with(self, value: Any) -> str | None:
        """Return why a JSON value does not fit, or None."""
        if self.type == ANY:
            return None
        if not isinstance(value, TYPES[self.type]) or (isinstance(value, bool) and self.type != "boolean"):
            return f"is {json_type(value)}, no {self.type}"
        if isinstance(value, str):
            return self._problem_with_text(value)
        return self._problem_with_number(value) if isinstance(value, int | float) else None

    def _problem_with_number(self, value: float) -> str | None:
        if self.minimum is not None and value < self.minimum:
            return f"is less than {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"is more than {self.maximum}"
        return None

    def _problem_with_text(self, value: str) -> str | None:
        if self.min_length is not None and len(value) < self.min_length:
            return f"is shorter than {self.min_length}"
        if self.max_length is not None and len(value) > self.max_length:
            return f"is longer than {self.max_length}"
        # fullmatch, since Python's $ also matches before a newline at the end.
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            return f"does not match {self.pattern}"
        return None


def json_type(value: Any) -> str:
    """Return what a JSON value is, in words: "an object", "a number"."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
