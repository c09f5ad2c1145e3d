"""Rules for expressions: paths, templates, JSONata, assignments."""

import re

from asl_engine.definition.rules import Place, Rule, is_object, text
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
