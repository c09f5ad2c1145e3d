"""Rules of fields, by type or as expressions, and the shapes that combine them."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from asl_engine.definition.diagnostics import ERROR, SCHEMA_VALIDATION_FAILED, WARNING, Diagnostic
from asl_engine.errors import ExpressionMalformed
from asl_engine.jsontext import Json
from asl_engine.language.intrinsics import compile_intrinsic
from asl_engine.language.jsonata import names_in
from asl_engine.language.jsonpath import CompiledPath, compile_path
from asl_engine.language.templates import OPEN, is_jsonata, jsonata_of
from asl_engine.language.times import is_timestamp

_VARIABLE_NAME = re.compile(r"[^\W\d_]\w*")
_DYNAMIC_TEXT = re.compile(r"\$(\$?[.\[].*)?|States\.\w+\(.*\)", re.DOTALL)
MAX_VARIABLE_NAME = 80


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

    def at(self, key: str | int) -> "Place":
        """Return the place of a field or of an element."""
        return replace(self, location=f"{self.location}[{key}]" if isinstance(key, int) else f"{self.location}/{key}")

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
                rule(place.at(index), element)

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


# --- expressions: paths, templates, JSONata, assignments ---


def _compiled_path(value: Json) -> CompiledPath | None:
    try:
        return compile_path(value) if isinstance(value, str) else None
    except ExpressionMalformed:
        return None


def path(place: Place, value: Json) -> None:
    """Refuse all but a path or null."""
    if isinstance(value, str) and _compiled_path(value) is None:
        place.refuse("Value must be a valid JSONPath.", 'Write a path such as "$.detail.id".')
    elif value is not None:
        text(place, value)


def reference_path(place: Place, value: Json) -> None:
    """Refuse all but a path to at most one value."""
    compiled = _compiled_path(value)
    if compiled is None:
        path(place, "" if value is None else value)
    elif not compiled.is_definite:
        place.refuse("Value is not a Reference Path", "Name one value: no wildcard, slice, filter or function.")


def number_path(place: Place, value: Json) -> None:
    """Refuse all but a path for a Map's number, which the context object cannot give."""
    if isinstance(value, str) and value.startswith("$$"):
        place.refuse("Value is not a Reference Path", 'Read the number from the input ("$.") or from a variable.')
    else:
        reference_path(place, value)


def starting_reference_path(place: Place, value: Json) -> None:
    """Refuse all but the operands of a choice rule."""
    if isinstance(value, str) and not value.startswith("$"):
        place.refuse(
            "Value is not a Reference Path: Reference path didn't start with '$'",
            'Write a path such as "$.detail.id". Intrinsic functions are not allowed here.',
        )
    else:
        reference_path(place, value)


def result_path(place: Place, value: Json) -> None:
    """Refuse all but a path that a result can be written to, or null."""
    if value is None:
        return
    compiled = _compiled_path(value)
    if compiled is None or not compiled.is_definite:
        reference_path(place, value)
    elif not compiled.is_reference:
        place.refuse("Value is not a Reference Path", 'Begin with "$.": a result is written into the input.')


def path_or_intrinsic(place: Place, value: Json) -> None:
    """Refuse all but a path or an intrinsic function."""
    if isinstance(value, str) and value.startswith("States."):
        if not _is_intrinsic(value):
            place.refuse("Value must be a valid intrinsic function call", "Correct the call of the function.")
    else:
        reference_path(place, value)


def _is_intrinsic(value: str) -> bool:
    try:
        compile_intrinsic(value)
    except ExpressionMalformed:
        return False
    return True


def static_text(place: Place, value: Json) -> None:
    """Refuse all but strings; warn of one that looks like an expression."""
    text(place, value)
    if isinstance(value, str) and not place.jsonata and _DYNAMIC_TEXT.fullmatch(value):
        field = place.location.rpartition("/")[2]
        message = f"The value of the field '{field}' looks like a path, but its name does not end with 'Path'"
        place.warn("NO_PATH", message, f"To evaluate it, name the field '{field}Path'.")


