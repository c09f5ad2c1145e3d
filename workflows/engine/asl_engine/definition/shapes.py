"""The shapes of a machine, its states and their parts.

https://states-language.net/spec.html; ranges and texts as ValidateStateMachineDefinition gives them.
"""

import re
from dataclasses import replace
from itertools import product

from asl_engine.definition.resources import ResourceKind, is_arn, parse_resource
from asl_engine.definition.rules import (
    Place,
    Rule,
    Shape,
    anything,
    assignments,
    boolean,
    exactly_one,
    expressible,
    expression,
    integer,
    is_object,
    list_of,
    number,
    number_path,
    one_of,
    path,
    path_or_intrinsic,
    reference_path,
    result_path,
    starting_reference_path,
    static_text,
    template,
    text,
    timestamp,
)
from asl_engine.jsontext import Json

_MAX_SECONDS = 99_999_999
_MAX_DELAY_SECONDS = 31_622_400
_MAX_ITEMS = 100_000_000

_LANGUAGE = one_of("JSONPath", "JSONata")


def state(place: Place, node: Json) -> None:
    """Check a state by the shape of its type."""
    if not is_object(place, node):
        return
    if "Type" not in node:
        place.refuse("These fields are required: [Type]", f"Write one of {', '.join(STATES)}.")
    elif isinstance(node["Type"], str) and node["Type"] in STATES:
        STATES[node["Type"]](_speaking(place, node), node)
    else:
        message = f"The field 'Type' should have one of these values: [{', '.join(STATES)}]"
        place.at("Type").refuse(message, "Write one of these.")


def _speaking(place: Place, node: dict[str, Json]) -> Place:
    """Return the place with the state's query language; a JSONata machine has no JSONPath states."""
    language = node.get("QueryLanguage")
    if language == "JSONPath" and place.machine_jsonata:
        place.refuse(
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",  # AWS's words
            "Take QueryLanguage from the machine, or from the state.",
        )
    return replace(place, jsonata=place.machine_jsonata if language is None else language != "JSONPath")


def _states(place: Place, node: Json) -> None:
    if not is_object(place, node):
        return
    if not node:
        place.refuse("Value cannot be empty", "Write at least one state.")
    for name, each in node.items():
        state(place.at(name), each)


def _branch(place: Place, node: Json) -> None:
    _BRANCH(place, node)


def _processor(place: Place, node: Json) -> None:
    if isinstance(node, dict) and "ProcessorConfig" in node:
        _PROCESSOR_CONFIG(place.at("ProcessorConfig"), node["ProcessorConfig"])
    children_are_express = _processor_config_of(node).get("ExecutionType") == "EXPRESS"
    _PROCESSOR(replace(place, express=place.express or children_are_express), node)


_MACHINE_FIELDS: dict[str, Rule] = {"Comment": text, "StartAt": text, "States": _states}
_BRANCH = Shape(_MACHINE_FIELDS, required=("States", "StartAt"))
_PROCESSOR = Shape({**_MACHINE_FIELDS, "ProcessorConfig": anything}, required=("States", "StartAt"))
MACHINE = Shape(
    {
        **_MACHINE_FIELDS,
        "QueryLanguage": _LANGUAGE,
        "TimeoutSeconds": integer(0, _MAX_SECONDS),
        "Version": one_of("1.0"),
    },
    required=("States", "StartAt"),
)


def _transition(place: Place, node: Json) -> None:
    present = [name for name in ("Next", "End") if node.get(name, False) is not False]
    if len(present) > 1:
        place.refuse("There should only be one of the following fields: [Next, End]", "Keep one of them.")
    elif not present:
        message = "This object should have only one of the following fields: [Next, End]"
        place.refuse(message, 'Name the next state, or end with "End": true.')


def _resource(place: Place, value: Json) -> None:
    if not isinstance(value, str):
        text(place, value)
    elif not is_arn(value):
        place.refuse("Value is not a valid resource ARN", "Write arn:aws:states:::SERVICE:ACTION or a function's ARN.")
    elif not (resource := parse_resource(value)).is_available:
        place.refuse(
            f"The resource provided {value} is not recognized. The value is not a valid resource ARN, or the"
            " resource is not available in this region.",
            "Look the integration up, or call the service as arn:aws:states:::aws-sdk:SERVICE:ACTION.",
        )
    elif place.express and resource.kind is ResourceKind.ACTIVITY:
        place.refuse("Express state machine does not support Activity ARN", "Make the machine STANDARD.")
    elif place.express and resource.submits:
        place.refuse(
            f"Express state machine does not support '.{resource.pattern}' service integration"
            + (" " if resource.pattern == "waitForTaskToken" else ""),  # AWS has a blank there
            f"Make the machine STANDARD, or call without .{resource.pattern}.",
        )


