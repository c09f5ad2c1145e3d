"""Waits for a supervisor where Django runs workflows by itself: in place of ``await_acknowledgement``.

No Step Functions holds a token there, so this waits in the thread that runs the workflow, and reads the
answer from the database. With IN_PROCESS_WORKFLOWS=inline there is no wait: everybody is asked at once.
"""

import time
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from asl_engine.adapters.performer import Ended, TaskError
from incidents.services import answer_of, is_over, keep_token, locked_inquiry, no_inquiry
from lambdas.shared.runtime.database import database_errors
from lambdas.shared.runtime.step import step
from qu_workflows.aws.task_tokens import new_local_token
from reports.models import IncidentInquiry, InquiryStatus
from workflows.contracts.incident_escalation import Acknowledgement, AwaitAcknowledgementInput, KeptToken

POLL_SECONDS = 2.0


def lambda_handler(event: dict[str, Any], context: Any) -> Ended:
    """Return the acknowledgement as what ends the state, or fail it as Step Functions would end a silent one.

    Safe to repeat after the process died: the person gets the whole time once more.
    """
    _keep({**event, "task_token": new_local_token()}, context)
    inquiry_id = int(event["inquiry_id"])
    while True:
        answer = _answer_or_timeout(inquiry_id)
        if answer is not None:
            return Ended(answer.model_dump(mode="json"))
        if not connection.in_atomic_block:  # a caller's transaction is the caller's to end
            connection.close()
        time.sleep(POLL_SECONDS)


@step(AwaitAcknowledgementInput)
def _keep(event: AwaitAcknowledgementInput) -> KeptToken:
    with database_errors():
        return KeptToken(is_acknowledged=keep_token(event) is not None)


def _answer_or_timeout(inquiry_id: int) -> Acknowledgement | None:
    with database_errors(), transaction.atomic():
        try:
            inquiry = locked_inquiry(inquiry_id)
        except IncidentInquiry.DoesNotExist:
            raise no_inquiry(inquiry_id) from None
        answer = answer_of(inquiry)
        waits = settings.IN_PROCESS_WORKFLOWS != "inline"
        if answer is not None or (waits and not is_over(inquiry, timezone.now())):
            return answer
        # Closed under the lock, so that no one acknowledges between this and the next person's turn.
        IncidentInquiry.objects.filter(pk=inquiry_id, status=InquiryStatus.ASKED).update(
            status=InquiryStatus.UNANSWERED
        )
    name = "States.Timeout" if inquiry.answer_by <= inquiry.sign_by else "States.HeartbeatTimeout"
    raise TaskError(name, f"Nobody has acknowledged by {min(inquiry.sign_by, inquiry.answer_by).isoformat()}.")
