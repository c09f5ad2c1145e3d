"""Short definitions for tests."""

import json
from typing import Any

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:inspect"
INVOKE = "arn:aws:states:::lambda:invoke"


def one_state(state: dict[str, Any], **machine: Any) -> str:
    """Return a machine with the state under test as "Here"; "There" is added if named."""
    states = {"Here": state}
    if '"There"' in json.dumps(state):
        states["There"] = {"Type": "Succeed"}
    return json.dumps({"StartAt": "Here", "States": states, **machine})


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": INVOKE, "End": True, **fields}


def passing(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "End": True, **fields}


def waiting(**fields: Any) -> dict[str, Any]:
    return {"Type": "Wait", "End": True, **fields}


def choosing(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": list(rules), "Default": "There", **fields}


def mapping(processor: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    inner = {"StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "End": True}}, **(processor or {})}
    return {"Type": "Map", "ItemProcessor": inner, "End": True, **fields}


def distributed(**fields: Any) -> dict[str, Any]:
    return mapping({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}, **fields)


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches), "End": True, **fields}


def branch(name: str = "Inner", **state: Any) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: {"Type": "Pass", "End": True, **state}}}


# A valid definition with most of both query languages.
EVERYTHING: dict[str, Any] = {
    "Comment": "Everything",
    "StartAt": "Call",
    "TimeoutSeconds": 3600,
    "Version": "1.0",
    "States": {
        "Call": {
            "Type": "Task",
            "Resource": f"{INVOKE}.waitForTaskToken",
            "Parameters": {"FunctionName": FUNCTION, "Payload": {"token.$": "$$.Task.Token", "list": [{"a.$": "$.a"}]}},
            "ResultSelector": {"id.$": "States.Format('{}-{}', $.id, $prefix)"},
            "ResultPath": "$.call",
            "TimeoutSecondsPath": "$.timeout",
            "HeartbeatSeconds": 5,
            "Credentials": {"RoleArn": "arn:aws:iam::123456789012:role/other"},
            "Assign": {"prefix.$": "$.id", "list": [1]},
            "Retry": [
                {"ErrorEquals": ["Lambda.TooManyRequestsException"], "BackoffRate": 1.5, "JitterStrategy": "FULL"},
                {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 0, "MaxDelaySeconds": 60},
            ],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Failed"}],
            "Next": "Pick",
        },
        "Pick": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.kind", "StringEqualsPath": "$.other", "Next": "Wait"},
                {
                    "And": [
                        {"Not": {"Variable": "$.n", "NumericLessThan": 3}},
                        {"Or": [{"Variable": "$.at", "TimestampEquals": "2024-01-01T00:00:00Z"}]},
                    ],
                    "Assign": {"picked": True},
                    "Next": "Each",
                },
            ],
            "Default": "Both",
        },
        "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "InputPath": "$.wait", "Next": "Until"},
        "Until": {"Type": "Wait", "Timestamp": "2024-01-01T00:00:00Z", "Next": "Each"},
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemSelector": {"item.$": "$$.Map.Item.Value"},
            "MaxConcurrencyPath": "$.most",
            "ToleratedFailurePercentage": 10,
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "Parameters": {"Bucket.$": "$.bucket", "Key": "items.csv"},
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItemsPath": "$.most"},
            },
            "ItemBatcher": {"MaxItemsPerBatch": 10, "BatchInput": {"from.$": "$.from"}},
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}},
            "Label": "each-item",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "Item",
                "States": {"Item": {"Type": "Pass", "Parameters": {"x.$": "$.x"}, "OutputPath": None, "End": True}},
            },
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Left", "States": {"Left": {"Type": "Pass", "Result": {"a": 1}, "End": True}}},
                {"StartAt": "Right", "States": {"Right": {"Type": "Succeed"}}},
            ],
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Resource": INVOKE,
            "Arguments": {"FunctionName": FUNCTION, "Payload": "{% $states.input.payload %}"},
            "TimeoutSeconds": "{% $states.input.timeout %}",
            "Assign": {"asked": "{% $states.result.Payload %}"},
            "Output": "{% {'asked': $asked} %}",
            "Catch": [{"ErrorEquals": ["Refused"], "Output": "{% $states.errorOutput %}", "Next": "Failed"}],
            "Next": "Judge",
        },
        "Judge": {
            "Type": "Choice",
            "QueryLanguage": "JSONata",
            "Choices": [{"Condition": "{% $asked = 'yes' %}", "Output": "{% $asked %}", "Next": "Done"}],
            "Default": "Every",
        },
        "Every": {
            "Type": "Map",
            "QueryLanguage": "JSONata",
            "Items": ["{% $asked %}", 2],
            "MaxConcurrency": "{% 3 %}",
            "ItemSelector": {"item": "{% $states.context.Map.Item.Value %}"},
            "ItemProcessor": {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}},
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
        "Failed": {"Type": "Fail", "ErrorPath": "$.error", "CausePath": "States.JsonToString($.cause)"},
    },
}
