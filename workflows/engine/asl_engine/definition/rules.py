"""What a field may hold: rules that are put together into shapes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asl_engine.definition.place import Place
from asl_engine.jsontext import Json

type Rule = Callable[[Place, Json], None]


def anything(_place: Place, _value: Json) -> None:
    """Refuse nothing."""


def text(place: Place, value: Json) -> None:
    """Refuse what is not a string."""
    if not isinstance(value, str):
        place.refuse("Expected value of type [STRING]", "Write a string here.")


def boolean(place: Place, value: Json) -> None:
    """Refuse what is not true or false."""
    if not isinstance(value, bool):
        place.refuse("Expected value of type [BOOLEAN]", "Write true or false, without quotes.")


def one_of(*allowed: str) -> Rule:
    """Return a rule that refuses all but some texts."""

    def rule(place: Place, value: Json) -> None:
        if not isinstance(value, str):
            text(place, value)
        elif value not in allowed:
            place.refuse(f"Value should be one of the following: [{', '.join(allowed)}]", "Write one of these.")

    return rule


def integer(least: int, most: int | None = None) -> Rule:
    """Return a rule that refuses all but integers within bounds."""

    def rule(place: Place, value: Json) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            place.refuse("Expected value of type Integer", "Write a whole number, without quotes.")
        else:
            _within(place, value, least, most)

    return rule


def number(least: float | None = None, most: float | None = None) -> Rule:
    """Return a rule that refuses all but numbers within bounds."""

    def rule(place: Place, value: Json) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            place.refuse("Expected value of type Number", "Write a number, without quotes.")
        else:
            _within(place, value, least, most)

    return rule


def _within(place: Place, value: float, least: float | None, most: float | None) -> None:
    if least is not None and value < least:
        place.refuse(f"Minimum value is {least}", f"Write {least} or more.")
    elif most is not None and value > most:
        place.refuse(f"Maximum value is {most}", f"Write {most} or less.")


def list_of(rule: Rule) -> Rule:
    """Return a rule for a list that is not empty, each element by another rule."""

    def each(place: Place, value: Json) -> None:
        if not isinstance(value, list):
            place.refuse("Expected value of type Array", "Write a list here.")
        elif not value:
            place.refuse("Value cannot be empty", "Write at least one entry, or leave the field out.")
        else:
            for index, element in enumerate(value):
                rule(place.item(index), element)

    return each


def all_of(*rules: Rule) -> Rule:
    """Return a rule that is several rules."""

    def rule(place: Place, value: Json) -> None:
        for each in rules:
            each(place, value)

    return rule


def is_object(place: Place, value: Json) -> bool:
    """Return whether a value is an object, having refused it if not."""
    if not isinstance(value, dict):
        place.refuse("Expected value of type Object", "Write an object here.")
    return isinstance(value, dict)


# What belongs to one of the two query languages, wherever it stands.
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
    """An object of the language: its fields, those it must have, and those that exclude each other."""

    fields: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    further: tuple[Rule, ...] = ()
    jsonpath_only: frozenset[str] = frozenset()

    def __call__(self, place: Place, node: Json) -> None:
        """Refuse what breaks the shape, and what breaks the rules of its fields."""
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
        """Return whether a field belongs to the query language here, having refused it if not."""
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
    """Refuse more than one field of a group."""
    if len(present) > 1:
        place.refuse(f"There should only be one of the following fields: [{', '.join(group)}]", "Keep one of them.")


def exactly_one(*group: str) -> Rule:
    """Return a rule that refuses an object with none, or with several, of some fields."""

    def rule(place: Place, node: Json) -> None:
        present = [name for name in group if name in node]
        if not present:
            listed = ", ".join(group)
            place.refuse(f"This object should have only one of the following fields: [{listed}]", "Write one of them.")
        at_most_one(place, present, group)

    return rule
