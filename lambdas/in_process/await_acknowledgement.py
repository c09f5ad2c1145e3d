"""Waits for a supervisor in a Django process, in place of ``await_acknowledgement``.

There is no task token without Step Functions, so this waits in the workflow's thread and polls the database. With
IN_PROCESS_WORKFLOWS=inline it does not wait: all supervisors are notified at once.
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
    """Return the acknowledgement as the state's end, or fail like a timeout.

    Safe to retry if the process dies: the person has the full time again.
    """
    _keep({**event, "task_token": new_local_token()}, context)
    inquiry_id = int(event["inquiry_id"])
    while True:
        answer = _answer_or_timeout(inquiry_id)
        if answer is not None:
            return Ended(answer.model_dump(mode="json"))
        if not connection.in_atomic_block:  # only the caller may end its transaction
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
        # Close it under the lock: no acknowledgement may come before the next person's turn.
        open_inquiry = IncidentInquiry.objects.filter(pk=inquiry_id, status=InquiryStatus.ASKED)
        open_inquiry.update(status=InquiryStatus.UNANSWERED)
    name = "States.Timeout" if inquiry.answer_by <= inquiry.sign_by else "States.HeartbeatTimeout"
    raise TaskError(name, f"No acknowledgement by {min(inquiry.sign_by, inquiry.answer_by).isoformat()}.")
