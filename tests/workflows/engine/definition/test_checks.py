"""Problems of single states and of the machine's fields: code, location, message."""

import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from asl_engine.definition.checks import check, check_state
from asl_engine.definition.diagnostics import Diagnostic, errors_of
from tests.workflows.engine.definition.machines import (
    EVERYTHING,
    FUNCTION,
    INVOKE,
    branch,
    choosing,
    distributed,
    mapping,
    one_state,
    parallel,
    passing,
    task,
    waiting,
)

HERE = "/States/Here"
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:paint"
ONLY_NEXT_END = "of the following fields: [Next, End]"
WRONG_LANGUAGE = "The QueryLanguage is set to '{}', but field '{}' is only supported for the '{}' QueryLanguage"
RULE = {"Variable": "$.a", "IsNull": True, "Next": "There"}


def error(text: str, machine_type: str = "STANDARD") -> tuple[str, str, str]:
    """Return code, location and message of a definition's only error, which has a remedy."""
    (found,) = errors_of(check(text, machine_type))
    assert found.remedy
    return found.code, found.location, found.message


def schema_error(state: dict[str, Any], machine_type: str = "STANDARD", **machine: Any) -> tuple[str, str]:
    """Return location and message of the only error within a state."""
    errors = errors_of(check(one_state(state, **machine), machine_type))
    (found,) = (each for each in errors if each.code == "SCHEMA_VALIDATION_FAILED")
    assert found.remedy
    return found.location, found.message


def test_a_definition_with_every_feature_has_no_problems() -> None:
    assert check(json.dumps(EVERYTHING)) == []


@pytest.mark.parametrize(
    ("text", "code", "location"),
    [
        ("", "SCHEMA_VALIDATION_FAILED", ""),
        (" \n", "SCHEMA_VALIDATION_FAILED", ""),
        ("{", "INVALID_JSON_DESCRIPTION", '[Source: (String)"{"; line: 1, column: 2]'),
        ("[]", "SCHEMA_VALIDATION_FAILED", "/"),
        ('"' + "x" * 1_048_576 + '"', "SCHEMA_VALIDATION_FAILED", "/"),
    ],
)
def test_a_text_that_is_not_a_definition_is_refused(text: str, code: str, location: str) -> None:
    assert error(text)[:2] == (code, location)


def test_deeply_nested_states_pass_or_are_refused() -> None:
    nested: dict[str, Any] = {"Type": "Succeed"}
    for depth in range(250):
        nested = parallel({"StartAt": f"S{depth}", "States": {f"S{depth}": nested}})

    messages = [found.message for found in check(one_state(nested))]

    # The depth that Python 3.12 reaches depends on its caller: deeper states are refused, without a RecursionError.
    assert messages == [] or (sys.version_info < (3, 13) and messages == ["The states are nested too deeply"])


@pytest.mark.parametrize("check_text", [check, check_state])
def test_states_nested_too_deeply_are_refused(check_text: Callable[[str], list[Diagnostic]]) -> None:
    nested: dict[str, Any] = {"Type": "Succeed"}
    for depth in range(100):
        nested = parallel({"StartAt": f"S{depth}", "States": {f"S{depth}": nested}})
    text = one_state(nested) if check_text is check else json.dumps(nested)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 60)
    try:
        found = check_text(text)
    finally:
        sys.setrecursionlimit(limit)

    assert [one.message for one in found] == ["The states are nested too deeply"]


@pytest.mark.parametrize(
    ("machine", "location", "message"),
    [
        ({}, "/", "These fields are required: [States, StartAt]"),
        ({"StartAt": "A"}, "/", "These fields are required: [States]"),
        ({"StartAt": "A", "States": {}}, "/States", "Value cannot be empty"),
    ],
)
def test_a_machine_needs_states_and_an_entrance(machine: dict[str, Any], location: str, message: str) -> None:
    found = errors_of(check(json.dumps(machine)))[0]

    assert (found.code, found.location, found.message) == ("SCHEMA_VALIDATION_FAILED", location, message)


