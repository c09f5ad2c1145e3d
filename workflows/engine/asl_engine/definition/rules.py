"""Rules of single fields, and the shapes that combine them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from asl_engine.definition.diagnostics import ERROR, SCHEMA_VALIDATION_FAILED, WARNING, Diagnostic
from asl_engine.jsontext import Json


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a definition; all places of one check share the list ``found``.

    ``error_output``: inside a catcher, which may read ``$states.errorOutput``.
    """

    express: bool
    machine_jsonata: bool
    jsonata: bool
    location: str = ""
    error_output: bool = False
    found: list[Diagnostic] = field(default_factory=list)

    def at(self, name: str) -> "Place":
        """Return the place of a field."""
        return replace(self, location=f"{self.location}/{name}")

    def item(self, index: int) -> "Place":
        """Return the place of an element."""
        return replace(self, location=f"{self.location}[{index}]")

    def refuse(self, message: str, remedy: str, code: str = SCHEMA_VALIDATION_FAILED) -> None:
        """Add an error."""
        self.found.append(Diagnostic(code, message, self.location or "/", remedy, ERROR))

    def warn(self, code: str, message: str, remedy: str) -> None:
        """Add a warning."""
        self.found.append(Diagnostic(code, message, self.location or "/", remedy, WARNING))


type Rule = Callable[[Place, Json], None]


def anything(_place: Place, _value: Json) -> None:
    """Accept every value."""


def text(place: Place, value: Json) -> None:
    """Refuse all but strings."""
    if not isinstance(value, str):
        place.refuse("Expected value of type [STRING]", "Write a string here.")


def boolean(place: Place, value: Json) -> None:
    """Refuse all but booleans."""
    if not isinstance(value, bool):
        place.refuse("Expected value of type [BOOLEAN]", "Write true or false, without quotes.")


def one_of(*allowed: str) -> Rule:
    """Return a rule that refuses all but these texts."""

    def rule(place: Place, value: Json) -> None:
        if not isinstance(value, str):
            text(place, value)
        elif value not in allowed:
            place.refuse(f"Value should be one of the following: [{', '.join(allowed)}]", "Write one of these.")

    return rule


def integer(least: float, most: float = math.inf) -> Rule:
    """Return a rule that refuses all but integers within bounds."""
    return number(least, most, kind=int)


def number(least: float = -math.inf, most: float = math.inf, *, kind: type[int | float] = float) -> Rule:
    """Return a rule that refuses all but numbers, or integers, within bounds."""
    expected, remedy = ("Integer", "a whole number") if kind is int else ("Number", "a number")

    def rule(place: Place, value: Json) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, kind)):
            place.refuse(f"Expected value of type {expected}", f"Write {remedy}, without quotes.")
        elif value < least:
            place.refuse(f"Minimum value is {least}", f"Write {least} or more.")
        elif value > most:
            place.refuse(f"Maximum value is {most}", f"Write {most} or less.")

    return rule


def list_of(rule: Rule) -> Rule:
    """Return a rule for a non-empty list whose elements follow another rule."""

    def each(place: Place, value: Json) -> None:
        if not isinstance(value, list):
            place.refuse("Expected value of type Array", "Write a list here.")
        elif not value:
            place.refuse("Value cannot be empty", "Write at least one entry, or leave the field out.")
        else:
            for index, element in enumerate(value):
                rule(place.item(index), element)

    return each


def is_object(place: Place, value: Json) -> bool:
    """Return whether a value is an object; refuse any other."""
    if not isinstance(value, dict):
        place.refuse("Expected value of type Object", "Write an object here.")
    return isinstance(value, dict)


# Fields of only one query language, in any object.
JSONATA_ONLY = frozenset({"Arguments", "Output", "Items", "Condition"})
JSONPATH_ONLY = frozenset(
    {
        "InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector", "Result", "ItemsPath",
        "TimeoutSecondsPath", "HeartbeatSecondsPath", "SecondsPath", "TimestampPath", "MaxConcurrencyPath",
        "ToleratedFailureCountPath", "ToleratedFailurePercentagePath", "ErrorPath", "CausePath", "MaxItemsPath",
        "MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath", "Variable", "And", "Or", "Not",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """A rule for an object: its fields, the required ones, and groups of exclusive ones."""

    fields: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    further: tuple[Rule, ...] = ()
    jsonpath_only: frozenset[str] = frozenset()

    def __call__(self, place: Place, node: Json) -> None:
        """Check the object's fields and their values."""
        if not is_object(place, node):
            return
        self._must_have(place, node)
        for name, value in node.items():
            if name not in self.fields:
                place.refuse(f"Field '{name}' is not supported", f"Take {name!r} out, or correct its name.")
            elif self._speaks(place, name):
                self.fields[name](place.at(name), value)
        for group in self.exclusive:
            at_most_one(place, [name for name in group if name in node], group)
        for rule in self.further:
            rule(place, node)

    def _must_have(self, place: Place, node: dict[str, Json]) -> None:
        missing = [name for name in self.required if name not in node]
        if missing:
            place.refuse(f"These fields are required: [{', '.join(missing)}]", f"Write {' and '.join(missing)} here.")

    def _speaks(self, place: Place, name: str) -> bool:
        """Return whether the query language has the field; refuse any other."""
        if name not in (JSONPATH_ONLY | self.jsonpath_only if place.jsonata else JSONATA_ONLY):
            return True
        mine, other = ("JSONata", "JSONPath") if place.jsonata else ("JSONPath", "JSONata")
        place.refuse(
            f"The QueryLanguage is set to '{mine}', but field '{name}' is only supported for the '{other}'"
            " QueryLanguage",
            f'Take {name!r} out, or set "QueryLanguage": "{other}" on the state.',
        )
        return False


def at_most_one(place: Place, present: list[str], group: tuple[str, ...]) -> None:
    """Refuse several fields of a group."""
    if len(present) > 1:
        place.refuse(f"There should only be one of the following fields: [{', '.join(group)}]", "Keep one of them.")


def exactly_one(*group: str) -> Rule:
    """Return a rule for an object with exactly one of these fields."""

    def rule(place: Place, node: Json) -> None:
        present = [name for name in group if name in node]
        if not present:
            listed = ", ".join(group)
            place.refuse(f"This object should have only one of the following fields: [{listed}]", "Write one of them.")
        at_most_one(place, present, group)

    return rule
