"""State machines as deployed at Step Functions, and statistics of their workflows' tasks.

The deployed data takes four calls and is cached for half a minute; errors of Step Functions become a sentence. The
rest comes from the records and the catalog. The ARN of a state machine is derived from its newest execution, so no
setting can contradict it.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, DurationField, F, Max, Q, QuerySet

from qu_workflows.caching import Cache
from qu_workflows.executions.redrivability import at_step_functions
from qu_workflows.executions.step_functions import AT_ONCE, ask
from qu_workflows.protocol.catalog import RUN_TASK, CatalogEntry, Parameter
from qu_workflows.protocol.definitions import definition_of
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

LIVE = "live"  # the alias by which the dispatcher starts executions
SHOWN_VERSIONS = 20
DAY, WEEK = timedelta(days=1), timedelta(days=7)
_KEPT_SECONDS, _UNANSWERED_SECONDS = 30.0, 10.0
_SUCCEEDED = Q(status=TaskStatus.SUCCEEDED)
_ENDED = Q(status__in=(TaskStatus.SUCCEEDED, *UNSUCCESSFUL))
_NEWEST_FIRST = ("-enqueued_at", "-id")


@dataclass(frozen=True)
class Version:
    """A published version of a state machine."""

    number: str
    created_at: datetime


@dataclass(frozen=True)
class AliasRoute:
    """The percentage of executions that an alias starts on a version."""

    version: str
    weight: int


@dataclass(frozen=True)
class Alias:
    """An alias of a state machine."""

    name: str
    routes: tuple[AliasRoute, ...]
    updated_at: datetime | None


@dataclass(frozen=True)
class DeployedStateMachine:
    """A deployed state machine; ``unanswered`` is the reason for missing parts.

    ``definition`` is that of the live version, or the latest one without an alias "live".
    """

    arn: str = ""
    definition: Mapping[str, Any] | None = None
    versions: tuple[Version, ...] = ()
    aliases: tuple[Alias, ...] = ()
    unanswered: str = ""

    @property
    def live_version(self) -> str:
        """The version on which the alias "live" starts most executions, "" if unknown."""
        live = next((alias for alias in self.aliases if alias.name == LIVE), None)
        return max(live.routes, key=lambda route: route.weight).version if live and live.routes else ""


@dataclass(frozen=True)
class TaskCounts:
    """Counts of tasks in a period."""

    tasks: int = 0
    ended: int = 0
    succeeded: int = 0

    @property
    def success_rate(self) -> float | None:
        """The share of ended tasks that succeeded, None without any."""
        return self.succeeded / self.ended if self.ended else None


@dataclass(frozen=True)
class StateMachine:
    """A workflow in the list.

    ``arn`` and ``version`` are those of its newest execution, "" without one.
    ``median_seconds`` is the median duration of the week's successful executions.
    """

    workflow: str
    comment: str
    states: int
    tasks: tuple[str, ...]
    day: TaskCounts
    week: TaskCounts
    running: int
    median_seconds: float | None
    arn: str
    version: str


@dataclass(frozen=True)
class Input:
    """A value of a task's payload. ``limits`` are in JSON Schema's terms."""

    name: str
    type: str
    required: bool
    limits: str


@dataclass(frozen=True)
class WorkflowContract:
    """A task of a workflow, and the values of its payload."""

    task: str
    inputs: tuple[Input, ...]


class _Median(Aggregate):
    """The median in PostgreSQL; NULL in SQLite, which lacks it."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)%(filter)s"
    output_field = DurationField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        del compiler, connection, extra
        return "NULL", ()


def state_machine_arn(execution_arn: str) -> str:
    """Return the ARN of the state machine of an execution."""
    machine, _colon, _name = execution_arn.rpartition(":")
    return machine.replace(":execution:", ":stateMachine:", 1)


def deployed(arn: str) -> DeployedStateMachine:
    """Return a deployed state machine, at most half a minute old. Never raises."""
    cached = _cache.get(arn)
    return cached.value or DeployedStateMachine(arn, unanswered=cached.unanswered)


def clear_state_machines() -> None:
    """Clear the cache."""
    _cache.clear()


def list_machines(now: datetime) -> list[StateMachine]:
    """Return every workflow, in four queries."""
    return _machines(registered_project().workflows, TaskRecord.objects.all(), now)


def find_machine(workflow: str, now: datetime) -> StateMachine:
    """Return one workflow. Raises OperationRefused for an unknown name."""
    names = registered_project().workflows
    if workflow not in names:
        raise OperationRefused(workflow[:80], "does not exist.", f"Use one of {', '.join(sorted(names))}.")
    (found,) = _machines([workflow], TaskRecord.objects.filter(workflow=workflow), now)
    newest = None if found.arn else _newest_of(workflow)
    return replace(found, arn=state_machine_arn(newest[0]), version=_version(newest[1])) if newest else found


def contracts_of(workflow: str) -> list[WorkflowContract]:
    """Return the tasks of a workflow, each with the values of its payload."""
    return [
        WorkflowContract(entry.task, tuple(_input(name, value) for name, value in entry.parameters.items()))
        for entry in _entries(workflow)
    ]


def _read(arn: str, _before: DeployedStateMachine | None) -> DeployedStateMachine:
    aliases: tuple[Alias, ...] = ()
    versions: tuple[Version, ...] = ()
    try:
        aliases = _aliases(arn)
        versions = _versions(arn)
        live = DeployedStateMachine(arn, aliases=aliases).live_version
        definition = _definition(f"{arn}:{live}" if live else arn)
    except OperationRefused as refused:
        return DeployedStateMachine(arn, None, versions, aliases, str(refused))
    return DeployedStateMachine(arn, definition, versions, aliases)