@pytest.mark.parametrize(
    ("fields", "location", "message"),
    [
        ({"Version": "2.0"}, "/Version", "Value should be one of the following: [1.0]"),
        ({"TimeoutSeconds": -1}, "/TimeoutSeconds", "Minimum value is 0"),
        ({"TimeoutSeconds": "1"}, "/TimeoutSeconds", "Expected value of type Integer"),
        ({"QueryLanguage": "jq"}, "/QueryLanguage", "Value should be one of the following: [JSONPath, JSONata]"),
        ({"Remark": "x"}, "/", "Field 'Remark' is not supported"),
        ({"Comment": 1}, "/Comment", "Expected value of type [STRING]"),
    ],
)
def test_a_machines_own_fields_are_checked(fields: dict[str, Any], location: str, message: str) -> None:
    assert schema_error({"Type": "Succeed"}, **fields) == (location, message)


@pytest.mark.parametrize(
    ("state", "location", "message"),
    [
        ({}, "", "These fields are required: [Type]"),
        ({"Type": "Loop"}, "/Type", "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, "
         "Fail, Choice, Parallel, Map]"),
        (passing(End=False), "", f"This object should have only one {ONLY_NEXT_END}"),
        (passing(Next="There"), "", f"There should only be one {ONLY_NEXT_END}"),
        (passing(End="yes"), "/End", "Expected value of type [BOOLEAN]"),
        (passing(Retry=[]), "", "Field 'Retry' is not supported"),
        ({"Type": "Task", "End": True}, "", "These fields are required: [Resource]"),
        (task(Resource=7), "/Resource", "Expected value of type [STRING]"),
        (task(Resource="inspect"), "/Resource", "Value is not a valid resource ARN"),
        (task(TimeoutSeconds=0), "/TimeoutSeconds", "Minimum value is 1"),
        (task(TimeoutSeconds=100_000_000), "/TimeoutSeconds", "Maximum value is 99999999"),
        (task(TimeoutSeconds=1.5), "/TimeoutSeconds", "Expected value of type Integer"),
        (task(TimeoutSeconds=True), "/TimeoutSeconds", "Expected value of type Integer"),
        (task(TimeoutSeconds=1, TimeoutSecondsPath="$.a"), "",
         "There should only be one of the following fields: [TimeoutSeconds, TimeoutSecondsPath]"),
        (task(TimeoutSeconds=5, HeartbeatSeconds=5), "/HeartbeatSeconds",
         "HeartbeatSeconds must be less than TimeoutSeconds"),
        (task(Credentials={}), "/Credentials", "The field 'RoleArn' is required but was missing"),
        (task(Credentials="role"), "/Credentials", "Expected value of type Object"),
        (waiting(), "", "This object should have only one of the following fields: "
         "[SecondsPath, Seconds, TimestampPath, Timestamp]"),
        (waiting(Seconds=1, Timestamp="2024-01-01T00:00:00Z"), "", "There should only be one of the following fields: "
         "[SecondsPath, Seconds, TimestampPath, Timestamp]"),
        (waiting(Timestamp="2024-13-01T00:00:00Z"), "/Timestamp", "String does not match RFC3339 timestamp"),
        (waiting(Timestamp="2024-12-01"), "/Timestamp", "String does not match RFC3339 timestamp"),
        ({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"}, "",
         "There should only be one of the following fields: [Error, ErrorPath]"),
        ({"Type": "Fail", "CausePath": "States.UUID("}, "/CausePath", "Value must be a valid intrinsic function call"),
        (parallel(), "/Branches", "Value cannot be empty"),
        (parallel(branch(), {"StartAt": "Q"}), "/Branches[1]", "These fields are required: [States]"),
        ({"Type": "Map", "End": True}, "",
         "This object should have only one of the following fields: [ItemProcessor, Iterator]"),
        (mapping(MaxConcurrency=-1), "/MaxConcurrency", "Minimum value is 0"),
        (mapping(ToleratedFailurePercentage=101), "/ToleratedFailurePercentage", "Maximum value is 100.0"),
        (mapping(ToleratedFailureCount=1, ToleratedFailureCountPath="$.n"), "",
         "There should only be one of the following fields: [ToleratedFailureCount, ToleratedFailureCountPath]"),
        (mapping(Label="each"), "", "Field 'Label' is not supported"),
        (mapping({"QueryLanguage": "JSONata"}), "/ItemProcessor", "Field 'QueryLanguage' is not supported"),
        (mapping({"ProcessorConfig": {"Mode": "DISTRIBUTED"}}), "/ItemProcessor/ProcessorConfig",
         "These fields are required: [ExecutionType]"),
        (mapping({"ProcessorConfig": {"Mode": "INLINE", "ExecutionType": "EXPRESS"}}),
         "/ItemProcessor/ProcessorConfig", "Field 'ExecutionType' is not supported"),
        (distributed(ItemReader={"Resource": INVOKE}), "/ItemReader/Resource",
         "The field 'Resource' does not match any of the allowed values"),
        (distributed(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV"}}),
         "/ItemReader/ReaderConfig", "The field 'CSVHeaderLocation' is required"),
        (distributed(ItemReader={"Resource": "arn:aws:states:::s3:getObject",
                                 "ReaderConfig": {"InputType": "JSON", "CSVHeaderLocation": "GIVEN"}}),
         "/ItemReader/ReaderConfig", "Field 'CSVHeaderLocation' is not supported"),
        (distributed(ItemReader={"Resource": "arn:aws:states:::s3:getObject",
                                 "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}}),
         "/ItemReader/ReaderConfig", "These fields are required: [CSVHeaders]"),
        (distributed(ItemBatcher={"MaxItemsPerBatch": -1}), "/ItemBatcher/MaxItemsPerBatch", "Minimum value is 0"),
        (distributed(ResultWriter={"Resource": INVOKE}), "/ResultWriter/Resource",
         "The field 'Resource' does not match any of the allowed values"),
    ],
)  # fmt: skip
def test_the_fields_of_a_state_are_checked(state: dict[str, Any], location: str, message: str) -> None:
    assert schema_error(state) == (HERE + location, message)


@pytest.mark.parametrize(
    ("retrier", "location", "message"),
    [
        ({}, "", "These fields are required: [ErrorEquals]"),
        ({"ErrorEquals": []}, "/ErrorEquals", "Value cannot be empty"),
        ({"ErrorEquals": "E"}, "/ErrorEquals", "Expected value of type Array"),
        ({"ErrorEquals": ["E"], "MaxAttempts": -1}, "/MaxAttempts", "Minimum value is 0"),
        ({"ErrorEquals": ["E"], "MaxAttempts": 100_000_000}, "/MaxAttempts", "Maximum value is 99999999"),
        ({"ErrorEquals": ["E"], "BackoffRate": 0.9}, "/BackoffRate", "Minimum value is 1.0"),
        ({"ErrorEquals": ["E"], "BackoffRate": "2"}, "/BackoffRate", "Expected value of type Number"),
        ({"ErrorEquals": ["E"], "MaxDelaySeconds": 31_622_401}, "/MaxDelaySeconds", "Maximum value is 31622400"),
        ({"ErrorEquals": ["E"], "IntervalSeconds": 9, "MaxDelaySeconds": 9}, "/MaxDelaySeconds",
         "MaxDelaySeconds must be greater than IntervalSeconds"),
        ({"ErrorEquals": ["E"], "JitterStrategy": "HALF"}, "/JitterStrategy",
         "Value should be one of the following: [NONE, FULL]"),
        ({"ErrorEquals": ["States.ALL", "E"]}, "/ErrorEquals[0]", "States.ALL must appear alone and at end of list"),
    ],
)  # fmt: skip
def test_a_retrier_is_checked(retrier: dict[str, Any], location: str, message: str) -> None:
    assert schema_error(task(Retry=[retrier])) == (f"{HERE}/Retry[0]{location}", message)


def test_the_catcher_of_all_errors_comes_last() -> None:
    catchers = [{"ErrorEquals": [name], "Next": "There"} for name in ("States.ALL", "E")]

    assert schema_error(task(Catch=catchers)) == (
        f"{HERE}/Catch[0]/ErrorEquals[0]",
        "States.ALL must appear alone and at end of list",
    )


@pytest.mark.parametrize("state", [task(), mapping(), parallel(branch())])
def test_empty_lists_of_retriers_and_catchers_are_valid(state: dict[str, Any]) -> None:
    assert check(one_state({**state, "Retry": [], "Catch": []})) == []


def test_a_catcher_needs_a_target() -> None:
    assert schema_error(task(Catch=[{"ErrorEquals": ["E"]}])) == (
        f"{HERE}/Catch[0]",
        "These fields are required: [Next]",
    )


@pytest.mark.parametrize(
    ("rule", "location", "message"),
    [
        ({**RULE, "Next": None}, "/Next", "Expected value of type [STRING]"),
        ({"Next": "There"}, "",
         "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]"),
        ({**RULE, "Not": {"Variable": "$.a", "IsNull": True}}, "",
         "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]"),
        ({**RULE, "Variable": "States.ArrayLength($.a)"}, "/Variable",
         "Value is not a Reference Path: Reference path didn't start with '$'"),
        ({**RULE, "Variable": "$.a[*]"}, "/Variable", "Value is not a Reference Path"),
        ({**RULE, "IsNull": "true"}, "/IsNull", "Expected value of type [BOOLEAN]"),
        ({"Variable": "$.a", "NumericEquals": "1", "Next": "There"}, "/NumericEquals", "Expected value of type Number"),
        ({"Variable": "$.a", "TimestampLessThan": "now", "Next": "There"}, "/TimestampLessThan",
         "String does not match RFC3339 timestamp"),
        ({"And": [], "Next": "There"}, "/And", "Value cannot be empty"),
        ({"And": [RULE], "Next": "There"}, "/And[0]", "Field 'Next' is not supported"),
        ({"Not": RULE, "Next": "There"}, "/Not", "Field 'Next' is not supported"),
        ({**RULE, "StringIs": "x"}, "", "Field 'StringIs' is not supported"),
    ],
)  # fmt: skip
def test_a_choice_rule_is_checked(rule: dict[str, Any], location: str, message: str) -> None:
    assert schema_error(choosing(rule)) == (f"{HERE}/Choices[0]{location}", message)


def test_a_choice_rule_compares_by_one_operator() -> None:
    location, message = schema_error(choosing({**RULE, "IsString": True}))

    assert location == f"{HERE}/Choices[0]"
    assert message.startswith("There should only be one of the following fields: [StringEquals, ")


@pytest.mark.parametrize(
    ("state", "location", "message"),
    [
        (passing(InputPath="a"), "/InputPath", "Value must be a valid JSONPath."),
        (passing(OutputPath="$.a["), "/OutputPath", "Value must be a valid JSONPath."),
        (passing(InputPath=1), "/InputPath", "Expected value of type [STRING]"),
        (passing(ResultPath="$.a[*]"), "/ResultPath", "Value is not a Reference Path"),
        (passing(ResultPath="$$.a"), "/ResultPath", "Value is not a Reference Path"),
        (mapping(MaxConcurrencyPath="$$.Execution.Input.n"), "/MaxConcurrencyPath", "Value is not a Reference Path"),
        (task(TimeoutSecondsPath="$..a"), "/TimeoutSecondsPath", "Value is not a Reference Path"),
        (waiting(SecondsPath=None), "/SecondsPath", "Value must be a valid JSONPath."),
        (task(Parameters={"a.$": "b"}), "/Parameters",
         "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"),
        (task(Parameters={"a": [{"b.$": "States.Nothing()"}]}), "/Parameters/a[0]",
         "The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function call"),
        (task(ResultSelector={"a.$": 1}), "/ResultSelector",
         "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"),
    ],
)  # fmt: skip
def test_paths_and_functions_are_parsed(state: dict[str, Any], location: str, message: str) -> None:
    assert schema_error(state) == (HERE + location, message)


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (passing(Parameters={}), "Parameters"),
        (passing(Result=1), "Result"),
        (task(InputPath="$"), "InputPath"),
        (task(HeartbeatSecondsPath="$.a"), "HeartbeatSecondsPath"),
        (mapping(ItemsPath="$.a"), "ItemsPath"),
        ({"Type": "Fail", "CausePath": "$.a"}, "CausePath"),
    ],
)
def test_jsonata_has_no_paths(state: dict[str, Any], name: str) -> None:
    expected = (HERE, WRONG_LANGUAGE.format("JSONata", name, "JSONPath"))

    assert schema_error(state, QueryLanguage="JSONata") == expected
    assert schema_error(state | {"QueryLanguage": "JSONata"}) == expected


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (passing(Output=1), "Output"),
        (task(Arguments={}), "Arguments"),
        (mapping(Items=[1]), "Items"),
    ],
)
def test_jsonpath_has_no_jsonata_fields(state: dict[str, Any], name: str) -> None:
    assert schema_error(state) == (HERE, WRONG_LANGUAGE.format("JSONPath", name, "JSONata"))


