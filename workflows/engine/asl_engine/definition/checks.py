"""Checks of a whole definition."""

from asl_engine.definition.checks_flow import check_flow
from asl_engine.definition.diagnostics import SCHEMA_VALIDATION_FAILED, Diagnostic
from asl_engine.definition.rules import Place, Rule
from asl_engine.definition.shapes import MACHINE, state
from asl_engine.json_problems import problem_of
from asl_engine.jsontext import Json, loads, size_bytes

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_DEFINITION_BYTES = 1_048_576


def check(text: str, machine_type: str = "STANDARD") -> list[Diagnostic]:
    """Return every problem of a definition, errors and warnings, as ValidateStateMachineDefinition does."""

    def rule(place: Place, definition: Json) -> None:
        MACHINE(place, definition)
        place.found.extend(check_flow(definition))

    return _check(text, machine_type, rule)


def check_state(text: str) -> list[Diagnostic]:
    """Return every problem of a single state, apart from its transitions (TestState).

    Locations are those in a machine with this state alone, which AWS names StateName.
    """
    return _check(text, "STANDARD", lambda place, node: state(place.at("States").at("StateName"), node))


def _check(text: str, machine_type: str, rule: Rule) -> list[Diagnostic]:
    node = _read(text)
    if isinstance(node, Diagnostic):
        return [node]
    jsonata = node.get("QueryLanguage", "JSONPath") != "JSONPath"
    place = Place(express=machine_type == "EXPRESS", machine_jsonata=jsonata, jsonata=jsonata)
    try:
        rule(place, node)
    except RecursionError:  # Python 3.12 may not reach what its JSON parser does
        message = "The states are nested too deeply"
        return [Diagnostic(SCHEMA_VALIDATION_FAILED, message, "/", "Move the inner states to their own machine.")]
    return place.found


def _read(text: str) -> dict[str, Json] | Diagnostic:
    if not text.strip():
        message = "Definition must be a valid JSON object"
        return Diagnostic(SCHEMA_VALIDATION_FAILED, message, "", "Write an object with StartAt and States.")
    if size_bytes(text) > MAX_DEFINITION_BYTES:
        message = f"The definition is longer than {MAX_DEFINITION_BYTES} bytes"
        return Diagnostic(SCHEMA_VALIDATION_FAILED, message, "/", "Move a part of it to another machine.")
    try:
        definition = loads(text)
    except ValueError:
        message, location = problem_of(text)
        return Diagnostic("INVALID_JSON_DESCRIPTION", f"{message}\n at {location}", location, "Correct the JSON.")
    if isinstance(definition, dict):
        return definition
    remedy = "A definition is an object with StartAt and States."
    return Diagnostic(SCHEMA_VALIDATION_FAILED, "Expected value of type Object", "/", remedy)
