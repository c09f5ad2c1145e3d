"""Status changes of executions, from the events of Step Functions.

Events come late, twice and out of order, and a redrive takes a failed execution back to RUNNING. So a
record only moves up in ``(redrive count, rank of status)``, and any order of events has the same result.
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field

from qu_workflows.protocol.catalog import RUN_TASK
from qu_workflows.protocol.contract import TaskId
from qu_workflows.protocol.project import registered_project
from qu_workflows.records.json_values import storable_json, storable_text
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.scheduled_runs import origin_of

# Equal redrive counts have one final status on AWS; a task that was also run inline may have two.
_rank = ("READY", "SENT", "RUNNING", "ABORTED", "TIMED_OUT", "FAILED", "SUCCEEDED").index


class ForeignExecution(Exception):
    """The event is of a state machine that runs no workflow of this project."""

    def __init__(self, state_machine_arn: str) -> None:
        super().__init__(state_machine_arn)
        self.state_machine_arn = state_machine_arn

    def __str__(self) -> str:
        return (
            f"{self.state_machine_arn} is not a state machine of this project"
            f" ({', '.join(registered_project().workflows)}). Narrow the EventBridge rule's stateMachineArn."
        )


class ExecutionStatusChange(BaseModel):
    """The ``detail`` of a status-change event; times are milliseconds since 1970. Other keys are ignored."""

    model_config = ConfigDict(populate_by_name=True)

    name: TaskId
    status: Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    execution_arn: Annotated[str, Field(alias="executionArn", max_length=300)]
    state_machine_arn: Annotated[str, Field(alias="stateMachineArn")]
    state_machine_version_arn: Annotated[str | None, Field(alias="stateMachineVersionArn", max_length=300)] = None
    started_ms: Annotated[int | None, Field(alias="startDate")] = None
    stopped_ms: Annotated[int | None, Field(alias="stopDate")] = None
    redrive_count: Annotated[int | None, Field(alias="redriveCount", ge=0)] = None
    input: str | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def workflow(self) -> str:
        """The workflow of ``<prefix>-<workflow>``. Raises ForeignExecution."""
        machine = self.state_machine_arn.split(":stateMachine:")[-1].split(":")[0]
        for workflow in registered_project().workflows:
            if machine == workflow or machine.endswith(f"-{workflow}"):
                return workflow
        raise ForeignExecution(self.state_machine_arn)


def apply_status_change(detail: Mapping[str, Any]) -> TaskRecord:
    """Record one status change and return the record, which is created if there is none.

    Safe to repeat, in any order. Raises pydantic's ValidationError for a detail that is not a status
    change, ForeignExecution for another project's state machine.
    """
    change = ExecutionStatusChange.model_validate(detail)
    unrecorded = _unrecorded(change)
    with transaction.atomic():
        record, _ = TaskRecord.objects.select_for_update().get_or_create(pk=change.name, defaults=unrecorded)
        position = (change.redrive_count or 0, _rank(change.status))
        known = (record.redrive_count, _rank(record.status))
        if position > known:
            _apply(change, record)
            record.save()
        elif position == known and not record.execution_arn:  # the function's attempt was quicker than this event
            _apply_names(change, record)
            record.save(update_fields=["execution_arn", "state_machine_version_arn"])
    return record


def _apply(change: ExecutionStatusChange, record: TaskRecord) -> None:
    record.status = change.status
    record.redrive_count = change.redrive_count or 0
    _apply_names(change, record)
    record.started_at = _moment(change.started_ms) or record.started_at or timezone.now()
    is_final = change.status != TaskStatus.RUNNING
    record.finished_at = (_moment(change.stopped_ms) or timezone.now()) if is_final else None
    record.error = storable_text(change.error or "")[:256]
    record.cause = storable_text(change.cause or "")
    if record.returned_at is None:  # otherwise the record has the function's own, complete value
        record.result = _json_of(change.output)


def _apply_names(change: ExecutionStatusChange, record: TaskRecord) -> None:
    record.execution_arn = change.execution_arn
    record.state_machine_version_arn = change.state_machine_version_arn or record.state_machine_version_arn


def _unrecorded(change: ExecutionStatusChange) -> dict[str, Any]:
    """Return the fields of an execution that Django did not enqueue."""
    workflow, given = change.workflow, _json_of(change.input)
    given = given if isinstance(given, dict) else {}
    task = next(
        (entry.task for entry in registered_project().workflow_tasks if entry.workflow == workflow), given.get("task")
    )
    payload = given.get("payload") if workflow == RUN_TASK else given
    payload = payload if isinstance(payload, dict) else {}
    return {
        "task": str(task or workflow)[:255],
        "workflow": workflow,
        "payload": payload,
        "payload_key": str(given.get("payload_key") or "")[:120],
        "subject_id": registered_project().subject_id_of(payload),
        "status": TaskStatus.SENT,
        "enqueued_at": _moment(change.started_ms) or timezone.now(),
        **origin_of(change.name),
    }


def _json_of(text: str | None) -> Any:
    """Return an input or output parsed; AWS leaves out one over 248 KiB."""
    try:
        return None if text is None else storable_json(json.loads(text))
    except ValueError:
        return None


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