def _heart_beats_in_time(place: Place, node: Json) -> None:
    heartbeat, timeout = node.get("HeartbeatSeconds"), node.get("TimeoutSeconds")
    if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
        message = "HeartbeatSeconds must be less than TimeoutSeconds"
        place.at("HeartbeatSeconds").refuse(message, f"Write less than {timeout}.")


def _credentials(place: Place, value: Json) -> None:
    if is_object(place, value):
        if not {"RoleArn", "RoleArn.$"} & value.keys():
            place.refuse("The field 'RoleArn' is required but was missing", "Write RoleArn or RoleArn.$.")
        template(place, value)


def _result(place: Place, value: Json) -> None:
    if isinstance(value, str) and value.startswith(("$.", "$$", "States.")):
        message = "The Result of a Pass state is static: it is not evaluated"
        place.warn("PASS_RESULT_IS_STATIC", message, "Use Parameters for a path or a function.")


# --- choice rules ---

_SELECTORS = ("And", "Or", "Not", "Variable", "Condition")
_ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_ORDERED: dict[str, Rule] = {"String": static_text, "Numeric": number(), "Timestamp": timestamp}
_COMPARISONS: dict[str, Rule] = {
    **{f"{kind}{order}": _ORDERED[kind] for kind, order in product(_ORDERED, _ORDERS)},
    "BooleanEquals": boolean,
}
_OPERATORS: dict[str, Rule] = {
    **_COMPARISONS,
    **{f"{name}Path": starting_reference_path for name in _COMPARISONS},
    "StringMatches": text,
    **{f"Is{kind}": boolean for kind in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")},
}


def _one_condition(place: Place, node: Json) -> None:
    present = [name for name in _SELECTORS if name in node]
    operators = {name: node[name] for name in _OPERATORS if name in node}
    if len(present) != 1:
        message = f"The object must have only one of the following fields, [{', '.join(_SELECTORS)}]"
        place.refuse(message, "Write one of them." if not present else "Keep one of them.")
    elif present == ["Variable"]:
        exactly_one(*_OPERATORS)(place, operators)
    elif operators and not place.jsonata:
        place.refuse(f"Field '{next(iter(operators))}' is not supported", "An operator goes with a Variable.")


def _condition(place: Place, value: Json) -> None:
    if not isinstance(value, bool):
        expression(place, value)


def _nested(place: Place, node: Json) -> None:
    _NESTED_RULE(place, node)


_NESTED_RULE = Shape(
    {
        "Comment": text,
        **_OPERATORS,
        "And": list_of(_nested),
        "Or": list_of(_nested),
        "Not": _nested,
        "Variable": starting_reference_path,
        "Condition": _condition,
    },
    further=(_one_condition,),
    jsonpath_only=frozenset(_OPERATORS),
)
_CHOICE_RULE = Shape(
    {**_NESTED_RULE.fields, "Next": text, "Assign": assignments, "Output": template},
    required=("Next",),
    further=(_one_condition,),
    jsonpath_only=frozenset(_OPERATORS),
)


# --- Retry and Catch ---


def _all_stands_alone(place: Place, entries: Json) -> None:
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        listed = entry.get("ErrorEquals") if isinstance(entry, dict) else None
        names: list[Json] = listed if isinstance(listed, list) else []
        for each, name in enumerate(names):
            if name == "States.ALL" and (len(names) > 1 or index < len(entries) - 1):
                place.at(index).at("ErrorEquals").at(each).refuse(
                    "States.ALL must appear alone and at end of list", "Give it the last entry, to itself."
                )


def _delay_grows(place: Place, node: Json) -> None:
    most, first = node.get("MaxDelaySeconds"), node.get("IntervalSeconds", 1)
    if isinstance(most, int) and isinstance(first, int) and most <= first:
        message = "MaxDelaySeconds must be greater than IntervalSeconds"
        place.at("MaxDelaySeconds").refuse(message, f"Write more than {first}.")


_RETRIER = Shape(
    {
        "Comment": text,
        "ErrorEquals": list_of(text),
        "IntervalSeconds": integer(0, _MAX_SECONDS),
        "MaxAttempts": integer(0, _MAX_SECONDS),
        "BackoffRate": number(1.0),
        "MaxDelaySeconds": integer(1, _MAX_DELAY_SECONDS),
        "JitterStrategy": one_of("NONE", "FULL"),
    },
    required=("ErrorEquals",),
    further=(_delay_grows,),
)
_CATCHER = Shape(
    {
        "Comment": text,
        "ErrorEquals": list_of(text),
        "Next": text,
        "ResultPath": result_path,
        "Assign": assignments,
        "Output": template,
    },
    required=("ErrorEquals", "Next"),
)


def _retry(place: Place, value: Json) -> None:
    if value != []:
        list_of(_RETRIER)(place, value)
        _all_stands_alone(place, value)


def _catch(place: Place, value: Json) -> None:
    if value != []:
        list_of(_CATCHER)(replace(place, error_output=True), value)
        _all_stands_alone(place, value)


# --- Map ---

_DISTRIBUTED_ONLY = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_S3 = re.compile(r"arn:aws[\w-]*:states:::s3:\w+")
_CSV_ONLY = ("CSVHeaderLocation", "CSVHeaders", "CSVDelimiter")


def _processor_config_of(node: Json, *names: str) -> dict[str, Json]:
    """Return the ProcessorConfig of a processor, or of a Map with one under these names."""
    for name in names:
        node = node.get(name, node) if isinstance(node, dict) else None
    config = node.get("ProcessorConfig") if isinstance(node, dict) else None
    return config if isinstance(config, dict) else {}


def _mode(place: Place, node: Json) -> None:
    if node.get("Mode") == "DISTRIBUTED":
        if "ExecutionType" not in node:
            place.refuse("These fields are required: [ExecutionType]", "Write STANDARD or EXPRESS.")
        if place.express:
            place.at("Mode").refuse(
                "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
                "Make the machine STANDARD, or the Map INLINE.",
            )
    elif "ExecutionType" in node:
        place.refuse("Field 'ExecutionType' is not supported", "Take it out, or make the Map DISTRIBUTED.")


_PROCESSOR_CONFIG = Shape(
    {"Mode": one_of("INLINE", "DISTRIBUTED"), "ExecutionType": one_of("STANDARD", "EXPRESS")}, further=(_mode,)
)


def _only_distributed(place: Place, node: Json) -> None:
    if _processor_config_of(node, "ItemProcessor", "Iterator").get("Mode") == "DISTRIBUTED":
        return
    for name in _DISTRIBUTED_ONLY:
        if name in node:
            remedy = "Take it out, or make the Map DISTRIBUTED in its ProcessorConfig."
            place.refuse(f"Field '{name}' is not supported", remedy)


def _s3_resource(*actions: str) -> Rule:
    """Return a rule for a Resource that is one of these actions of S3."""

    def rule(place: Place, value: Json) -> None:
        if not isinstance(value, str) or not _S3.fullmatch(value) or value.rpartition(":")[2] not in actions:
            remedy = " or ".join(f"arn:aws:states:::s3:{action}" for action in actions)
            place.refuse("The field 'Resource' does not match any of the allowed values", f"Write {remedy}.")

    return rule


def _csv(place: Place, node: Json) -> None:
    if node.get("InputType") != "CSV":
        for name in (name for name in _CSV_ONLY if name in node):
            place.refuse(f"Field '{name}' is not supported", 'Take it out, or write "InputType": "CSV".')
    elif "CSVHeaderLocation" not in node:
        place.refuse("The field 'CSVHeaderLocation' is required", "Write FIRST_ROW or GIVEN.")
    elif node["CSVHeaderLocation"] == "GIVEN" and "CSVHeaders" not in node:
        place.refuse("These fields are required: [CSVHeaders]", "List the headers.")


_READER_CONFIG = Shape(
    {
        "InputType": one_of("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
        "Transformation": one_of("NONE", "LOAD_AND_FLATTEN"),
        "ManifestType": one_of("S3_INVENTORY", "ATHENA_DATA"),
        "CSVHeaderLocation": one_of("FIRST_ROW", "GIVEN"),
        "CSVHeaders": list_of(text),
        "CSVDelimiter": one_of("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
        "ItemsPointer": text,
        "MaxItems": expressible(integer(0, _MAX_ITEMS)),
        "MaxItemsPath": number_path,
    },
    exclusive=(("MaxItems", "MaxItemsPath"),),
    further=(_csv,),
)
_ITEM_READER = Shape(
    {
        "Resource": _s3_resource("getObject", "listObjectsV2"),
        "Parameters": template,
        "Arguments": template,
        "ReaderConfig": _READER_CONFIG,
    },
    required=("Resource",),
)
_ITEM_BATCHER = Shape(
    {
        "BatchInput": template,
        "MaxItemsPerBatch": expressible(integer(0)),
        "MaxItemsPerBatchPath": number_path,
        "MaxInputBytesPerBatch": expressible(integer(0)),
        "MaxInputBytesPerBatchPath": number_path,
    },
    exclusive=(
        ("MaxItemsPerBatch", "MaxItemsPerBatchPath"),
        ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"),
    ),
)
_WRITER_CONFIG = Shape({"Transformation": one_of("NONE", "COMPACT", "FLATTEN"), "OutputType": one_of("JSON", "JSONL")})
_RESULT_WRITER = Shape(
    {
        "Resource": _s3_resource("putObject"),
        "Parameters": template,
        "Arguments": template,
        "WriterConfig": _WRITER_CONFIG,
    }
)


def _items(place: Place, value: Json) -> None:
    if not isinstance(value, dict):
        list_of(anything)(place, value)


# --- states ---

_SECONDS = expressible(integer(1, _MAX_SECONDS))
_NAMED: dict[str, Rule] = {"Type": text, "Comment": text, "QueryLanguage": _LANGUAGE}
_PATHS: dict[str, Rule] = {"InputPath": path, "OutputPath": path, "Output": template}
_COMMON: dict[str, Rule] = {**_NAMED, **_PATHS, "Next": text, "End": boolean, "Assign": assignments}
_RESULT: dict[str, Rule] = {"ResultPath": result_path, "Parameters": template}
_FALLIBLE: dict[str, Rule] = {**_COMMON, **_RESULT, "ResultSelector": template, "Retry": _retry, "Catch": _catch}

_TASK = Shape(
    {
        **_FALLIBLE,
        "Resource": _resource,
        "Arguments": template,
        "Credentials": _credentials,
        "TimeoutSeconds": _SECONDS,
        "TimeoutSecondsPath": reference_path,
        "HeartbeatSeconds": _SECONDS,
        "HeartbeatSecondsPath": reference_path,
    },
    required=("Resource",),
    exclusive=(("TimeoutSeconds", "TimeoutSecondsPath"), ("HeartbeatSeconds", "HeartbeatSecondsPath")),
    further=(_transition, _heart_beats_in_time),
)
_WAIT = Shape(
    {
        **_COMMON,
        "Seconds": expressible(integer(0, _MAX_SECONDS)),
        "SecondsPath": reference_path,
        "Timestamp": expressible(timestamp),
        "TimestampPath": reference_path,
    },
    further=(exactly_one("SecondsPath", "Seconds", "TimestampPath", "Timestamp"), _transition),
)
_FAIL = Shape(
    {
        **_NAMED,
        "Error": expressible(static_text),
        "ErrorPath": path_or_intrinsic,
        "Cause": expressible(static_text),
        "CausePath": path_or_intrinsic,
    },
    exclusive=(("Error", "ErrorPath"), ("Cause", "CausePath")),
)
_CHOICE = Shape(
    {**_NAMED, **_PATHS, "Assign": assignments, "Choices": list_of(_CHOICE_RULE), "Default": text},
    required=("Choices",),
)
_PARALLEL = Shape(
    {**_FALLIBLE, "Branches": list_of(_branch), "Arguments": template},
    required=("Branches",),
    further=(_transition,),
)
_MAP = Shape(
    {
        **_FALLIBLE,
        "ItemProcessor": _processor,
        "Iterator": _processor,
        "ItemsPath": reference_path,
        "Items": expressible(_items),
        "ItemSelector": template,
        "ItemReader": _ITEM_READER,
        "ItemBatcher": _ITEM_BATCHER,
        "ResultWriter": _RESULT_WRITER,
        "MaxConcurrency": expressible(integer(0)),
        "MaxConcurrencyPath": number_path,
        "ToleratedFailurePercentage": expressible(number(0.0, 100.0)),
        "ToleratedFailurePercentagePath": number_path,
        "ToleratedFailureCount": expressible(integer(0)),
        "ToleratedFailureCountPath": number_path,
        "Label": text,
    },
    exclusive=(
        ("MaxConcurrency", "MaxConcurrencyPath"),
        ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
        ("ToleratedFailureCount", "ToleratedFailureCountPath"),
        ("ItemSelector", "Parameters"),
    ),
    further=(exactly_one("ItemProcessor", "Iterator"), _transition, _only_distributed),
)
STATES: dict[str, Shape] = {
    "Task": _TASK,
    "Wait": _WAIT,
    "Pass": Shape({**_COMMON, **_RESULT, "Result": _result}, further=(_transition,)),
    "Succeed": Shape({**_NAMED, **_PATHS}),
    "Fail": _FAIL,
    "Choice": _CHOICE,
    "Parallel": _PARALLEL,
    "Map": _MAP,
}