def timestamp(place: Place, value: Json) -> None:
    """Refuse all but timestamps."""
    if not is_timestamp(value):
        place.refuse("String does not match RFC3339 timestamp", "Write it as 2024-01-31T12:00:00Z.")


def expression(place: Place, value: Json) -> None:
    """Refuse malformed JSONata, and references that do not exist."""
    if not is_jsonata(value):
        place.refuse("JSONata string must start with {% and end with %}", 'Write "{% … %}".')
        return
    try:
        names = names_in(jsonata_of(value))
    except ExpressionMalformed as malformed:
        place.refuse(str(malformed.problem), "Correct the expression.", "INVALID_JSONATA_EXPRESSION")
        return
    refused = list(names.refused)
    if names.reads_error_output and not place.error_output:
        refused.append("Field '$states.errorOutput' does not exist.")
    for message in refused:
        remedy = "Begin with $states.input, $states.context or a variable; only a catcher has $states.errorOutput."
        place.refuse(message, remedy, "UNSUPPORTED_JSONATA_EXPRESSION")


def expressible(rule: Rule) -> Rule:
    """Return a rule for a literal or, in a JSONata state, an expression."""

    def either(place: Place, value: Json) -> None:
        if place.jsonata and isinstance(value, str) and value.startswith(OPEN):
            expression(place, value)
        else:
            rule(place, value)

    return either


def template(place: Place, value: Json) -> None:
    """Refuse a template with malformed expressions."""
    if place.jsonata:
        _jsonata_template(place, value)
    else:
        _jsonpath_template(place, value)


def _jsonata_template(place: Place, value: Json) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _jsonata_template(place.at(name), member)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            _jsonata_template(place.at(index), element)
    elif isinstance(value, str) and value.startswith(OPEN):
        expression(place, value)


def _jsonpath_template(place: Place, value: Json) -> None:
    if isinstance(value, list):
        for index, element in enumerate(value):
            _jsonpath_template(place.at(index), element)
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        if name.endswith(".$"):
            _dynamic_field(place, name, member)
        elif isinstance(member, str) and _DYNAMIC_TEXT.fullmatch(member):
            place.warn(
                "NO_DOLLAR",
                f"The value of the field '{name}' looks like a JSONPath or an intrinsic function call",
                f"To evaluate it, name the field {name + '.$'!r}.",
            )
        else:
            _jsonpath_template(place.at(name), member)


def _dynamic_field(place: Place, name: str, value: Json) -> None:
    if isinstance(value, str) and (_compiled_path(value) is not None or _is_intrinsic(value)):
        return
    place.refuse(
        f"The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call",
        "Correct the path or the call, or remove '.$' from the field's name to keep the text.",
    )


def assignments(place: Place, value: Json) -> None:
    """Refuse invalid names of variables and malformed values."""
    if not is_object(place, value):
        return
    for name in value:
        _variable_name(place.at(name), name if place.jsonata else name.removesuffix(".$"))
    template(place, value)


def _variable_name(place: Place, name: str) -> None:
    remedy = f"Use a letter, then letters, digits and _, at most {MAX_VARIABLE_NAME} characters."
    if name == "states":
        code = "RESERVED_VARIABLE_NAME"
        place.refuse("Cannot assign to reserved variable '$states'.", "Take another name.", code)
    elif len(name) > MAX_VARIABLE_NAME:
        message = f"Invalid variable name '{name}': the variable name is longer than {MAX_VARIABLE_NAME} characters."
        place.refuse(message, remedy, "INVALID_VARIABLE_NAME")
    elif not _VARIABLE_NAME.fullmatch(name):
        message = f"Invalid variable name '{name}': the variable name contains invalid characters."
        place.refuse(message, remedy, "INVALID_VARIABLE_NAME")
