"""The choice of Step Functions, and machines copied into the engine."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from deploy.local.aws.stand_in import (
    ENGINE,
    MINISTACK,
    REGION,
    LocalAws,
    UnknownStepFunctions,
    chosen_step_functions,
    copy_state_machines,
    endpoint_of,
    hasten,
    start_engine,
)
from deploy.local.processes import Processes, free_port

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ROLE = "arn:aws:iam::123456789012:role/states"
RETRY: list[dict[str, Any]] = [
    {"ErrorEquals": ["A"], "IntervalSeconds": 20, "MaxDelaySeconds": 60},
    {"ErrorEquals": ["B"]},
]


def definition(**state: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, **state}}}


@pytest.fixture
def deployed() -> Iterator["SFNClient"]:
    with mock_aws():
        yield boto3.client("stepfunctions", REGION)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """The engine, as the stack of the tests starts it."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "logs").mkdir()
    aws = LocalAws("http://127.0.0.1:9", endpoint_of(free_port()), "http://127.0.0.1:9")
    processes = Processes()
    try:
        start_engine(processes, folder, aws, skippable=True)
        yield aws
    finally:
        processes.stop()
    assert (folder / "engine.sqlite3").stat().st_size > 0


@pytest.fixture
def engine(local: LocalAws) -> "SFNClient":
    """Its client."""
    return local.step_functions


def both(deployed: Any, engine: "SFNClient") -> Any:
    """Return what knows both Step Functions."""
    return SimpleNamespace(deployed_step_functions=deployed, step_functions=engine)


def test_the_engine_is_the_default_and_ministack_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEP_FUNCTIONS", raising=False)
    assert chosen_step_functions() == ENGINE

    monkeypatch.setenv("STEP_FUNCTIONS", MINISTACK)
    assert chosen_step_functions() == MINISTACK


def test_another_name_says_which_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP_FUNCTIONS", "aws")

    with pytest.raises(UnknownStepFunctions, match="STEP_FUNCTIONS=engine or ministack"):
        chosen_step_functions()


def test_deployed_machines_are_created_or_updated_in_the_engine(deployed: "SFNClient", engine: "SFNClient") -> None:
    for number in range(3):
        text = json.dumps(definition(Comment=str(number)))
        deployed.create_state_machine(name=f"machine-{number}", definition=text, roleArn=ROLE)

    first = copy_state_machines(both(deployed, engine))
    again = copy_state_machines(both(deployed, engine))

    assert first == again == ["machine-0", "machine-1", "machine-2"]
    made = [machine for machine in engine.list_state_machines()["stateMachines"] if machine["name"] in first]
    assert [machine["name"] for machine in made] == first
    for machine in made:
        kept = engine.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
        assert json.loads(kept["definition"]) == definition(Comment=machine["name"][-1])


def test_an_existing_machine_gets_the_new_definition(engine: "SFNClient") -> None:
    arn = engine.create_state_machine(name="changed", definition=json.dumps(definition(Comment="old")), roleArn=ROLE)[
        "stateMachineArn"
    ]

    class Deployed:
        """One machine, under the ARN that it has in the engine."""

        def get_paginator(self, _: str) -> "Deployed":
            return self

        def paginate(self) -> list[Any]:
            return [{"stateMachines": [{"stateMachineArn": arn}]}]

        def describe_state_machine(self, **_: Any) -> dict[str, Any]:
            new = json.dumps(definition(Comment="new"))
            return {"name": "changed", "definition": new, "roleArn": ROLE, "type": "STANDARD"}

    copy_state_machines(both(Deployed(), engine))

    assert json.loads(engine.describe_state_machine(stateMachineArn=arn)["definition"]) == definition(Comment="new")


def test_all_retriers_wait_a_fraction_of_their_time() -> None:
    nested = {"States": {"Each": {"ItemProcessor": {"States": {"A": {"Retry": RETRY, "TimeoutSeconds": 90}}}}}}

    hastened = hasten(nested, 0.1)

    inner = hastened["States"]["Each"]["ItemProcessor"]["States"]["A"]
    assert inner == {
        "Retry": [
            {"ErrorEquals": ["A"], "IntervalSeconds": 2, "MaxDelaySeconds": 6},
            {"ErrorEquals": ["B"], "IntervalSeconds": 1},
        ],
        "TimeoutSeconds": 90,
    }
    assert RETRY[0]["IntervalSeconds"] == 20
    assert hasten(nested, 1.0) == nested


def test_a_cap_stays_above_the_first_wait() -> None:
    [retrier] = hasten({"Retry": [{"IntervalSeconds": 1, "MaxDelaySeconds": 2}]}, 0.1)["Retry"]

    assert retrier == {"IntervalSeconds": 1, "MaxDelaySeconds": 2}
