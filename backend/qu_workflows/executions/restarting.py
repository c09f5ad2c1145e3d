"""Restarts one task: a new execution with the same payload, by the current definition.

Step Functions reserves a name for 90 days, so the new execution is another attempt: ``<first id>-attempt-2``. Its
task record is sent through the outbox and started by the dispatcher, as any other.
"""

from collections.abc import Iterable, Sequence
from itertools import batched
from uuid import UUID

from django.db import transaction

from qu_workflows.executions.search import attempt_number, attempts_of, attempts_of_each, find_record
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.execution_names import attempt_id
from qu_workflows.protocol.message import payload_key_of
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import audited
from qu_workflows.records.models import WAITING, AuditAction, TaskRecord, TaskStatus
from qu_workflows.records.queries import take_turn
from qu_workflows.tasks.queries import find_entry
from qu_workflows.tasks.services import new_record, send_later

_UNDERWAY = (*WAITING, TaskStatus.RUNNING)
_READ_TOGETHER = 100


def restart_one(
    record: TaskRecord, actor: str, *, even_succeeded: bool = False, batch: UUID | None = None
) -> TaskRecord:
    """Restart a task, audited, and return the record of its new attempt.

    Raises OperationRefused, also while an attempt is in progress; after that, a repetition makes one more attempt.
    """
    with audited(actor, AuditAction.RESTART_EXECUTION, record.pk, batch) as entry:
        new = _recorded(record.pk, even_succeeded=even_succeeded)
        entry.details["new_id"] = new.pk
        new.refresh_from_db()
        entry.message = restart_message(new)
    return new


def restart_message(new: TaskRecord) -> str:
    """Return the result for the record of a new attempt."""
    message = f"restarted as {new.pk}"
    if new.status == TaskStatus.READY:
        message += f", which is recorded but not sent yet {new.last_send_error}".rstrip()
    return message


def restartable_among(
    records: Iterable[TaskRecord], *, even_succeeded: bool = False
) -> tuple[dict[str, TaskRecord], list[OperationRefused]]:
    """Return restartable records by new id, each task once, and errors of others."""
    found: dict[str, TaskRecord] = {}
    refusals = []
    for some in batched(records, _READ_TOGETHER):
        attempts = attempts_of_each(some)
        for record in some:
            why = why_not_restartable(record, attempts[record.pk], even_succeeded=even_succeeded)
            if why:
                refusals.append(why)
            else:
                found.setdefault(next_attempt_id(attempts[record.pk]), record)
            record.__dict__.pop("payload", None)  # read again on access: all of them may not fit in memory
    return found, refusals


def next_attempt_id(attempts: Sequence[TaskRecord]) -> str:
    """Return the id of the next attempt, given all attempts of a task."""
    first = next((record.attempt_of for record in attempts if record.attempt_of), attempts[0].pk)
    return attempt_id(first, max(map(attempt_number, attempts)) + 1)


def why_not_restartable(
    record: TaskRecord, attempts: Sequence[TaskRecord], *, even_succeeded: bool
) -> OperationRefused | None:
    """Return why a task cannot be restarted, or None. ``attempts`` are all of the task's."""
    underway = next((one for one in attempts if one.status in _UNDERWAY), None)
    if underway is not None:
        what = "it" if underway.pk == record.pk else f"its attempt {underway.pk}"
        remedy = "Wait for its end, or stop it first: manage.py executions stop."
        if underway.status in WAITING:
            remedy = "Wait for its start; if it does not start, look for its message: manage.py dlq list."
        return OperationRefused(record.pk, f"{what} is {underway.status}.", remedy)
    succeeded = next((one for one in attempts if one.status == TaskStatus.SUCCEEDED), None)
    if succeeded is not None and not even_succeeded:
        what = "it" if succeeded.pk == record.pk else f"its attempt {succeeded.pk}"
        return OperationRefused(record.pk, f"{what} SUCCEEDED.", "To run it again, add --even-succeeded.")
    return _why_it_does_not_fit(record)


def _why_it_does_not_fit(record: TaskRecord) -> OperationRefused | None:
    problem = remedy = ""
    if find_entry(record.task) is None:
        problem, remedy = f"the task {record.task} no longer exists.", "Register it, and run make states."
    elif record.payload_key and not record.payload:
        problem, remedy = "its payload is not in the record.", "Send the task again from its source."
    else:
        try:
            _new_record(record, "check")
        except (MessageRejected, TypeError) as error:
            problem = f"its payload does not match the current parameters of {record.task}: {error}"
            remedy = "Enqueue it again with a valid payload."
    return OperationRefused(record.pk, problem, remedy) if problem else None


def _recorded(task_id: str, *, even_succeeded: bool) -> TaskRecord:
    """Record and send the next attempt of a task, one restart at a time."""
    with transaction.atomic():
        record = find_record(task_id)
        take_turn(f"restart of {record.attempt_of or record.pk}")
        attempts = attempts_of(record)
        record = next(one for one in attempts if one.pk == task_id)
        if why := why_not_restartable(record, attempts, even_succeeded=even_succeeded):
            raise why
        new = _new_record(record, next_attempt_id(attempts))
        new.save(force_insert=True)
        send_later([new])
        return new


def _new_record(record: TaskRecord, new_id: str) -> TaskRecord:
    entry = find_entry(record.task)
    if entry is None:
        raise LookupError(record.task)
    new = new_record(
        entry,
        record.payload,
        positional_count=record.positional_count,
        message_group_id=record.message_group_id,
        backend=record.backend,
        queue_name=record.queue_name,
        attempt_of=record.attempt_of or record.pk,
        schedule=record.schedule,
    )
    new.pk = new_id
    new.payload_key = payload_key_of(new_id) if new.payload_key else ""
    return new
