"""The incident_escalation workflow: supervisors are asked one after the other until one acknowledges an incident.

Choose Person -> Is Acknowledged -> Render Email -> Send Email -> Await Acknowledgement -> Record Acknowledgement.
No answer in time, or a person whom no mail reaches: Choose Person again, with the next turn.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field

from qu_workflows.protocol.contract import Contract, TaskId
from workflows.contracts.guard_report import DatabaseId, Recipient
from workflows.errors import (
    DatabaseUnavailable,
    EmailRefused,
    EmailServiceUnavailable,
    NobodyAcknowledged,
    PayloadInvalid,
    RecipientNotFound,
    ReportNotFound,
    StepError,
    StorageUnavailable,
    TemplateInvalid,
)

TRANSIENT_ERRORS: tuple[type[StepError], ...] = (DatabaseUnavailable, EmailServiceUnavailable, StorageUnavailable)
RECIPIENT_ERRORS: tuple[type[StepError], ...] = (EmailRefused, RecipientNotFound)
FATAL_ERRORS: tuple[type[StepError], ...] = (NobodyAcknowledged, PayloadInvalid, ReportNotFound, TemplateInvalid)

TurnNumber = Annotated[int, Field(strict=True, ge=0, le=10_000)]


class IncidentEscalationInput(Contract):
    """The payload of the ``escalate_incident`` task, and the execution's input."""

    report_id: DatabaseId


class ChoosePersonInput(Contract):
    """What "Choose Person" is given. ``previous_turn`` is 0 before anybody was asked."""

    task_id: TaskId
    report_id: DatabaseId
    previous_turn: TurnNumber


class Turn(Contract):
    """What "Choose Person" answers: whom to ask now, and how long to wait.

    The person has ``timeout_seconds`` to acknowledge, and within each ``heartbeat_seconds`` has to give a sign of
    life ("I am looking into it") for it. ``is_acknowledged``: somebody has acknowledged meanwhile; no one is asked,
    and ``inquiry_id`` and ``recipient`` are null.
    """

    number: TurnNumber
    is_acknowledged: bool
    inquiry_id: DatabaseId | None = None
    recipient: Recipient | None = None
    timeout_seconds: Annotated[int, Field(ge=2)]
    heartbeat_seconds: Annotated[int, Field(ge=1)]


class KeptToken(Contract):
    """What "Await Acknowledgement" answers; the state's result is what comes with the token instead."""

    is_acknowledged: bool


class AwaitAcknowledgementInput(Contract):
    """What "Await Acknowledgement" is given: the token that ends the state goes with the inquiry."""

    task_id: TaskId
    inquiry_id: DatabaseId
    task_token: Annotated[str, Field(min_length=1, max_length=2048)]


class Acknowledgement(Contract):
    """What ends "Await Acknowledgement": the output of SendTaskSuccess. ``user_id`` may be another than was asked."""

    inquiry_id: DatabaseId
    user_id: DatabaseId
    acknowledged_at: AwareDatetime


class RecordAcknowledgementInput(Contract):
    """What "Record Acknowledgement" is given."""

    task_id: TaskId
    report_id: DatabaseId
    acknowledgement: Acknowledgement


class AcknowledgedIncident(Contract):
    """What "Record Acknowledgement" answers: who had acknowledged first, whoever did since."""

    user_id: DatabaseId
    acknowledged_at: AwareDatetime


class EscalatedIncident(Contract):
    """The execution's output. ``turns`` is how many people were asked.

    The rest is null where "Choose Person" found the incident acknowledged, and had no one to ask any more.
    """

    report_id: DatabaseId
    turns: int
    user_id: DatabaseId | None = None
    acknowledged_at: AwareDatetime | None = None
