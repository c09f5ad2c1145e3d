"""Lists the clients who get a digest, for the "List Digests" state of daily_report_digest."""

from lambdas.shared.runtime.database import database_step
from lambdas.shared.runtime.needs import StepNeeds
from workflows.contracts.daily_report_digest import DigestList, ListDigestsInput

NEEDS = StepNeeds(database=True)


@database_step(ListDigestsInput)
def lambda_handler(event: ListDigestsInput) -> DigestList:
    """Return a digest for each client with reports that day, or the reason to skip.

    Safe to retry: it reads, and stores once whether a scheduled run is skipped. Raises PayloadInvalid, TooManyDigests
    and DatabaseUnavailable.
    """
    from digests.services import list_digests

    return list_digests(event.task_id, event.payload.date)
