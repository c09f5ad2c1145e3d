"""Records the status of an execution, for the EventBridge rule on status changes."""

from typing import Any

from pydantic import ValidationError

from lambdas.shared.runtime.database import database_errors, setup_django
from lambdas.shared.runtime.powertools import count, logger, metrics, traced
from lambdas.shared.runtime.step import problems_of
from workflows.errors import PayloadInvalid

setup_django()

from qu_workflows.tasks.status import apply_status_change  # noqa: E402  needs Django

DETAIL_TYPE = "Step Functions Execution Status Change"
ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
_REMEDY = f'Restrict the rule to "detail-type": ["{DETAIL_TYPE}"].'


@traced
def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Apply a status-change event to its task record, and return the record's status.

    Safe to retry, in any order: a record only moves forward. Raises PayloadInvalid for another event, ForeignExecution
    for another state machine, and DatabaseUnavailable.
    """
    detail = event.get("detail")
    if event.get("detail-type") != DETAIL_TYPE or not isinstance(detail, dict):
        raise PayloadInvalid("/detail-type", f"is {event.get('detail-type')!r}.", _REMEDY)
    with logger.append_context_keys(task_id=detail.get("name")), database_errors():
        try:
            record = apply_status_change(detail)
        except ValidationError as error:
            raise PayloadInvalid("/detail", f"is not a status change ({problems_of(error)}).", _REMEDY) from None
        logger.info("status recorded", received=detail["status"], status=record.status)
        _count(detail["status"])
        return {"task_id": record.pk, "status": record.status}


def _count(status: str) -> None:
    """Count for all state machines; the alarm on the error rate compares the metrics."""
    if status in ENDED:
        count("ExecutionsEnded")
        count("ExecutionsNotSucceeded", int(status != "SUCCEEDED"))
        metrics.flush_metrics()
