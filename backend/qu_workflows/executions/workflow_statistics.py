"""The workflows as state machines: how their tasks end, what they are given, which ways they take.

From the records and the catalog; what Step Functions itself says is in ``state_machines``, what the
histories tell together in ``qu_workflows.executions.samples``.
Where the state machine of a workflow is, the newest execution tells: its ARN names the machine, so that no setting
can name another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, DurationField, F, Max, Q, QuerySet

from qu_workflows.executions.redrivability import at_step_functions
from qu_workflows.executions.state_machines import state_machine_arn
from qu_workflows.protocol.catalog import RUN_TASK, CatalogEntry
from qu_workflows.protocol.definitions import definition_of
from qu_workflows.protocol.parameters import Parameter
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

DAY, WEEK = timedelta(days=1), timedelta(days=7)
_SUCCEEDED = Q(status=TaskStatus.SUCCEEDED)
_AT_AWS = at_step_functions()
_ENDED = Q(status__in=(TaskStatus.SUCCEEDED, *UNSUCCESSFUL))


@dataclass(frozen=True)
class TaskCounts:
    """What became of the tasks that were recorded in some time."""

    tasks: int = 0
    ended: int = 0
    succeeded: int = 0

    @property
    def success_rate(self) -> float | None:
        """The share that succeeded of those that have ended, None if none has."""
        return self.succeeded / self.ended if self.ended else None


@dataclass(frozen=True)
class Machine:
    """A workflow in the list. ``median_seconds`` is that of the week's executions that succeeded, None if none did.

    ``arn`` is its state machine's, "" if it has not run at Step Functions. ``version`` is that of its newest execution.
    """

    workflow: str
    comment: str
    states: int
    tasks: tuple[str, ...]
    day: TaskCounts = TaskCounts()
    week: TaskCounts = TaskCounts()
    running: int = 0
    median_seconds: float | None = None
    arn: str = ""
    version: str = ""


@dataclass(frozen=True)
class Input:
    """A value of a task's payload. ``limits`` are those of the contract, in JSON Schema's words."""

    name: str
    type: str
    required: bool
    limits: str


@dataclass(frozen=True)
class Contract:
    """A task that a workflow runs, and what its payload must hold."""

    task: str
    inputs: tuple[Input, ...]


class _Median(Aggregate):
    """The median in PostgreSQL; nothing in SQLite, which has none."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)%(filter)s"
    output_field = DurationField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        del compiler, connection, extra
        return "NULL", ()


def list_machines(now: datetime) -> list[Machine]:
    """Return every workflow, in four queries however many there are."""
    return _measured([_bare(workflow) for workflow in registered_project().workflows], TaskRecord.objects.all(), now)


def find_machine(workflow: str, now: datetime) -> Machine:
    """Return one workflow. Raises OperationRefused if there is none of that name."""
    if workflow not in registered_project().workflows:
        raise OperationRefused(
            workflow[:80],
            "there is no such workflow.",
            f"Choose one of {', '.join(sorted(registered_project().workflows))}.",
        )
    (found,) = _measured([_bare(workflow)], TaskRecord.objects.filter(workflow=workflow), now)
    return found if found.arn else _with_execution(found, _newest(workflow))


def contracts_of(workflow: str) -> list[Contract]:
    """Return the tasks that a workflow runs, each with the values of its payload."""
    return [_contract(entry) for entry in _entries(workflow)]


def _bare(workflow: str) -> Machine:
    try:
        definition = definition_of(workflow)
    except (OSError, ValueError):
        definition = {}
    return Machine(
        workflow=workflow,
        comment=str(definition.get("Comment", "")),
        states=_count_states(definition),
        tasks=tuple(sorted(entry.task for entry in _entries(workflow))),
    )


def _count_states(node: Any) -> int:
    states = node.get("States", {}) if isinstance(node, Mapping) else {}
    return sum(
        1
        + sum(map(_count_states, state.get("Branches", ())))
        + _count_states(state.get("ItemProcessor", state.get("Iterator")))
        for state in states.values()
    )


def _entries(workflow: str) -> list[CatalogEntry]:
    return [entry for entry in registered_project().catalog.values() if entry.workflow == workflow]


