"""Validation of requests: limits of fields, names and ARNs."""

import re
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.errors import ApiError
from asl_engine.server.request_fields import FIELDS
from asl_engine.server.routes import OPERATIONS
from asl_engine.server.validation import Account, Field, check_name, check_request, parse_arn

MODEL = botocore.session.Session().get_service_model("stepfunctions")


def refusal(operation: str, arguments: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as raised:
        check_request(FIELDS[operation], arguments)
    return raised.value


def message(operation: str, arguments: dict[str, Any]) -> str:
    error = refusal(operation, arguments)
    assert error.code == "ValidationException"
    return error.message


def route(number: int, weight: int) -> dict[str, Any]:
    return {"stateMachineVersionArn": f"arn:{number}", "weight": weight}


def test_every_operation_has_fields_and_a_function() -> None:
    assert set(OPERATIONS) == set(FIELDS) == set(MODEL.operation_names)


def limits(ours: Field) -> tuple[str, dict[str, Any]]:
    """Return a field's kind and limits, in the form of ``modelled``."""
    if ours.kind == "Number":
        return ours.kind, {"min": ours.min, "max": ours.max}
    found: dict[str, Any] = {"min": ours.min or None, "max": ours.max}
    if ours.kind == "String":
        return ours.kind, {**found, "enum": sorted(ours.values) or None}
    return ours.kind, found if ours.kind == "List" else {}


KINDS = {"string": "String", "boolean": "Boolean", "list": "List", "structure": "Structure"}


def modelled(shape: Shape) -> tuple[str, dict[str, Any]]:
    kind = KINDS.get(shape.type_name, "Number")
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if kind == "Number":
        return kind, {"min": least, "max": most}
    found = {"min": least or None, "max": most}
    if kind == "String":
        return kind, {**found, "enum": sorted(shape.metadata.get("enum", ())) or None}
    return kind, found if kind == "List" else {}


def compare(ours: Field, theirs: Shape, at: str) -> None:
    assert limits(ours) == modelled(theirs), at
    if isinstance(theirs, StructureShape):
        compare_fields(ours.fields, theirs, at)
    if ours.member is not None and isinstance(theirs, ListShape):
        compare(ours.member, theirs.member, f"{at}[]")


def compare_fields(fields: Any, theirs: StructureShape, at: str) -> None:
    assert set(fields) == set(theirs.members), at
    for name, shape in fields.items():
        assert not shape.required or name in theirs.required_members or name == "key", f"{at}.{name}"
        compare(shape, theirs.members[name], f"{at}.{name}")


@pytest.mark.parametrize("operation", sorted(FIELDS))
def test_the_limits_equal_those_of_the_aws_model(operation: str) -> None:
    modelled_input = MODEL.operation_model(operation).input_shape
    assert modelled_input is not None
    compare_fields(FIELDS[operation], modelled_input, operation)


def test_a_missing_field_is_reported_as_null() -> None:
    assert message("DescribeExecution", {}) == (
        "1 validation error detected: Value null at 'executionArn' failed to satisfy constraint: "
        "Member must not be null"
    )


def test_all_violations_are_reported_together() -> None:
    assert message("ListExecutions", {"maxResults": 1001, "nextToken": "", "statusFilter": "done"}) == (
        "3 validation errors detected: Value 'done' at 'statusFilter' failed to satisfy constraint: Member must "
        "satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]; "
        "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000; "
        "Value '' at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1"
    )


def test_list_members_are_reported_by_position() -> None:
    text = message("CreateStateMachineAlias", {"name": "live", "routingConfiguration": [route(1, 101)]})

    assert "Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint" in text


def test_a_list_is_shown_as_java_prints_it() -> None:
    routes = [route(1, 50), route(2, 30), route(3, 20)]

    text = message("CreateStateMachineAlias", {"name": "live", "routingConfiguration": routes})

    shown = ", ".join(
        f"RoutingConfigurationListItem(stateMachineVersionArn=arn:{n}, weight={w})"
        for n, w in ((1, 50), (2, 30), (3, 20))
    )
    assert text.startswith(f"1 validation error detected: Value '[{shown}]' at 'routingConfiguration'")
    assert text.endswith("Member must have length less than or equal to 2")


@pytest.mark.parametrize("name", ["1", "12", "a b", "é", ""])
def test_an_alias_needs_a_name_with_a_letter(name: str) -> None:
    assert " at 'name' failed" in message(
        "CreateStateMachineAlias", {"name": name, "routingConfiguration": [route(1, 100)]}
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"executionArn": 1}, "INT_VALUE can not be converted to a String"),  # AWS's words
        ({"executionArn": "arn", "maxResults": "ten"}, "STR_VALUE can not be converted to a Number"),  # AWS's words
        ({"executionArn": "arn", "maxResults": True}, "BOOL_VALUE can not be converted to a Number"),  # AWS's words
        ({"executionArn": "arn", "maxResults": 1.5}, "FLOAT_VALUE can not be converted to a Number"),  # AWS's words
        ({"executionArn": "arn", "reverseOrder": "yes"}, "STR_VALUE can not be converted to a Boolean"),  # AWS's words
    ],
)
def test_a_value_of_the_wrong_type_is_refused(arguments: dict[str, Any], text: str) -> None:
    error = refusal("GetExecutionHistory", arguments)

    assert (error.code, error.message) == ("SerializationException", text)


@given(st.integers(0, 1000), st.booleans(), st.text(min_size=1, max_size=256))
def test_values_within_the_limits_pass(size: int, reverse: bool, arn: str) -> None:
    asked = {"executionArn": arn, "maxResults": size, "reverseOrder": reverse, "unknown": object()}

    check_request(FIELDS["GetExecutionHistory"], asked)


def test_patterns_match_the_whole_value() -> None:
    assert re.search("pattern", message("RedriveExecution", {"executionArn": "arn", "clientToken": "a b"}))


# --- names and ARNs ---

FITTING = st.text("abcXYZ019-_.'()!@+=é漢", min_size=1, max_size=80)


@given(FITTING)
def test_names_can_have_all_characters_that_aws_allows(name: str) -> None:
    assert check_name(name) == name


@given(FITTING, st.sampled_from(' <>{}[]?*"#%\\^|~`$&,;:/\t\n\x00\x1f\x7f\x80\x9f'), FITTING)
def test_a_name_with_a_forbidden_character_is_refused(before: str, forbidden: str, after: str) -> None:
    with pytest.raises(ApiError) as raised:
        check_name(before + forbidden + after)

    assert str(raised.value) == f"InvalidName: Invalid Name: '{before}{forbidden}{after}'"


def test_an_arn_is_parsed() -> None:
    account = Account("eu-west-1", "123456789012")

    version, alias = (parse_arn(account.arn("stateMachine", "m", part), "stateMachine") for part in ("12", "v12"))

    assert version.text == "arn:aws:states:eu-west-1:123456789012:stateMachine:m:12"
    assert version.state_machine == alias.state_machine == account.arn("stateMachine", "m")
    assert (version.qualifier, version.is_version) == ("12", True)
    assert (alias.qualifier, alias.is_version) == ("v12", False)
