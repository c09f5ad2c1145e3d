"""States that start other state machines: what they ask for, and what they get."""

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
def test_input_is_json_text_whatever_it_was_given_as(given: Any, text: str) -> None:
    request = read_start_request({"StateMachineArn": "machine", "Name": "one", "Input": given})

    assert (request.state_machine_arn, request.name, request.input) == ("machine", "one", text)


def test_a_name_may_be_left_to_step_functions() -> None:
    assert read_start_request({"StateMachineArn": "machine"}).name is None


def test_a_state_machine_has_to_be_named() -> None:
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


def test_an_execution_that_failed_fails_its_parent_with_all_about_it() -> None:
    failed = replace(RECORD, status="FAILED", output=None, error="Broken", cause="because")

    error = nested_failure(failed)

    told = json.loads(error.cause or "")
    assert (error.error, told["Status"], told["Error"], told["Cause"]) == (
        "States.TaskFailed",
        "FAILED",
        "Broken",
        "because",
    )


def test_a_refused_start_is_told_as_java_tells_it() -> None:
    error = start_refused("StateMachineDoesNotExist", "State Machine Does Not Exist: 'm'", submits=False)

    assert (error.error, error.phase) == ("StepFunctions.StateMachineDoesNotExistException", "run")
    assert (error.cause or "").startswith(
        "State Machine Does Not Exist: 'm' (Service: AWSStepFunctions; Status Code: 400; "
        "Error Code: StateMachineDoesNotExist; Request ID: "
    )
    assert start_refused("ExecutionAlreadyExists", "", submits=True).phase == "submit"
