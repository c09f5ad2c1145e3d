"""What operators may do: all that the commands ask of AWS, at this stack's executions and queues alone."""

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.session import get_session

import qu_workflows.executions.state_machines
import qu_workflows.executions.step_functions
import qu_workflows.schedules.control
from deploy.template.cloudformation import Template


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
        (qu_workflows.executions.step_functions, "execution:${Prefix}-${Stage}-*:*"),
        (qu_workflows.executions.state_machines, "stateMachine:${Prefix}-${Stage}-*"),
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


def test_operators_may_pause_and_resume_the_schedules_of_the_stack_alone(template: Template) -> None:
    """UpdateSchedule writes the whole of a schedule, so that it passes the schedule's role on."""
    source = Path(qu_workflows.schedules.control.__file__).read_text(encoding="utf-8")
    asked = {
        f"scheduler:{name.title().replace('_', '')}"
        for name in re.findall(r"\b(get_schedule|update_schedule)\(", source)
    }
    group = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/${Schedules}/*"

    [schedules] = [one for one in _statements(template) if "scheduler:" in str(one["Action"])]
    [role] = [one for one in _statements(template) if one["Action"] == "iam:PassRole"]

    assert set(schedules["Action"]) == asked == {"scheduler:GetSchedule", "scheduler:UpdateSchedule"}
    assert schedules["Resource"] == {"Fn::Sub": group}
    assert role["Resource"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]}
    assert role["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def test_operators_may_send_and_save_and_are_given_nothing_of_everything(template: Template) -> None:
    """What they restart is sent as Django sends it; what they purge is saved."""
    statements = _statements(template)
    objects = [one for one in statements if one["Action"] == "s3:PutObject"]

    assert [one["Resource"]["Fn::Sub"] for one in objects] == ["${Bucket.Arn}/payloads/*", "${Bucket.Arn}/purged/*"]
    assert any("sqs:SendMessage" in one["Action"] and "TasksQueue" in json.dumps(one["Resource"]) for one in statements)
    assert [one["Effect"] for one in statements if one["Resource"] == "*"] == ["Deny"]
