"""A state machine as Step Functions has it, asked of the project's own engine behind its API."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from qu_workflows.aws import clients as aws
from qu_workflows.executions import state_machines
from qu_workflows.executions.state_machines import Route, deployed, state_machine_arn
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import ROLE


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    state_machines.clear_state_machines()
    yield
    state_machines.clear_state_machines()


def definition(name: str) -> str:
    return json.dumps({"Comment": name, "StartAt": name, "States": {name: {"Type": "Succeed"}}})


def published(operated: Operated, name: str, *names: str) -> str:
    """Make a state machine and publish one version for each name; its ARN."""
    arn = operated.sfn.create_state_machine(name=name, definition=definition("First"), roleArn=ROLE)["stateMachineArn"]
    for each in names:
        operated.sfn.update_state_machine(stateMachineArn=arn, definition=definition(each), publish=True)
    return arn


def test_versions_and_the_weights_of_aliases_are_told(operated: Operated) -> None:
    arn = published(operated, "shifting", "One", "Two")
    routes: list[Any] = [
        {"stateMachineVersionArn": f"{arn}:1", "weight": 90},
        {"stateMachineVersionArn": f"{arn}:2", "weight": 10},
    ]
    operated.sfn.create_state_machine_alias(name="live", routingConfiguration=routes)

    found = deployed(arn)

    assert [version.number for version in found.versions] == ["2", "1"]
    [alias] = found.aliases
    assert (alias.name, alias.routes) == ("live", (Route("1", 90), Route("2", 10)))
    assert found.live_version == "1"
    assert found.unanswered == ""


def test_the_definition_is_that_of_the_version_which_runs_most(operated: Operated) -> None:
    arn = published(operated, "shifted", "One", "Two")
    operated.sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    )

    found = deployed(arn)

    assert found.definition is not None
    assert found.definition["Comment"] == "One"


def test_without_an_alias_the_definition_is_that_of_today(operated: Operated) -> None:
    found = deployed(published(operated, "plain"))

    assert found.definition is not None
    assert (found.definition["Comment"], found.aliases, found.versions) == ("First", (), ())


def test_one_that_is_not_there_is_said_in_a_sentence(operated: Operated) -> None:
    arn = f"{published(operated, 'known')}-gone"

    found = deployed(arn)

    assert found.definition is None
    assert "StateMachineDoesNotExist" in found.unanswered


def test_a_step_functions_that_does_not_answer_is_asked_once_for_all_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", f"http://127.0.0.1:{closed.getsockname()[1]}")
        aws.forget_clients()
        asked: Counter[str] = Counter()
        aws.step_functions().meta.events.register("before-send.stepfunctions", lambda **_: asked.update(["call"]))

        first, second = (
            deployed("arn:aws:states:us-east-2:1:stateMachine:m"),
            deployed("arn:aws:states:us-east-2:1:stateMachine:m"),
        )

    assert "was not reached" in first.unanswered
    assert second is first
    assert asked["call"] <= aws.ATTEMPTS


def test_what_was_told_is_kept_for_half_a_minute(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = published(operated, "kept")
    first = deployed(arn)
    operated.sfn.update_state_machine(stateMachineArn=arn, definition=definition("Changed"))

    assert deployed(arn) is first

    now = time.monotonic()
    monkeypatch.setattr(state_machines._cache, "_clock", lambda: now + 31)
    changed = deployed(arn).definition
    assert changed is not None
    assert changed["Comment"] == "Changed"


def test_an_execution_names_its_state_machine() -> None:
    arn = "arn:aws-cn:states:cn-north-1:1:execution:qu-dev-guard_report:0190-aaaa"

    assert state_machine_arn(arn) == "arn:aws-cn:states:cn-north-1:1:stateMachine:qu-dev-guard_report"