def _contract(entry: CatalogEntry) -> Contract:
    return Contract(entry.task, tuple(_input(name, value) for name, value in entry.parameters.items()))


def _input(name: str, parameter: Parameter) -> Input:
    limits = parameter.as_words()
    for named in ("type", "required"):
        limits.pop(named, None)
    words = ", ".join(f"{key} {value}" for key, value in limits.items())
    return Input(name, parameter.type, parameter.required, words)


def _measured(machines: list[Machine], records: QuerySet[TaskRecord], now: datetime) -> list[Machine]:
    recent = records.filter(enqueued_at__gte=now - WEEK).order_by().values("workflow")
    of_day = Q(enqueued_at__gte=now - DAY)
    measured = {
        row["workflow"]: row
        for row in recent.annotate(
            week_tasks=Count("*"),
            week_ended=Count("enqueued_at", filter=_ENDED),
            week_succeeded=Count("enqueued_at", filter=_SUCCEEDED),
            day_tasks=Count("enqueued_at", filter=of_day),
            day_ended=Count("enqueued_at", filter=of_day & _ENDED),
            day_succeeded=Count("enqueued_at", filter=of_day & _SUCCEEDED),
            newest=Max("enqueued_at", filter=_AT_AWS),
        )
    }
    medians = _medians(recent)
    running = _running(records)
    newest = _newest_of({name: row["newest"] for name, row in measured.items() if row["newest"]})
    return [
        _with_execution(
            _with_counts(machine, measured.get(machine.workflow), running, medians), newest.get(machine.workflow)
        )
        for machine in machines
    ]


def _medians(recent: QuerySet[TaskRecord, Any]) -> Mapping[str, timedelta]:
    """Return how long half of what succeeded took. By itself: counting needs no order, and so takes a third."""
    took = recent.filter(_SUCCEEDED).annotate(median=_Median(F("finished_at") - F("started_at")))
    return {row["workflow"]: row["median"] for row in took if row["median"] is not None}


def _running(records: QuerySet[TaskRecord]) -> Mapping[str, int]:
    counted = records.filter(status=TaskStatus.RUNNING).order_by().values("workflow").annotate(n=Count("*"))
    return {row["workflow"]: row["n"] for row in counted}


def _with_counts(
    machine: Machine,
    row: Mapping[str, Any] | None,
    running: Mapping[str, int],
    medians: Mapping[str, timedelta],
) -> Machine:
    counted = replace(machine, running=running.get(machine.workflow, 0))
    if row is None:
        return counted
    median = medians.get(machine.workflow)
    return replace(
        counted,
        day=TaskCounts(row["day_tasks"], row["day_ended"], row["day_succeeded"]),
        week=TaskCounts(row["week_tasks"], row["week_ended"], row["week_succeeded"]),
        median_seconds=None if median is None else median.total_seconds(),
    )


def _newest_of(moments: Mapping[str, datetime]) -> dict[str, tuple[str, str]]:
    """Return the execution and its version of the newest record of each workflow, found by when it was recorded."""
    rows = TaskRecord.objects.filter(_AT_AWS, enqueued_at__in=moments.values()).order_by()
    named = rows.values_list("workflow", "enqueued_at", "execution_arn", "state_machine_version_arn")
    return {workflow: (arn, version) for workflow, at, arn, version in named if moments.get(workflow) == at}


def _newest(workflow: str) -> tuple[str, str] | None:
    """Return the newest execution of a workflow that has not run for a week.

    By its tasks' names, which have an index; those without a workflow of their own are too many to name.
    """
    records = TaskRecord.objects.filter(_AT_AWS, workflow=workflow).order_by("-enqueued_at", "-id")
    if workflow != RUN_TASK:
        records = records.filter(task__in=[entry.task for entry in _entries(workflow)])
    return records.values_list("execution_arn", "state_machine_version_arn").first()


def _with_execution(machine: Machine, newest: tuple[str, str] | None) -> Machine:
    if newest is None:
        return machine
    arn, version = newest
    return replace(machine, arn=state_machine_arn(arn), version=version.rpartition(":")[2])
