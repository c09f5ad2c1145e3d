"""Restarting tasks: a new execution with the same payload, from its first state, on today's definition.

A name stays taken for 90 days, so the new execution is another attempt: ``<first id>-attempt-2``. It is a task
record like any other, sent through the outbox and started by the dispatcher.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from threading import Event
from uuid import UUID

from django.db import IntegrityError, transaction

from qu_workflows.executions.acting import Deeds, LeftOut, act_on_each, refuse_all
from qu_workflows.executions.queries import (
    TaskFilter,
    attempts_of,
    attempts_of_each,
    find_records,
    matching,
    nothing_matches,
)
from qu_workflows.protocol.message import MessageRejected, payload_key_of
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.protocol.task_ids import attempt_id, split_attempt
from qu_workflows.records.audit import audited
from qu_workflows.records.models import UNSUCCESSFUL, WAITING, AuditAction, TaskRecord, TaskStatus
from qu_workflows.tasks.registry import find_entry
from qu_workflows.tasks.requests import TaskRequest, new_record
from qu_workflows.tasks.services import send_later

# The outbox and the dispatcher set the real pace; this only spares the database.
PER_SECOND = 100.0
_UNDERWAY = (*WAITING, TaskStatus.RUNNING)
_RACES = 5
_PLANNED_TOGETHER = 100


@dataclass(frozen=True)
class PlannedRestart:
    """A task that would be restarted as ``new_id``, unless another restart takes that number first."""

    task_id: str
    task: str
    workflow: str
    status: str
    new_id: str


@dataclass(frozen=True)
class RestartPlan:
    """What would be restarted, in this order, and what would not although it was chosen."""

    restarts: tuple[PlannedRestart, ...]
    left_out: tuple[LeftOut, ...] = ()


def plan_restarts_of(references: Sequence[str], *, even_succeeded: bool = False) -> RestartPlan:
    """Return the plan for tasks that are named, by id or ARN.

    All or none: raises OperationRefused with the reason of each that can not be restarted.
    """
    plan = _plan(find_records(references), even_succeeded=even_succeeded)
    refuse_all(plan.left_out, len(plan.left_out) + len(plan.restarts))
    return plan


def plan_restarts(chosen: TaskFilter, limit: int | None = None, *, even_succeeded: bool = False) -> RestartPlan:
    """Return the plan for the tasks that fit a filter, the newest first.

    Without a status in the filter: those that failed, timed out or were aborted. Raises OperationRefused when
    none fits or none of them can be restarted.
    """
    chosen.check()
    found = matching(chosen) if chosen.statuses else matching(chosen).filter(status__in=UNSUCCESSFUL)
    # Some at a time: each comes with its payload.
    plan = _plan(found[:limit].iterator(chunk_size=100), even_succeeded=even_succeeded)
    if not plan.restarts and not plan.left_out:
        raise nothing_matches(chosen, "task that could be restarted")
    if not plan.restarts:
        refuse_all(plan.left_out, len(plan.left_out))
    return plan


def plan_restarts_among(records: Sequence[TaskRecord]) -> RestartPlan:
    """Return the plan for some records, with their payloads; it may leave all of them out."""
    return _plan(records, even_succeeded=False)


def restart_all(
    plan: RestartPlan,
    actor: str,
    *,
    even_succeeded: bool = False,
    stop: Event | None = None,
    batch: UUID | None = None,
) -> Deeds:
    """Carry a plan out, and return what became of each: what is said of one names its new id.

    Repeated while an attempt is under way, it is refused; once that has ended, it makes one more.
    """
    return act_on_each(
        plan.restarts,
        lambda planned: planned.task_id,
        lambda planned, batch: _restart(planned, actor, batch, even_succeeded=even_succeeded),
        per_second=PER_SECOND,
        stop=stop,
        batch=batch,
    )


def next_attempt_id(attempts: Sequence[TaskRecord]) -> str:
    """Return the id of the attempt after these, which are all of one task."""
    first = next((record.attempt_of for record in attempts if record.attempt_of), attempts[0].pk)
    return attempt_id(first, max(_number(record) for record in attempts) + 1)


def why_not_restartable(record: TaskRecord, attempts: Sequence[TaskRecord], *, even_succeeded: bool) -> LeftOut | None:
    """Return why a task is not restarted, or None. ``attempts`` are all of its, itself among them."""
    underway = next((one for one in attempts if one.status in _UNDERWAY), None)
    if underway is not None:
        what = "it" if underway.pk == record.pk else f"its attempt {underway.pk}"
        remedy = "Wait for its end, or stop it first: manage.py executions stop."
        if underway.status in WAITING:
            remedy = "It will start by itself; if it does not, look for its message: manage.py dlq list."
        return LeftOut(record.pk, f"{what} is {underway.status}.", remedy)
    succeeded = next((one for one in attempts if one.status == TaskStatus.SUCCEEDED), None)
    if succeeded is not None and not even_succeeded:
        what = "it" if succeeded.pk == record.pk else f"its attempt {succeeded.pk}"
        return LeftOut(record.pk, f"{what} SUCCEEDED already.", "To do it all a second time, add --even-succeeded.")
    return _why_it_does_not_fit(record)


def _why_it_does_not_fit(record: TaskRecord) -> LeftOut | None:
    entry = find_entry(record.task)
    if entry is None:
        return LeftOut(record.pk, f"there is no task {record.task} today.", "Register it and run make states.")
    if record.payload_key and not record.payload:
        return LeftOut(record.pk, "its payload is not in the record.", "Send the task anew from where it came from.")
    try:
        _new_record(record, "check")
    except (MessageRejected, TypeError) as error:
        return LeftOut(
            record.pk, f"its payload does not fit today's {record.task}: {error}", "Enqueue it anew with one that does."
        )
    return None


def _plan(records: Iterable[TaskRecord], *, even_succeeded: bool) -> RestartPlan:
    planned: dict[str, PlannedRestart] = {}  # by the new id: two attempts of one task are restarted as one
    left_out = []
    for record, attempts in _with_attempts(records):
        why = why_not_restartable(record, attempts, even_succeeded=even_succeeded)
        if why:
            left_out.append(why)
            continue
        new_id = next_attempt_id(attempts)
        planned.setdefault(new_id, PlannedRestart(record.pk, record.task, record.workflow, record.status, new_id))
    return RestartPlan(tuple(planned.values()), tuple(left_out))


def _with_attempts(records: Iterable[TaskRecord]) -> Iterator[tuple[TaskRecord, list[TaskRecord]]]:
    """Yield each record with all attempts of its task, which are read together for some records at a time."""
    for some in batched(records, _PLANNED_TOGETHER):
        attempts = attempts_of_each(some)
        yield from ((record, attempts[record.pk]) for record in some)


def _restart(planned: PlannedRestart, actor: str, batch: UUID, *, even_succeeded: bool) -> str:
    with audited(actor, AuditAction.RESTART_EXECUTION, planned.task_id, batch) as entry:
        new = _recorded(planned.task_id, even_succeeded=even_succeeded)
        entry.details["new_id"] = new.pk
        new.refresh_from_db()
        entry.message = f"restarted as {new.pk}"
        if new.status == TaskStatus.READY:
            entry.message += f", which is recorded and has not left yet {new.last_send_error}".rstrip()
    return entry.message


def _recorded(task_id: str, *, even_succeeded: bool) -> TaskRecord:
    """Record the next attempt of a task, and have it sent: in one transaction that holds all attempts still."""
    for _ in range(_RACES):
        try:
            with transaction.atomic():
                record = _locked(task_id)
                attempts = attempts_of(record)
                why = why_not_restartable(record, attempts, even_succeeded=even_succeeded)
                if why:
                    raise OperationRefused(why.task_id, why.problem, why.remedy)
                new = _new_record(record, next_attempt_id(attempts))
                new.save(force_insert=True)
                send_later([new])
                return new
        except IntegrityError:  # no row of the first attempts was left to lock, and another was quicker
            continue
    raise OperationRefused(task_id, "others restart it at this moment.", "Look at its attempts before you try again.")


def _locked(task_id: str) -> TaskRecord:
    record = find_records([task_id])[0]
    first = record.attempt_of or record.pk
    list(TaskRecord.objects.select_for_update().filter(pk__in=[first, task_id]).order_by("pk").values_list("pk"))
    record.refresh_from_db()
    return record


def _new_record(record: TaskRecord, new_id: str) -> TaskRecord:
    entry = find_entry(record.task)
    if entry is None:
        raise LookupError(record.task)
    new = new_record(
        TaskRequest(
            entry=entry,
            payload=record.payload,
            positional_count=record.positional_count,
            message_group_id=record.message_group_id,
            backend=record.backend,
            queue_name=record.queue_name,
        )
    )
    new.pk = new_id
    new.payload_key = payload_key_of(new_id) if new.payload_key else ""
    new.attempt_of = record.attempt_of or record.pk
    new.schedule = record.schedule
    return new


def _number(record: TaskRecord) -> int:
    return split_attempt(record.pk)[1] if record.attempt_of else 1
