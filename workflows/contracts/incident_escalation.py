"""The incident_escalation workflow: supervisors are asked in turn to acknowledge an incident.

Choose Person -> Is Acknowledged -> Render Email -> Send Email -> Await Acknowledgement -> Record Acknowledgement.
After a timeout, or if the mail cannot be delivered: Choose Person again, with the next turn.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field

from qu_workflows.protocol.contract import Contract, TaskId
from workflows import errors
from workflows.contracts.guard_report import DatabaseId, Recipient
from workflows.contracts.tasks import WorkflowTask

TRANSIENT_ERRORS = (errors.DatabaseUnavailable, errors.EmailServiceUnavailable, errors.StorageUnavailable)
RECIPIENT_ERRORS = (errors.EmailRefused, errors.RecipientNotFound)
FATAL_ERRORS = (errors.NobodyAcknowledged, errors.PayloadInvalid, errors.ReportNotFound, errors.TemplateInvalid)

TurnNumber = Annotated[int, Field(strict=True, ge=0, le=10_000)]


class IncidentEscalationInput(Contract):
    """The payload of the ``escalate_incident`` task, and the execution's input."""

    report_id: DatabaseId


TASK = WorkflowTask("escalate_incident", "incident_escalation", IncidentEscalationInput, by_reference=False)


class ChoosePersonInput(Contract):
    """Input of "Choose Person". ``previous_turn`` is 0 for the first person."""

    task_id: TaskId
    report_id: DatabaseId
    previous_turn: TurnNumber


class Turn(Contract):
    """Output of "Choose Person": the next person to ask, and how long to wait.

    The person has ``timeout_seconds`` to acknowledge, and must send a heartbeat ("I am looking into it") within each
    ``heartbeat_seconds``. If ``is_acknowledged``, no person is asked: ``inquiry_id`` and ``recipient`` are null.
    """

    number: TurnNumber
    is_acknowledged: bool
    inquiry_id: DatabaseId | None = None
    recipient: Recipient | None = None
    timeout_seconds: Annotated[int, Field(ge=2)]
    heartbeat_seconds: Annotated[int, Field(ge=1)]


class KeptToken(Contract):
    """Output of "Await Acknowledgement"'s function. The state's result comes with the token."""

    is_acknowledged: bool


class AwaitAcknowledgementInput(Contract):
    """Input of "Await Acknowledgement", with the task token to save with the inquiry."""

    task_id: TaskId
    inquiry_id: DatabaseId
    task_token: Annotated[str, Field(min_length=1, max_length=2048)]


class Acknowledgement(Contract):
    """Output of SendTaskSuccess. ``user_id`` may be another person than was asked."""

    inquiry_id: DatabaseId
    user_id: DatabaseId
    acknowledged_at: AwareDatetime


class RecordAcknowledgementInput(Contract):
    """Input of "Record Acknowledgement"."""

    task_id: TaskId
    report_id: DatabaseId
    acknowledgement: Acknowledgement


class AcknowledgedIncident(Contract):
    """Output of "Record Acknowledgement": the first person who acknowledged."""

    user_id: DatabaseId
    acknowledged_at: AwareDatetime


class EscalatedIncident(Contract):
    """The execution's output. ``turns`` is the number of people asked.

    The last two are null if "Choose Person" found the incident acknowledged.
    """

    report_id: DatabaseId
    turns: int
    user_id: DatabaseId | None = None
    acknowledged_at: AwareDatetime | None = None
