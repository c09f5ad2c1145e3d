"""The daily_report_digest workflow: one mail to each client about a day.

List Digests -> Send Digests (Map: Render Email -> Send Email) -> Summarize.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from qu_workflows.protocol.contract import Contract, TaskId
from workflows import errors
from workflows.contracts.guard_report import DatabaseId
from workflows.contracts.tasks import WorkflowTask

TRANSIENT_ERRORS = (errors.DatabaseUnavailable, errors.EmailServiceUnavailable, errors.StorageUnavailable)
FATAL_ERRORS = (
    errors.EmailRefused,
    errors.PayloadInvalid,
    errors.RecipientNotFound,
    errors.TemplateInvalid,
    errors.TooManyDigests,
)
# Each iteration adds 14 events to a history of at most 25,000, or 23 while a service is down.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-state-machine-executions
MAX_DIGESTS = 1000

Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class DailyReportDigestInput(Contract):
    """The payload of the ``daily_report_digest`` task, and the execution's input.

    ``date`` is the day to report, as 2026-11-23; empty: the day before the scheduled time, or before today.
    """

    date: Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""


TASK = WorkflowTask("daily_report_digest", "daily_report_digest", DailyReportDigestInput, by_reference=False)


class ListDigestsInput(Contract):
    """Input of "List Digests"; ``payload`` is the execution's input."""

    task_id: TaskId
    payload: DailyReportDigestInput


class Digest(Contract):
    """One client's mail. The address is looked up when it is rendered."""

    client_id: DatabaseId
    user_id: DatabaseId
    date: Day


class DigestList(Contract):
    """Output of "List Digests": an entry for each active client with reports.

    ``skipped`` is the reason why a scheduled run does nothing, if it does (see ``workflows.schedules``).
    """

    date: Day
    digests: Annotated[list[Digest], Field(max_length=MAX_DIGESTS)]
    skipped: str | None = None


class DigestResult(Contract):
    """Result of one iteration: ``SentEmail``'s status, or not_sent with the error."""

    client_id: DatabaseId
    status: Literal["sent", "already_sent", "unconfirmed", "not_sent"]
    error: str | None = None


class SentDigests(Contract):
    """The execution's output: one entry for each client."""

    date: Day
    skipped: str | None = None
    digests: list[DigestResult]
