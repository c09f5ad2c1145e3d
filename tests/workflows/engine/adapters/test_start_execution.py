"""States that start other state machines: requests and results."""

import json
from dataclasses import replace
from typing import Any

import pytest

from asl_engine.adapters.performer import TaskError
from asl_engine.adapters.start_execution import nested_failure, nested_result, read_start_request, start_refused
from asl_engine.store.records import ExecutionRecord

RECORD = ExecutionRecord(
    arn="arn:execution",
    state_machine_arn="arn:machine",
    name="one",
    status="SUCCEEDED",
    start_ms=1_700_010_000_000,
    stop_ms=1_700_010_001_000,
    input="{}",
    output='{"a":1}',
    definition="",
    trace_header="left out",
)


@pytest.mark.parametrize(
    ("given", "text"), [({"a": 1}, '{"a":1}'), ('{"a": 1}', '{"a": 1}'), (None, "{}"), ([], "[]"), (0, "0")]
)
def test_input_is_sent_as_json_text(given: Any, text: str) -> None:
    request = read_start_request({"StateMachineArn": "machine", "Name": "one", "Input": given})

    assert (request.state_machine_arn, request.name, request.input) == ("machine", "one", text)


def test_the_name_is_optional() -> None:
    assert read_start_request({"StateMachineArn": "machine"}).name is None


def test_the_state_machine_is_required() -> None:
    with pytest.raises(TaskError, match="StateMachineArn"):
        read_start_request({"Input": {}})


def test_a_result_has_texts_with_sync_and_values_with_sync_2() -> None:
    texts, values = nested_result(RECORD, "sync"), nested_result(RECORD, "sync:2")

    assert (texts["Input"], texts["Output"]) == ("{}", '{"a":1}')
    assert (values["Input"], values["Output"]) == ({}, {"a": 1})
    assert values | {"Input": "{}", "Output": '{"a":1}'} == texts
    assert texts["InputDetails"] == texts["OutputDetails"] == {"Included": True}
    assert list(texts) == sorted(texts)
    assert "Cause" not in texts
    assert "TraceHeader" not in texts


def test_a_failed_execution_fails_its_parent_with_its_description() -> None:
    failed = replace(RECORD, status="FAILED", output=None, error="Broken", cause="because")

    error = nested_failure(failed)

    details = json.loads(error.cause or "")
    assert (error.error, details["Status"], details["Error"], details["Cause"]) == (
        "States.TaskFailed",
        "FAILED",
        "Broken",
        "because",
    )


def test_a_refused_start_has_javas_words() -> None:
    error = start_refused("StateMachineDoesNotExist", "State Machine Does Not Exist: 'm'", submits=False)

    assert (error.error, error.phase) == ("StepFunctions.StateMachineDoesNotExistException", "run")
    assert (error.cause or "").startswith(
        "State Machine Does Not Exist: 'm' (Service: AWSStepFunctions; Status Code: 400; "
        "Error Code: StateMachineDoesNotExist; Request ID: "
    )
    assert start_refused("ExecutionAlreadyExists", "", submits=True).phase == "submit"