def test_a_choice_rule_has_its_states_language() -> None:
    condition = {"Condition": "{% true %}", "Next": "There"}
    places = [found.location for found in errors_of(check(one_state(choosing(RULE), QueryLanguage="JSONata")))]

    assert schema_error(choosing(condition))[0] == f"{HERE}/Choices[0]"
    assert set(places) == {f"{HERE}/Choices[0]"}


def test_a_jsonata_machine_has_no_jsonpath_states() -> None:
    message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"  # AWS's words

    assert schema_error(passing(QueryLanguage="JSONPath"), QueryLanguage="JSONata") == (HERE, message)


def test_a_nested_state_ignores_the_language_of_the_map_around_it() -> None:
    inner = branch(Parameters={"a.$": "$.a"})

    assert check(one_state(mapping(inner, QueryLanguage="JSONata"))) == []


@pytest.mark.parametrize(
    ("state", "code", "location"),
    [
        (passing(Output="{% 1 + %}"), "INVALID_JSONATA_EXPRESSION", "/Output"),
        (passing(Output={"a": ["{% ) %}"]}), "INVALID_JSONATA_EXPRESSION", "/Output/a[0]"),
        (passing(Output="{% $match('a', /?/) %}"), "INVALID_JSONATA_EXPRESSION", "/Output"),
        (passing(Output="{% 1"), "SCHEMA_VALIDATION_FAILED", "/Output"),
        (choosing({"Condition": "true", "Next": "There"}), "SCHEMA_VALIDATION_FAILED", "/Choices[0]/Condition"),
        (waiting(Seconds="{% ( %}"), "INVALID_JSONATA_EXPRESSION", "/Seconds"),
        (passing(Output="{% phone %}"), "UNSUPPORTED_JSONATA_EXPRESSION", "/Output"),
        (passing(Output="{% $map([1], function($x) { phone }) %}"), "UNSUPPORTED_JSONATA_EXPRESSION", "/Output"),
        (passing(Output="{% $$ %}"), "UNSUPPORTED_JSONATA_EXPRESSION", "/Output"),
        (passing(Output="{% $states.errorOutput %}"), "UNSUPPORTED_JSONATA_EXPRESSION", "/Output"),
    ],
)
def test_jsonata_is_parsed_and_its_references_are_checked(state: dict[str, Any], code: str, location: str) -> None:
    assert error(one_state(state, QueryLanguage="JSONata"))[:2] == (code, HERE + location)


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.items[value > 3].name",
        "$states.input.items^(price).{'a': price}",
        "$map($states.input.a, function($x) { $x.b })",
        "($y := 1; $y + $z)",
        "$states.input.a ~> $uppercase",
        "$states",
        "'phone'",
    ],
)
def test_an_expression_may_name_fields_of_its_values(expression: str) -> None:
    assert check(one_state(passing(Output="{% " + expression + " %}"), QueryLanguage="JSONata")) == []


