"""Operators work under a policy of their own: what their commands call, it allows, on this stack's queues."""

from typing import Any

from deploy.cloudformation import Template

DLQ, QUEUE = {"Fn::GetAtt": ["TasksDeadLetterQueue", "Arn"]}, {"Fn::GetAtt": ["TasksQueue", "Arn"]}


def allowed(template: Template, resource: Any) -> set[str]:
    """Return the actions that the policy allows on a resource."""
    statements = template["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    found = [one["Action"] for one in statements if one["Resource"] == resource]
    return {action for actions in found for action in ([actions] if isinstance(actions, str) else actions)}


def test_operators_may_read_move_and_purge_dead_letters_and_only_send_to_the_task_queue(template: Template) -> None:
    assert allowed(template, DLQ) == {
        "sqs:CancelMessageMoveTask",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ListMessageMoveTasks",
        "sqs:ReceiveMessage",
        "sqs:StartMessageMoveTask",
    }
    assert allowed(template, QUEUE) == {"sqs:GetQueueAttributes", "sqs:SendMessage"}


def test_the_policy_is_an_output_to_attach(template: Template) -> None:
    assert template["Outputs"]["OperatorPolicyArn"]["Value"] == {"Ref": "OperatorPolicy"}
