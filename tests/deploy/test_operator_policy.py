"""What operators may do: all that the commands ask of AWS, at this stack's executions and queues alone."""

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.session import get_session

import executions.state_machines
import executions.step_functions
from deploy.cloudformation import Template


def _statements(template: Template) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return found


def _asked_by(module: ModuleType) -> set[str]:
    """Return the actions that a module's calls of Step Functions need."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    operations = get_session().get_service_model("stepfunctions").operation_names
    called = {name.replace("_", "") for name in re.findall(r"client\.(\w+)\(", source)}
    asked = {f"states:{operation}" for operation in operations if operation.lower() in called}
    assert len(asked) == len(called) > 0
    return asked


@pytest.mark.parametrize(
    ("module", "resource"),
    [
        (executions.step_functions, "execution:${Prefix}-${Stage}-*:*"),
        (executions.state_machines, "stateMachine:${Prefix}-${Stage}-*"),
    ],
    ids=["executions", "state machines"],
)
def test_operators_may_do_what_is_asked_of_step_functions_and_no_more(
    template: Template, module: ModuleType, resource: str
) -> None:
    """The calls are those in the one module of their kind that makes them."""
    whole = {"Fn::Sub": f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"}

    [statement] = [one for one in _statements(template) if one["Resource"] == whole]

    assert set(statement["Action"]) == _asked_by(module)


def test_operators_may_send_what_they_restart_and_are_given_nothing_of_everything(template: Template) -> None:
    statements = _statements(template)
    payloads = [one for one in statements if one["Action"] == "s3:PutObject"]

    assert [one["Resource"] for one in payloads] == [{"Fn::Sub": "${Bucket.Arn}/payloads/*"}]
    assert any("sqs:SendMessage" in one["Action"] and "TasksQueue" in json.dumps(one["Resource"]) for one in statements)
    assert all(one["Effect"] == "Allow" and one["Resource"] != "*" for one in statements)