def test_a_catcher_may_read_the_error() -> None:
    catcher = {"ErrorEquals": ["E"], "Assign": {"e": "{% $states.errorOutput.Error %}"}, "Next": "There"}

    assert check(one_state(task(Catch=[catcher]), QueryLanguage="JSONata")) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("states", "RESERVED_VARIABLE_NAME"),
        ("a-b", "INVALID_VARIABLE_NAME"),
        ("1a", "INVALID_VARIABLE_NAME"),
        ("a" * 81, "INVALID_VARIABLE_NAME"),
    ],
)
def test_an_invalid_variable_name_is_refused(name: str, code: str) -> None:
    assert error(one_state(passing(Assign={name: 1})))[:2] == (code, f"{HERE}/Assign/{name}")
    assert error(one_state(passing(Assign={f"{name}.$": "$"})))[:2] == (code, f"{HERE}/Assign/{name}.$")


@pytest.mark.parametrize(
    "resource",
    [
        FUNCTION,
        f"{FUNCTION}:live",
        ACTIVITY,
        f"{INVOKE}.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:states:::ecs:runTask.sync",
        "arn:aws-cn:states:::sqs:sendMessage",
        "arn:aws:states:::aws-sdk:s3:listBuckets",
        "arn:aws:states:::aws-sdk:s3:listBuckets.waitForTaskToken",
    ],
)
def test_a_valid_resource_passes(resource: str) -> None:
    assert check(one_state(task(Resource=resource))) == []


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:::dynamodb:query",
        f"{INVOKE}.sync",
        "arn:aws:states:::sqs:sendMessage.sync:2",
        "arn:aws:states:::dynamodb:getItem.waitForTaskToken",
        "arn:aws:states:::aws-sdk:s3:listBuckets.sync",
        "arn:aws:s3:::bucket",
    ],
)
def test_an_unknown_integration_is_refused(resource: str) -> None:
    location, message = schema_error(task(Resource=resource))

    assert location == f"{HERE}/Resource"
    assert message.startswith(f"The resource provided {resource} is not recognized. ")


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (ACTIVITY, "Express state machine does not support Activity ARN"),
        (f"{INVOKE}.waitForTaskToken",
         "Express state machine does not support '.waitForTaskToken' service integration "),
        ("arn:aws:states:::states:startExecution.sync",
         "Express state machine does not support '.sync' service integration"),
    ],
)  # fmt: skip
def test_an_express_machine_has_request_response_alone(resource: str, message: str) -> None:
    assert schema_error(task(Resource=resource), "EXPRESS") == (f"{HERE}/Resource", message)
    assert check(one_state(task(Resource=resource))) == []


