"""Validation of mocked results by the services' models."""

from typing import Any

import pytest

from asl_engine.adapters.service_json import problems_with


@pytest.mark.parametrize(
    ("service", "action", "result", "problem"),
    [
        ("aws-sdk:kms", "encrypt", {"CiphertextBlob": 1}, "Field 'CiphertextBlob' must be a string"),
        ("aws-sdk:kms", "encrypt", {"CiphertextBlob": ""}, "Field 'CiphertextBlob' is smaller than the minimum length"),
        ("aws-sdk:s3", "getObject", {"ContentLength": "9"}, "Field 'ContentLength' must be a number"),
        ("aws-sdk:s3", "getObject", {"ContentLength": True}, "Field 'ContentLength' must be a number"),
        ("aws-sdk:s3", "getObject", {"StorageClass": "PAPER"}, "Field 'StorageClass' is not an expected value"),
        ("aws-sdk:s3", "getObject", {"DeleteMarker": "no"}, "Field 'DeleteMarker' must be a boolean"),
        ("aws-sdk:s3", "getObject", {"Metadata": []}, "Field 'Metadata' must be an object"),
        (
            "aws-sdk:lambda",
            "getFunction",
            {"Configuration": {"MemorySize": 1}},
            "Field 'MemorySize' is less than the minimum value",
        ),
        (
            "aws-sdk:lambda",
            "getFunction",
            {"Configuration": {"MemorySize": 10**6}},
            "Field 'MemorySize' exceeds the maximum value",
        ),
        (
            "dynamodb",
            "putItem",
            {"ConsumedCapacity": {"CapacityUnits": "1.5"}},
            "Field 'CapacityUnits' must be a number",
        ),
        ("events", "putEvents", {"Entries": "x"}, "Field 'Entries' must be an array"),
        ("events", "putEvents", {"Entries": [{"EventId": "a"}, {"EventId": []}]}, "Field 'EventId' must be a string"),
        ("lambda", "invoke", {"StatusCode": "200"}, "Field 'StatusCode' must be a number"),
        ("states", "startExecution", {"ExecutionArn": "a", "StartDate": 1}, "Field 'StartDate' must be a string"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(service: str, action: str, result: Any, problem: str) -> None:
    assert problems_with(service, action, result) == [problem]
    assert problems_with(service, action, result, "PRESENT") == [problem]
    assert problems_with(service, action, result, "NONE") == []


def test_only_strict_checks_required_fields() -> None:
    given = {"ExecutionArn": "a"}

    assert problems_with("states", "startExecution", given) == ["Required field 'StartDate' is missing"]
    assert problems_with("states", "startExecution", given, "PRESENT") == []


@pytest.mark.parametrize(
    ("service", "action", "result"),
    [
        ("lambda", "invoke", {"Payload": {"any": "thing"}, "StatusCode": 200, "SdkHttpMetadata": {}}),
        ("events", "putEvents", {"random": "json"}),
        ("events", "putEvents", {}),
        ("aws-sdk:sfn", "startExecution", {"ExecutionArn": "a", "StartDate": "2026-11-24T00:00:00Z"}),
        ("aws-sdk:nothing", "getThing", {"a": 1}),
        ("aws-sdk:s3", "getThing", {"a": 1}),
        ("nothing", "getThing", {"a": 1}),
        ("events", "putEvents", []),
    ],
)
def test_a_valid_or_unknown_result_has_no_problem(service: str, action: str, result: Any) -> None:
    assert problems_with(service, action, result) == []
