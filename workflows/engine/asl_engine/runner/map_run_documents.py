"""What is kept of a Map Run: documents of the store.

"map_run": as DescribeMapRun answers, times in milliseconds; its parent is the execution's ARN.
"map_run_order": all that it needs to begin again, after a crash or for a redrive; its parent is OPEN
while it runs. "map_run_children": the children's inputs, once they are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, uuid5

from asl_engine.core.commands import RedriveMapRun, StartMapRun
from asl_engine.core.map_run import Child, MapRun, MapRunSettings
from asl_engine.core.saved import map_run_from_row, map_run_to_row
from asl_engine.jsontext import Json
from asl_engine.store import Store
from asl_engine.store.records import Document

MAP_RUN, PLAN, CHILDREN = "map_run", "map_run_order", "map_run_children"
OPEN, ENDED = "open", "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRunPlan:
    """What a Map Run is to do, and which branch waits for it. ``redriven_ms`` is when it was last redriven."""

    arn: str
    execution_arn: str
    branch_id: int
    token: int
    settings: MapRunSettings
    items: list[Json] | None
    start_ms: int
    redrive_count: int = 0
    redriven_ms: int | None = None

    def document(self, parent: str = OPEN) -> Document:
        """Return the order as it is saved."""
        body = {name: getattr(self, name) for name in self.__slots__}
        return Document(PLAN, self.arn, {**body, "settings": map_run_to_row(self.settings)}, parent)

    def description(self, status: str, run: MapRun | None, stop_ms: int | None = None) -> Document:
        """Return the Map Run as it is described."""
        settings = self.settings
        body: dict[str, Json] = {
            "mapRunArn": self.arn,
            "executionArn": self.execution_arn,
            "status": status,
            "startDate": self.start_ms,
            "stopDate": stop_ms,
            "maxConcurrency": settings.max_concurrency if run is None else run.max_concurrency,
            "toleratedFailurePercentage": (settings if run is None else run).tolerated_failure_percentage or 0,
            "toleratedFailureCount": (settings if run is None else run).tolerated_failure_count or 0,
            "itemCounts": counts({} if run is None else run.item_count()),
            "executionCounts": counts({} if run is None else run.execution_count()),
            "redriveCount": self.redrive_count,
            "redriveDate": self.redriven_ms,
        }
        return Document(MAP_RUN, self.arn, body, self.execution_arn, f"{self.start_ms:020d}")


def counts(known: Mapping[str, int]) -> dict[str, int]:
    """Return the API's counts, those that are not known as 0."""
    names = ("pending", "pendingRedrive", "running", "succeeded", "failed", "timedOut", "aborted", "total")
    return {name: known.get(name, 0) for name in (*names, "resultsWritten", "failuresNotRedrivable")}


def plan_of(body: Mapping[str, Json]) -> MapRunPlan:
    """Return the order that a document holds."""
    return MapRunPlan(**{**body, "settings": map_run_from_row(body["settings"])})


def new_plan(execution_arn: str, command: StartMapRun, now_ms: int) -> MapRunPlan:
    """Return the order of a Map Run that is about to start."""
    return MapRunPlan(
        arn=command.map_run_arn,
        execution_arn=execution_arn,
        branch_id=command.branch_id,
        token=command.token,
        settings=command.settings,
        items=command.items,
        start_ms=now_ms,
    )


def redriven_plan(store: Store, command: RedriveMapRun, now_ms: int) -> MapRunPlan:
    """Return the order of a Map Run that is about to run again."""
    document = store.document(PLAN, command.map_run_arn)
    if document is None:
        raise LookupError(f"The store has no Map Run {command.map_run_arn}.")
    before = plan_of(document.body)
    return replace(
        before,
        branch_id=command.branch_id,
        token=command.token,
        redrive_count=before.redrive_count + 1,
        redriven_ms=now_ms,
    )


def children_document(arn: str, children: Sequence[Child]) -> Document:
    """Return the children as they are saved."""
    return Document(CHILDREN, arn, [list(child) for child in children])


def saved_children(store: Store, arn: str) -> list[Child] | None:
    """Return the children that were saved, or None."""
    document = store.document(CHILDREN, arn)
    return None if document is None else [Child(*child) for child in document.body]


def child_names(plan: MapRunPlan, number: int, *, express: bool) -> tuple[str, str, str]:
    """Return a child execution's ARN, name and state machine: always the same for the same number."""
    *place, _, owner, run = plan.arn.split(":")
    name = str(uuid5(NAMESPACE_URL, f"{plan.arn}#{number}"))
    kind, tail = ("express", f"{name}:{run}") if express else ("execution", name)
    head = ":".join(place)
    return f"{head}:{kind}:{owner}:{tail}", name, f"{head}:stateMachine:{owner}"