_cache: Cache[str, DeployedStateMachine] = Cache(
    "Step Functions", _read, lambda found: _UNANSWERED_SECONDS if found.unanswered else _KEPT_SECONDS
)


def _definition(arn: str) -> Mapping[str, Any] | None:
    shown = ask(arn, lambda client: client.describe_state_machine(stateMachineArn=arn), AT_ONCE)
    try:
        found: Mapping[str, Any] = json.loads(shown["definition"])
    except ValueError:
        return None
    return found


def _versions(arn: str) -> tuple[Version, ...]:
    shown = ask(
        arn, lambda client: client.list_state_machine_versions(stateMachineArn=arn, maxResults=SHOWN_VERSIONS), AT_ONCE
    )
    return tuple(
        Version(_version(each["stateMachineVersionArn"]), each["creationDate"])
        for each in shown["stateMachineVersions"]
    )


def _aliases(arn: str) -> tuple[Alias, ...]:
    """Return the aliases, one call each, since the list lacks their routes."""
    shown = ask(arn, lambda client: client.list_state_machine_aliases(stateMachineArn=arn), AT_ONCE)
    return tuple(_alias(each["stateMachineAliasArn"]) for each in shown["stateMachineAliases"])


def _alias(arn: str) -> Alias:
    shown = ask(arn, lambda client: client.describe_state_machine_alias(stateMachineAliasArn=arn), AT_ONCE)
    routes = shown["routingConfiguration"]
    return Alias(
        shown["name"],
        tuple(AliasRoute(_version(each["stateMachineVersionArn"]), each["weight"]) for each in routes),
        shown.get("updateDate"),
    )


def _version(version_arn: str) -> str:
    return version_arn.rpartition(":")[2]


def _machines(workflows: Sequence[str], records: QuerySet[TaskRecord], now: datetime) -> list[StateMachine]:
    recent = records.filter(enqueued_at__gte=now - WEEK).order_by().values("workflow")
    of_day = Q(enqueued_at__gte=now - DAY)
    counted: dict[str, Mapping[str, Any]] = {
        row["workflow"]: row
        for row in recent.annotate(
            week_tasks=Count("*"),
            week_ended=Count("enqueued_at", filter=_ENDED),
            week_succeeded=Count("enqueued_at", filter=_SUCCEEDED),
            day_tasks=Count("enqueued_at", filter=of_day),
            day_ended=Count("enqueued_at", filter=of_day & _ENDED),
            day_succeeded=Count("enqueued_at", filter=of_day & _SUCCEEDED),
            newest=Max("enqueued_at", filter=at_step_functions()),
        )
    }
    # A separate query: without sorting, the counts take a third of the time.
    took = recent.filter(_SUCCEEDED).annotate(median=_Median(F("finished_at") - F("started_at")))
    medians = {row["workflow"]: row["median"].total_seconds() for row in took if row["median"] is not None}
    running = records.filter(status=TaskStatus.RUNNING).order_by().values_list("workflow").annotate(n=Count("*"))
    return _built(workflows, counted, medians, dict(running))


def _built(
    workflows: Sequence[str],
    counted: Mapping[str, Mapping[str, Any]],
    medians: Mapping[str, float],
    running: Mapping[str, int],
) -> list[StateMachine]:
    newest = _newest_at({name: row["newest"] for name, row in counted.items() if row["newest"]})
    machines = []
    for workflow in workflows:
        definition, row = _definition_in_files(workflow), counted.get(workflow)
        arn, version_arn = newest.get(workflow, ("", ""))
        machines.append(
            StateMachine(
                workflow=workflow,
                comment=str(definition.get("Comment", "")),
                states=_count_states(definition),
                tasks=tuple(sorted(entry.task for entry in _entries(workflow))),
                day=TaskCounts(row["day_tasks"], row["day_ended"], row["day_succeeded"]) if row else TaskCounts(),
                week=TaskCounts(row["week_tasks"], row["week_ended"], row["week_succeeded"]) if row else TaskCounts(),
                running=running.get(workflow, 0),
                median_seconds=medians.get(workflow),
                arn=state_machine_arn(arn),
                version=_version(version_arn),
            )
        )
    return machines


def _newest_at(moments: Mapping[str, datetime]) -> dict[str, tuple[str, str]]:
    """Return the ARN and version of the newest execution of each workflow, by its time."""
    rows = TaskRecord.objects.filter(at_step_functions(), enqueued_at__in=moments.values()).order_by()
    named = rows.values_list("workflow", "enqueued_at", "execution_arn", "state_machine_version_arn")
    return {workflow: (arn, version) for workflow, at, arn, version in named if moments.get(workflow) == at}


def _newest_of(workflow: str) -> tuple[str, str] | None:
    """Return a workflow's newest execution of more than a week ago, by indexed task names."""
    records = TaskRecord.objects.filter(at_step_functions(), workflow=workflow).order_by(*_NEWEST_FIRST)
    if workflow != RUN_TASK:
        records = records.filter(task__in=[entry.task for entry in _entries(workflow)])
    return records.values_list("execution_arn", "state_machine_version_arn").first()


def _definition_in_files(workflow: str) -> Mapping[str, Any]:
    try:
        return definition_of(workflow)
    except (OSError, ValueError):
        return {}


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


def _input(name: str, parameter: Parameter) -> Input:
    limits = {key: value for key, value in parameter.as_words().items() if key not in ("type", "required")}
    return Input(name, parameter.type, parameter.required, ", ".join(f"{key} {value}" for key, value in limits.items()))
