"""Records what an execution became, for the rule on status changes of the state machines."""

from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel
from pydantic import ValidationError

from lambdas.shared.runtime.database import database_errors, setup_django
from lambdas.shared.runtime.powertools import count, logger, metrics, traced
from workflows.errors import PayloadInvalid

setup_django()

from qu_workflows.tasks.status import apply_status_change  # noqa: E402  Django has to be ready

DETAIL_TYPE = "Step Functions Execution Status Change"
ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


@traced
def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Apply one status-change event to its task record; answer the record's id and status.

    Safe to retry, in any order: a record moves forward only. Raises PayloadInvalid for an event that is
    no status change, ForeignExecution for another's state machine, DatabaseUnavailable.
    """
    detail = _detail(event)
    with logger.append_context_keys(task_id=detail.get("name")), database_errors():
        record = _apply(detail)
        logger.info("status recorded", received=detail.get("status"), status=record["status"])
        _count(detail["status"])
        return record


def _count(status: str) -> None:
    """Count for all machines together; the alarm on the error rate compares the two."""
    if status in ENDED:
        count("ExecutionsEnded")
        count("ExecutionsNotSucceeded", int(status != "SUCCEEDED"))
        metrics.flush_metrics()


def _detail(event: dict[str, Any]) -> dict[str, Any]:
    try:
        envelope = EventBridgeModel.model_validate(event)
    except ValidationError as error:
        raise PayloadInvalid("event", f"is no event of EventBridge ({_first(error)}).", _remedy()) from None
    if envelope.detail_type != DETAIL_TYPE or not isinstance(envelope.detail, dict):
        raise PayloadInvalid("/detail-type", f"is {envelope.detail_type!r}.", _remedy())
    return envelope.detail


def _apply(detail: dict[str, Any]) -> dict[str, Any]:
    try:
        record = apply_status_change(detail)
    except ValidationError as error:
        raise PayloadInvalid("/detail", f"is no status change ({_first(error)}).", _remedy()) from None
    return {"task_id": record.pk, "status": record.status}


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"/{'/'.join(map(str, found['loc']))} {found['msg']}"


def _remedy() -> str:
    return f'Let the rule match "detail-type": ["{DETAIL_TYPE}"] alone.'
