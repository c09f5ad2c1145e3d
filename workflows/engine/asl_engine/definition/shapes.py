"""The shapes of a machine and of its states: which fields each has, and what they may hold.

https://states-language.net/spec.html; ranges and texts as ValidateStateMachineDefinition gives them.
"""

from asl_engine.definition.checks_expressions import (
    assignments,
    expressible,
    number_path,
    path,
    path_or_intrinsic,
    reference_path,
    result_path,
    static_text,
    template,
    timestamp,
)
from asl_engine.definition.place import Place
from asl_engine.definition.resources import ResourceKind, is_arn, parse_resource
from asl_engine.definition.rules import (
    Rule,
    Shape,
    anything,
    boolean,
    exactly_one,
    integer,
    is_object,
    list_of,
    number,
    one_of,
    text,
)
from asl_engine.definition.shapes_choice import RULE
from asl_engine.definition.shapes_errors import CATCH, MAX_SECONDS, RETRY
from asl_engine.definition.shapes_map import (
    ITEM_BATCHER,
    ITEM_READER,
    PROCESSOR_CONFIG,
    RESULT_WRITER,
    only_distributed,
    processor_config_of,
)
from asl_engine.jsontext import Json

_LANGUAGE = one_of("JSONPath", "JSONata")


def state(place: Place, node: Json) -> None:
    """Refuse what is not a state."""
    if not is_object(place, node):
        return
    if "Type" not in node:
        place.refuse("These fields are required: [Type]", f"Write one of {', '.join(STATES)}.")
    elif isinstance(node["Type"], str) and node["Type"] in STATES:
        STATES[node["Type"]](_speaking(place, node), node)
    else:
        one_of(*STATES)(place.at("Type"), node["Type"])


def _speaking(place: Place, node: dict[str, Json]) -> Place:
    """Return the place under the state's query language; a machine in JSONata has no states in JSONPath."""
    language = node.get("QueryLanguage")
    if language == "JSONPath" and place.machine_jsonata:
        place.refuse(
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
            "Take QueryLanguage from the machine, or from the state.",
        )
    return place.speaking(jsonata=place.machine_jsonata if language is None else language != "JSONPath")


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
        PROCESSOR_CONFIG(place.at("ProcessorConfig"), node["ProcessorConfig"])
    children_are_express = processor_config_of(node).get("ExecutionType") == "EXPRESS"
    _PROCESSOR(place.within_express() if children_are_express else place, node)


_MACHINE_FIELDS: dict[str, Rule] = {"Comment": text, "StartAt": text, "States": _states}
_BRANCH = Shape(_MACHINE_FIELDS, required=("States", "StartAt"))
_PROCESSOR = Shape({**_MACHINE_FIELDS, "ProcessorConfig": anything}, required=("States", "StartAt"))
MACHINE = Shape(
    {
        **_MACHINE_FIELDS,
        "QueryLanguage": _LANGUAGE,
        "TimeoutSeconds": integer(0, MAX_SECONDS),
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
            f"Express state machine does not support '.{resource.pattern}' service integration ",
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
        place.warn("PASS_RESULT_IS_STATIC", message, "Use Parameters to have a path or function evaluated.")


_SECONDS = expressible(integer(1, MAX_SECONDS))
_NAMED: dict[str, Rule] = {"Type": text, "Comment": text, "QueryLanguage": _LANGUAGE}
_PATHS: dict[str, Rule] = {"InputPath": path, "OutputPath": path, "Output": template}
_COMMON: dict[str, Rule] = {**_NAMED, **_PATHS, "Next": text, "End": boolean, "Assign": assignments}
_RESULT: dict[str, Rule] = {"ResultPath": result_path, "Parameters": template}
_FALLIBLE: dict[str, Rule] = {**_COMMON, **_RESULT, "ResultSelector": template, "Retry": RETRY, "Catch": CATCH}

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
        "Seconds": expressible(integer(0, MAX_SECONDS)),
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
    {**_NAMED, **_PATHS, "Assign": assignments, "Choices": list_of(RULE), "Default": text}, required=("Choices",)
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
        "Items": expressible(list_of(anything)),
        "ItemSelector": template,
        "ItemReader": ITEM_READER,
        "ItemBatcher": ITEM_BATCHER,
        "ResultWriter": RESULT_WRITER,
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
    further=(exactly_one("ItemProcessor", "Iterator"), _transition, only_distributed),
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
