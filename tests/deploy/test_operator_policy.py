"""What operators may do: all that the commands ask of AWS, at this stack's executions and queues alone."""

import json
import re
from pathlib import Path
from typing import Any

from botocore.session import get_session

import executions.step_functions
from deploy.cloudformation import Template


def _statements(template: Template) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return found


def test_operators_may_do_what_the_commands_ask_of_step_functions_and_no_more(template: Template) -> None:
    """The calls are those in the one module that makes them."""
    source = Path(executions.step_functions.__file__).read_text(encoding="utf-8")
    operations = get_session().get_service_model("stepfunctions").operation_names
    called = {name.replace("_", "") for name in re.findall(r"client\.(\w+)\(", source)}
    asked = {f"states:{operation}" for operation in operations if operation.lower() in called}

    [statement] = [one for one in _statements(template) if any("states:" in action for action in one["Action"])]

    assert len(asked) == len(called) == 5
    assert set(statement["Action"]) == asked
    assert statement["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${Prefix}-${Stage}-*:*"
    }


def test_operators_may_send_what_they_restart_and_are_given_nothing_of_everything(template: Template) -> None:
    statements = _statements(template)
    payloads = [one for one in statements if one["Action"] == "s3:PutObject"]

    assert [one["Resource"] for one in payloads] == [{"Fn::Sub": "${Bucket.Arn}/payloads/*"}]
    assert any("sqs:SendMessage" in one["Action"] and "TasksQueue" in json.dumps(one["Resource"]) for one in statements)
    assert all(one["Effect"] == "Allow" and one["Resource"] != "*" for one in statements)
