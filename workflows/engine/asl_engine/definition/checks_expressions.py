"""Rules for what is evaluated while running: paths, templates, JSONata, assignments."""

import re

from asl_engine.definition.jsonata_names import names_in
from asl_engine.definition.place import Place
from asl_engine.definition.rules import Rule, is_object, text
from asl_engine.errors import ExpressionMalformed
from asl_engine.jsontext import Json
from asl_engine.language.intrinsics import compile_intrinsic
from asl_engine.language.jsonpath import CompiledPath, compile_path
from asl_engine.language.templates import OPEN, is_jsonata, jsonata_of
from asl_engine.language.times import is_timestamp

_VARIABLE_NAME = re.compile(r"[^\W\d_]\w*")
_DYNAMIC_TEXT = re.compile(r"\$(\$?[.\[].*)?|States\.\w+\(.*\)", re.DOTALL)
MAX_VARIABLE_NAME = 80


def compiled_path(value: Json) -> CompiledPath | None:
    """Return a path; None for what is none."""
    try:
        return compile_path(value) if isinstance(value, str) else None
    except ExpressionMalformed:
        return None


def path(place: Place, value: Json) -> None:
    """Refuse what is not a path, nor null."""
    if isinstance(value, str) and compiled_path(value) is None:
        place.refuse("Value must be a valid JSONPath.", 'Write a path such as "$.detail.id".')
    elif value is not None:
        text(place, value)


def reference_path(place: Place, value: Json) -> None:
    """Refuse what is not a path, or may lead to more than one value."""
    compiled = compiled_path(value)
    if compiled is None:
        path(place, "" if value is None else value)
    elif not compiled.is_definite:
        place.refuse("Value is not a Reference Path", "Name one value: no wildcard, slice, filter or function.")


def number_path(place: Place, value: Json) -> None:
    """Refuse what a Map cannot read a number from: the context object, among others."""
    if isinstance(value, str) and value.startswith("$$"):
        place.refuse("Value is not a Reference Path", 'Read the number from the input ("$.") or from a variable.')
    else:
        reference_path(place, value)


def starting_reference_path(place: Place, value: Json) -> None:
    """Refuse what a choice rule cannot compare."""
    if isinstance(value, str) and not value.startswith("$"):
        place.refuse(
            "Value is not a Reference Path: Reference path didn't start with '$'",
            'Write a path such as "$.detail.id". An intrinsic function cannot stand here.',
        )
    else:
        reference_path(place, value)


def result_path(place: Place, value: Json) -> None:
    """Refuse what a result cannot be written to."""
    if value is None:
        return
    compiled = compiled_path(value)
    if compiled is None or not compiled.is_definite:
        reference_path(place, value)
    elif not compiled.is_reference:
        place.refuse("Value is not a Reference Path", 'A result is written into the input: begin with "$.".')


def path_or_intrinsic(place: Place, value: Json) -> None:
    """Refuse what is neither a path nor an intrinsic function."""
    if isinstance(value, str) and value.startswith("States."):
        if not is_intrinsic(value):
            place.refuse("Value must be a valid intrinsic function call", "Correct the call of the function.")
    else:
        reference_path(place, value)


def is_intrinsic(value: str) -> bool:
    """Return whether a text is a call of an intrinsic function."""
    try:
        compile_intrinsic(value)
    except ExpressionMalformed:
        return False
    return True


def static_text(place: Place, value: Json) -> None:
    """Refuse what is not a string, and warn of one that looks as if it was to be evaluated."""
    text(place, value)
    if isinstance(value, str) and not place.jsonata and _DYNAMIC_TEXT.fullmatch(value):
        field = place.location.rpartition("/")[2]
        message = f"The value of the field '{field}' looks like a path, but its name does not end with 'Path'"
        place.warn("NO_PATH", message, f"To have it evaluated, name the field '{field}Path'.")


def timestamp(place: Place, value: Json) -> None:
    """Refuse what is no timestamp."""
    if not is_timestamp(value):
        place.refuse("String does not match RFC3339 timestamp", "Write it as 2024-01-31T12:00:00Z.")


def expression(place: Place, value: Json) -> None:
    """Refuse a text that is not JSONata between its braces, does not parse, or names what is not there."""
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
    """Return a rule for a literal, in whose place a JSONata state may have an expression."""

    def either(place: Place, value: Json) -> None:
        if place.jsonata and isinstance(value, str) and value.startswith(OPEN):
            expression(place, value)
        else:
            rule(place, value)

    return either


def template(place: Place, value: Json) -> None:
    """Refuse a template with a field that cannot be evaluated."""
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
            _jsonata_template(place.item(index), element)
    elif isinstance(value, str) and value.startswith(OPEN):
        expression(place, value)


def _jsonpath_template(place: Place, value: Json) -> None:
    if isinstance(value, list):
        for index, element in enumerate(value):
            _jsonpath_template(place.item(index), element)
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        if name.endswith(".$"):
            _dynamic_field(place, name, member)
        elif isinstance(member, str) and _DYNAMIC_TEXT.fullmatch(member):
            place.warn(
                "NO_DOLLAR",
                f"The value of the field '{name}' looks like a JSONPath or an intrinsic function call",
                f"To have it evaluated, name the field {name + '.$'!r}.",
            )
        else:
            _jsonpath_template(place.at(name), member)


def _dynamic_field(place: Place, name: str, value: Json) -> None:
    if isinstance(value, str) and (compiled_path(value) is not None or is_intrinsic(value)):
        return
    place.refuse(
        f"The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call",
        "Correct the path or the call, or take '.$' from the field's name to have the text as it is.",
    )


def assignments(place: Place, value: Json) -> None:
    """Refuse variables that cannot be, and values that cannot be evaluated."""
    if not is_object(place, value):
        return
    for name in value:
        _variable_name(place.at(name), name if place.jsonata else name.removesuffix(".$"))
    template(place, value)


def _variable_name(place: Place, name: str) -> None:
    remedy = f"Begin with a letter, go on with letters, digits and _, {MAX_VARIABLE_NAME} characters at most."
    if name == "states":
        code = "RESERVED_VARIABLE_NAME"
        place.refuse("Cannot assign to reserved variable '$states'.", "Take another name.", code)
    elif len(name) > MAX_VARIABLE_NAME:
        message = f"Invalid variable name '{name}': the variable name is longer than {MAX_VARIABLE_NAME} characters."
        place.refuse(message, remedy, "INVALID_VARIABLE_NAME")
    elif not _VARIABLE_NAME.fullmatch(name):
        message = f"Invalid variable name '{name}': the variable name contains invalid characters."
        place.refuse(message, remedy, "INVALID_VARIABLE_NAME")
