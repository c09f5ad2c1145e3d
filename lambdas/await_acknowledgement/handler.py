"""Stores a supervisor's task token, for the "Await Acknowledgement" state of incident_escalation."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.powertools import logger
from workflows.contracts.incident_escalation import Acknowledgement, AwaitAcknowledgementInput, KeptToken
from workflows.errors import StorageUnavailable

NEEDS = StepNeeds(database=True, task_token=True)


@database_step(AwaitAcknowledgementInput)
def lambda_handler(event: AwaitAcknowledgementInput) -> KeptToken:
    """Store the token for the acknowledgement page, or end the state if already acknowledged.

    Safe to retry: a later token replaces the earlier one, and a token ends its state once. Raises RecipientNotFound,
    and as transient errors DatabaseUnavailable and StorageUnavailable.
    """
    from incidents.services import keep_token

    answer = keep_token(event)
    if answer is not None:
        _end(event.task_token, answer)
    return KeptToken(is_acknowledged=answer is not None)


def _end(task_token: str, answer: Acknowledgement) -> None:
    from qu_workflows.aws.task_tokens import NoLongerAwaited, StepFunctionsUnavailable, end_task

    try:
        end_task(task_token, answer.model_dump(mode="json"))
    except NoLongerAwaited:
        logger.info("the state had ended already")  # by an earlier attempt, or by the page
    except StepFunctionsUnavailable as error:
        raise StorageUnavailable("Step Functions", f"did not accept the answer ({error}).", "Try again.") from error
