"""Another release over the one that runs, as ``sam deploy`` brings it."""

from botocore.exceptions import ClientError

from deploy.local.aws.deployment import STACK_NAME, Release, StackNotDeployed, outputs_once, request_of
from deploy.local.aws.stand_in import copy_state_machines
from deploy.local.stack import LocalStack


def update(stack: LocalStack, release: Release) -> None:
    """Deploy a release while the stack works. Raises StackNotDeployed, also for an unchanged release."""
    for workflow, definition in release.definitions.items():
        # What the stand-in would take, and AWS, as the engine, would not.
        answer = stack.aws.step_functions.validate_state_machine_definition(
            definition=definition.decode(), severity="ERROR"
        )
        if answer["diagnostics"]:
            raise StackNotDeployed(f"The definition of {workflow} is refused. {answer['diagnostics']}")
    request, _changes = request_of(stack.aws, release)
    try:
        stack.aws.cloudformation.update_stack(**request)
    except ClientError as error:
        raise StackNotDeployed(f"{STACK_NAME} was not updated. {error}") from error
    stack.outputs, stack.release = outputs_once(stack.aws, "UPDATE_COMPLETE"), release
    copy_state_machines(stack.aws, stack.options.wait_scale)