def test_express_children_of_a_standard_machine_have_express_limits() -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Paint",
        "States": {"Paint": task(Resource=ACTIVITY)},
    }

    assert schema_error(mapping(processor))[0] == f"{HERE}/ItemProcessor/States/Paint/Resource"


def test_an_express_machine_has_no_distributed_map() -> None:
    assert schema_error(distributed(), "EXPRESS") == (
        f"{HERE}/ItemProcessor/ProcessorConfig/Mode",
        "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
    )


@pytest.mark.parametrize(
    ("state", "code", "location"),
    [
        (task(Parameters={"a": "$.b"}), "NO_DOLLAR", "/Parameters"),
        (task(Parameters={"a": "States.UUID()"}), "NO_DOLLAR", "/Parameters"),
        (passing(Result="$.a"), "PASS_RESULT_IS_STATIC", "/Result"),
        ({"Type": "Fail", "Cause": "$.a"}, "NO_PATH", "/Cause"),
        (choosing({"Variable": "$.a", "StringEquals": "$.b", "Next": "There"}), "NO_PATH", "/Choices[0]/StringEquals"),
    ],
)
def test_a_static_text_that_looks_like_a_path_is_warned_of(state: dict[str, Any], code: str, location: str) -> None:
    (found,) = check(one_state(state))

    assert (found.severity, found.code, found.location) == ("WARNING", code, HERE + location)


def test_all_problems_are_reported_at_once() -> None:
    text = json.dumps(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Pass", "Next": "Nowhere", "ResultPath": "a"},
                "B": {"Type": "Wait", "Seconds": -1, "End": True},
                "C": {"Type": "Pass"},
            },
        }
    )

    assert [found.location for found in check(text)] == [
        "/States/A/ResultPath",
        "/States/B/Seconds",
        "/States/C",
        "/States/A/Next",
        "/States/B",
        "/States/C",
    ]


def test_a_single_state_may_have_an_unknown_target() -> None:
    assert check_state(json.dumps(passing(End=False, Next="Elsewhere"))) == []


def test_a_single_state_is_checked() -> None:
    (found,) = check_state(json.dumps(waiting(Timestamp="noon")))

    assert (found.location, found.message) == ("/States/StateName/Timestamp", "String does not match RFC3339 timestamp")
