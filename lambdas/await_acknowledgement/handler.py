"""Keeps the task token of a question to a supervisor, for the "Await Acknowledgement" state of incident_escalation."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.powertools import logger
from workflows.contracts.incident_escalation import Acknowledgement, AwaitAcknowledgementInput, KeptToken
from workflows.errors import StorageUnavailable


@database_step(AwaitAcknowledgementInput)
def lambda_handler(event: AwaitAcknowledgementInput) -> KeptToken:
    """Keep the token for the page behind the mail's link; end the state at once if somebody was quicker than this.

    Safe to retry: the token of a later attempt takes the earlier one's place, and a token ends its state once. Raises
    RecipientNotFound; DatabaseUnavailable and StorageUnavailable when trying again helps.
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
        logger.info("the state had ended already")  # an earlier attempt of this, or the page, has ended it
    except StepFunctionsUnavailable as error:
        raise StorageUnavailable("Step Functions", f"did not take the answer ({error}).", "Try again.") from error
