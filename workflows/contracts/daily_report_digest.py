"""The daily_report_digest workflow: each client gets one mail about what was reported the day before.

List Digests -> Send Digests (Map: Render Email -> Send Email) -> Summarize.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from qu_workflows.protocol.contract import Contract, TaskId
from workflows.contracts.guard_report import DatabaseId
from workflows.errors import (
    DatabaseUnavailable,
    EmailRefused,
    EmailServiceUnavailable,
    PayloadInvalid,
    RecipientNotFound,
    StepError,
    StorageUnavailable,
    TemplateInvalid,
    TooManyDigests,
)

TRANSIENT_ERRORS: tuple[type[StepError], ...] = (DatabaseUnavailable, EmailServiceUnavailable, StorageUnavailable)
FATAL_ERRORS: tuple[type[StepError], ...] = (
    EmailRefused,
    PayloadInvalid,
    RecipientNotFound,
    TemplateInvalid,
    TooManyDigests,
)
# A client's iteration takes 14 events of the execution's 25,000, and 23 when a service is out all the time.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-state-machine-executions
MAX_DIGESTS = 1000

Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class DailyReportDigestInput(Contract):
    """The payload of the ``daily_report_digest`` task, and the execution's input.

    ``date`` is the day to report, as 2026-11-23; empty: the day before the scheduled time, or before today.
    """

    date: Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""


class ListDigestsInput(Contract):
    """What "List Digests" is given: the execution's input as it came."""

    task_id: TaskId
    payload: DailyReportDigestInput


class Digest(Contract):
    """One client's mail: what was reported at the client's properties on a day. The address is looked up later."""

    client_id: DatabaseId
    user_id: DatabaseId
    date: Day


class DigestList(Contract):
    """What "List Digests" answers: one entry for each active client with a report that day.

    ``skipped`` says why the run does nothing, if it does nothing (see ``workflows.schedules``).
    """

    date: Day
    digests: Annotated[list[Digest], Field(max_length=MAX_DIGESTS)]
    skipped: str | None = None


class DigestResult(Contract):
    """What one iteration of "Send Digests" ends as: ``status`` of ``SentEmail``, or not_sent with the ``error``."""

    client_id: DatabaseId
    status: Literal["sent", "already_sent", "unconfirmed", "not_sent"]
    error: str | None = None


class SentDigests(Contract):
    """The execution's output: one entry for each client."""

    date: Day
    skipped: str | None = None
    digests: list[DigestResult]
