"""The roles of AWS services in the stack have exactly the needed permissions.

No code of this project runs under them, so what they ask for is read from the definitions and the schedules.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import ROOT
from deploy.packages.functions import FUNCTIONS
from deploy.template.check import REGION
from qu_workflows.aws.queues import queue_arn
from tests.deploy.rights.doing import needed_by_none
from tests.deploy.rights.people_runs import POLICIES
from tests.deploy.rights.policies import Ask, Statement, is_allowed
from tests.deploy.rights.resolving import ACCOUNT
from tests.deploy.rights.stack import names, policies_of, role_of, statements_of
from workflows.project import PROJECT

# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
LOG_DELIVERY = (
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
)
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html
TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets")


def machine_of(workflow: str) -> str:
    return "".join(word.capitalize() for word in workflow.split("_")) + "StateMachine"


def tasks_of(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every Task of a definition, those of its Maps and Parallels too."""
    if isinstance(value, dict) and value.get("Type") == "Task":
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from tasks_of(inner)


def asked_by_machine(workflow: str) -> list[Ask]:
    """Return what Step Functions does in the name of a machine's role."""
    substitutions = names().properties(machine_of(workflow))["DefinitionSubstitutions"]
    definition = json.loads((ROOT / "state_machines" / f"{workflow}.asl.json").read_text())
    invoked = {substitutions[task["Parameters"]["FunctionName"][2:-1]] for task in tasks_of(definition)}
    resources = {task["Resource"].removesuffix(".waitForTaskToken") for task in tasks_of(definition)}
    assert resources == {"arn:aws:states:::lambda:invoke"}  # another integration would ask for something else
    return [
        *(Ask("lambda:InvokeFunction", alias) for alias in sorted(invoked)),
        *(Ask(action, "*") for action in (*LOG_DELIVERY, *TRACES)),
    ]


@pytest.mark.parametrize("workflow", PROJECT.workflows)
def test_a_machine_may_invoke_the_aliases_of_its_definition_log_and_trace(workflow: str) -> None:
    role = statements_of(f"{machine_of(workflow)}Role")

    assert all(is_allowed(role, ask) for ask in asked_by_machine(workflow))


def own_statements(role: str) -> tuple[Statement, ...]:
    """Return what a role has of policies of its own."""
    policies = policies_of(role)
    return tuple(one for name, all_of in policies.items() if not name.startswith("arn:aws:iam::aws:") for one in all_of)


@pytest.mark.parametrize("workflow", PROJECT.workflows)
def test_a_machine_needs_each_right_that_its_own_policy_gives(workflow: str) -> None:
    asked = [ask for ask in asked_by_machine(workflow) if not ask.action.startswith("xray:")]

    assert needed_by_none(asked, own_statements(f"{machine_of(workflow)}Role")) == []


@pytest.mark.parametrize("workflow", PROJECT.workflows)
@pytest.mark.parametrize("function", ["send_email", "run_task"])
def test_no_machine_may_invoke_an_unpublished_version_or_another_stack_s_function(workflow: str, function: str) -> None:
    role = statements_of(f"{machine_of(workflow)}Role")
    arn = names().arn(role_of(function).removesuffix("Role"))

    for resource in (arn, f"{arn}:$LATEST", f"{arn}:1", f"{arn.replace('production', 'dev')}:live"):
        assert not is_allowed(role, Ask("lambda:InvokeFunction", resource))


def asked_by_scheduler() -> list[Ask]:
    """Return the requests of EventBridge Scheduler with the role of the schedules."""
    asked = []
    for schedule in names().of_type("AWS::Scheduler::Schedule"):
        target = names().properties(schedule)["Target"]
        assert target["RoleArn"] == names().arn("SchedulerRole")
        asked += [Ask("sqs:SendMessage", arn) for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"])]
    # A task for later: see qu_workflows.tasks.sqs_sending.
    queues = (names().ref("TasksQueue"), names().ref("TasksDeadLetterQueue"))
    asked += [Ask("sqs:SendMessage", queue_arn(url)) for url in queues]
    key, via = names().arn("EncryptionKeyOfStack"), {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}
    return [*asked, *(Ask(action, key, via) for action in ("kms:GenerateDataKey", "kms:Decrypt"))]


def test_the_scheduler_may_send_what_is_due_and_nothing_else() -> None:
    role = statements_of("SchedulerRole")

    assert all(is_allowed(role, ask) for ask in asked_by_scheduler())
    assert not is_allowed(role, Ask("sqs:SendMessage", names().arn("StatusEventsDeadLetterQueue")))
    assert not is_allowed(role, Ask("sqs:ReceiveMessage", names().arn("TasksQueue")))


def test_the_scheduler_needs_each_right_that_its_role_gives() -> None:
    assert needed_by_none(asked_by_scheduler(), statements_of("SchedulerRole")) == []


def test_the_proxy_may_read_its_own_secret_and_no_other() -> None:
    [statement] = statements_of("DatabaseProxyRole")
    prefix = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"

    assert is_allowed(
        (statement,), Ask("secretsmanager:GetSecretValue", f"{prefix}{names().ref('DatabaseProxySecret')}")
    )
    assert not is_allowed((statement,), Ask("secretsmanager:GetSecretValue", f"{prefix}database-url-AbCdEf"))
    assert (statement.actions, len(statement.resources)) == (("secretsmanager:GetSecretValue",), 1)


def asked_by_code_deploy() -> list[Ask]:
    """Return what CodeDeploy does to move every function's alias.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html
    """
    actions = ("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig")
    moved = [names().arn(f"{function.resource}Aliaslive") for function in FUNCTIONS]
    return [*(Ask(action, arn) for action in actions for arn in moved), Ask("cloudwatch:DescribeAlarms", "*")]


def test_code_deploy_may_move_the_stack_s_aliases_and_no_others() -> None:
    role = statements_of("DeployRole")
    alias = names().arn("RunTaskFunctionAliaslive")

    assert all(is_allowed(role, ask) for ask in asked_by_code_deploy())
    assert not is_allowed(role, Ask("lambda:UpdateAlias", alias.replace("production", "dev")))
    assert not is_allowed(role, Ask("lambda:UpdateFunctionCode", alias))
    assert not is_allowed(role, Ask("sns:Publish", names().arn("AlarmsTopic")))
    groups = names().of_type("AWS::CodeDeploy::DeploymentGroup")
    assert len(groups) == len(FUNCTIONS)
    assert {names().properties(group)["ServiceRoleArn"] for group in groups} == {names().arn("DeployRole")}


def test_code_deploy_needs_each_right_that_its_role_gives() -> None:
    assert needed_by_none(asked_by_code_deploy(), statements_of("DeployRole")) == []


@pytest.mark.parametrize("role", ["DatabaseProxyRole", "SchedulerRole"])
def test_a_service_assumes_a_role_only_for_the_stacks_account(role: str) -> None:
    """Else what is another account's could name the role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    [statement] = names().properties(role)["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_there_is_no_role_and_no_policy_that_is_not_proved() -> None:
    functions = {role_of(function.name) for function in FUNCTIONS}
    machines = {f"{machine_of(workflow)}Role" for workflow in PROJECT.workflows}

    services = {"SchedulerRole", "DatabaseProxyRole", "DeployRole"}
    assert set(names().of_type("AWS::IAM::Role")) == functions | machines | services
    assert set(names().of_type("AWS::IAM::ManagedPolicy")) == set(POLICIES.values())
    assert not names().of_type("AWS::IAM::Policy")
