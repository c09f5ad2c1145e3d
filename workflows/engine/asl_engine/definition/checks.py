"""Everything that is wrong with a definition, at once."""

from typing import Any

from asl_engine.definition.checks_flow import check_flow
from asl_engine.definition.diagnostics import SCHEMA_VALIDATION_FAILED, Diagnostic
from asl_engine.definition.place import Place
from asl_engine.definition.shapes import MACHINE, state
from asl_engine.jsontext import Json, loads, size_bytes

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DEFINITION_BYTES = 1_048_576


def check(text: str, machine_type: str = "STANDARD") -> list[Diagnostic]:
    """Return every problem of a definition, errors and warnings, as ValidateStateMachineDefinition does."""
    definition, found = _read(text)
    if definition is None:
        return found
    place = _place(definition, machine_type)
    try:
        MACHINE(place, definition)
        return [*place.found, *check_flow(definition)]
    except RecursionError:
        return [_too_deep()]


def check_state(text: str) -> list[Diagnostic]:
    """Return every problem of a single state, which leads to states that are not there (TestState)."""
    node, found = _read(text)
    if node is None:
        return found
    place = _place(node, "STANDARD")
    try:
        state(place, node)
    except RecursionError:
        return [_too_deep()]
    return place.found


def _too_deep() -> Diagnostic:
    """Return the problem of what Python cannot walk: 3.12 may give up on what can still be read as JSON."""
    message = "The states are nested too deeply"
    return Diagnostic(SCHEMA_VALIDATION_FAILED, message, "/", "Move the inner ones to a machine of their own.")


def _place(node: dict[str, Any], machine_type: str) -> Place:
    jsonata = node.get("QueryLanguage", "JSONPath") != "JSONPath"
    return Place(express=machine_type == "EXPRESS", machine_jsonata=jsonata, jsonata=jsonata)


def _read(text: str) -> tuple[dict[str, Json] | None, list[Diagnostic]]:
    if not text.strip():
        return None, [Diagnostic("MISSING_DESCRIPTION", "The definition is empty", "", "Write a definition.")]
    if size_bytes(text) > MAX_DEFINITION_BYTES:
        message = f"The definition is longer than {MAX_DEFINITION_BYTES} bytes"
        return None, [Diagnostic(SCHEMA_VALIDATION_FAILED, message, "/", "Move a part of it to a machine of its own.")]
    try:
        definition = loads(text)
    except ValueError as error:
        return None, [Diagnostic("INVALID_JSON_DESCRIPTION", str(error), "", "Correct the JSON there.")]
    if isinstance(definition, dict):
        return definition, []
    message = "Expected value of type Object"
    return None, [
        Diagnostic(SCHEMA_VALIDATION_FAILED, message, "/", "A definition is an object with StartAt and States.")
    ]
