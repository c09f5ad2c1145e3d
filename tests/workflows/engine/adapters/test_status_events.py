"""Status-change events: their shape and their delivery."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from asl_engine.adapters.services import ServiceClients
from asl_engine.adapters.status_events import EventBridgeStatusEvents, detail_of, entry_of
from asl_engine.store.records import ExecutionRecord

CHANGE = ExecutionRecord(
    arn="arn:execution",
    state_machine_arn="arn:machine",
    name="one",
    status="RUNNING",
    start_ms=1_700_000_000_000,
    input='{"a":1}',
    definition="",
)


class Bus:
    """Fails the first ``down_for`` calls; refuses entries of the execution "bad"."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.down_for = 0

    def client(self, _: str) -> "Bus":
        return self

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803  AWS's name
        self.calls.append(Entries)
        if len(self.calls) <= self.down_for:
            raise ConnectionError
        refused = {"ErrorCode": "InternalFailure"}
        return {"Entries": [refused if entry["Resources"] == ["bad"] else {"EventId": "1"} for entry in Entries]}


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def events(bus: Bus) -> Iterator[EventBridgeStatusEvents]:
    clients: Any = bus
    events = EventBridgeStatusEvents(clients, pause=lambda _: None)
    yield events
    events.close()


def test_a_start_has_the_shape_of_aws() -> None:
    detail = detail_of(CHANGE)

    assert detail["inputDetails"] == {"included": True}
    assert {key: detail[key] for key in ("executionArn", "stateMachineArn", "name", "status", "startDate")} == {
        "executionArn": "arn:execution",
        "stateMachineArn": "arn:machine",
        "name": "one",
        "status": "RUNNING",
        "startDate": 1_700_000_000_000,
    }
    assert {key for key in detail if detail[key] is None} == {
        "stateMachineVersionArn",
        "stateMachineAliasArn",
        "stopDate",
        "output",
        "outputDetails",
        "error",
        "cause",
        "redriveDate",
    }
    assert detail["redriveStatusReason"] == "Execution is RUNNING and cannot be redriven"


def test_an_entry_names_source_type_and_execution() -> None:
    entry = entry_of(CHANGE)

    assert (entry["Source"], entry["DetailType"], entry["Resources"]) == (
        "aws.states",
        "Step Functions Execution Status Change",
        ["arn:execution"],
    )
    assert json.loads(entry["Detail"]) == detail_of(CHANGE)
    assert entry_of(CHANGE, "local.states")["Source"] == "local.states"


@pytest.mark.parametrize(
    ("input_size", "output_size", "input_included", "output_included"),
    [(10, 10, True, True), (200_000, 100_000, False, True), (10, 254_000, False, False), (253_948, 0, True, True)],
)
def test_a_large_input_or_output_is_omitted(
    input_size: int, output_size: int, input_included: bool, output_included: bool
) -> None:
    detail = detail_of(replace(CHANGE, input="x" * input_size, output="y" * output_size))

    assert (detail["input"] is not None, detail["inputDetails"]["included"]) == (input_included, input_included)
    assert (detail["output"] is not None, detail["outputDetails"]["included"]) == (output_included, output_included)


def test_the_size_of_a_text_is_that_escaped() -> None:
    assert detail_of(replace(CHANGE, input='"' * 200_000))["input"] is None


def test_changes_are_sent_in_order_ten_per_call(events: EventBridgeStatusEvents, bus: Bus) -> None:
    for number in range(25):
        events.publish(replace(CHANGE, name=str(number)))
    events.close()

    assert [json.loads(entry["Detail"])["name"] for call in bus.calls for entry in call] == [
        str(number) for number in range(25)
    ]
    assert max(map(len, bus.calls)) <= 10


def test_a_failed_call_is_retried(events: EventBridgeStatusEvents, bus: Bus) -> None:
    bus.down_for = 3
    events.publish(CHANGE)
    events.close()

    assert len(bus.calls) == 4


def test_refused_entries_are_retried_then_dropped(
    events: EventBridgeStatusEvents, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    events.publish(replace(CHANGE, arn="bad"))
    events.publish(CHANGE)
    events.close()

    sent = [entry["Resources"][0] for call in bus.calls for entry in call]
    assert (sent.count("arn:execution"), sent.count("bad")) == (1, 5)
    assert "1 status events were dropped" in caplog.text


def test_a_real_bus_accepts_an_entry(clients: ServiceClients) -> None:
    answer = clients.client("events").put_events(Entries=[entry_of(CHANGE, "local.states")])

    assert answer["FailedEntryCount"] == 0


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_an_event_has_the_redrive_status(status: str) -> None:
    ended = replace(CHANGE, status=status, start_ms=1_700_010_000_000, stop_ms=1_700_010_000_001)

    assert detail_of(ended)["redriveStatus"] == "REDRIVABLE"
    assert detail_of(replace(ended, map_run_arn="arn:run"))["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert detail_of(replace(ended, status="SUCCEEDED"))["redriveStatus"] == "NOT_REDRIVABLE"
