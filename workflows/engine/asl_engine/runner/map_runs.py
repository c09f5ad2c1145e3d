"""Map Runs: a distributed Map's items, each in a child execution of its own.

Core's ``MapRun`` decides which children run. This module reads items, starts and stops children, and collects
results. Everything needed to continue is saved with the parent's step; a child's name derives from the Map Run's
ARN, so that a restart finds the children of before. Kinds of document:

- "map_run": DescribeMapRun's answer, times in milliseconds; its parent is the execution's ARN.
- "map_run_order": the plan, from which a Map Run starts again after a crash or for a redrive; its parent is
  OPEN while it runs.
- "map_run_children": the children's inputs, once they are known.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import NAMESPACE_URL, uuid5

from asl_engine.adapters.map_files import read_items, transformed, write_results
from asl_engine.adapters.performer import TaskError
from asl_engine.adapters.services import ServiceClients
from asl_engine.clock import Clock
from asl_engine.core.commands import RedriveMapRun, StartMapRun
from asl_engine.core.events import MapRunEnded, Redrive, Stop
from asl_engine.core.execution import Phase, Status
from asl_engine.core.items import Items
from asl_engine.core.map_run import (
    MAX_REDRIVES,
    TOLERANCE_EXCEEDED,
    Child,
    MapRun,
    MapRunSettings,
    MapRunStep,
    children_of,
)
from asl_engine.core.redrivability import RedriveStatus
from asl_engine.core.redrive import redrive_status
from asl_engine.core.saved import map_run_from_row, map_run_to_row
from asl_engine.core.work import Work
from asl_engine.definition.program import MapState
from asl_engine.errors import EXCEED_TOLERATED_FAILURE_THRESHOLD, RUNTIME, StateFailed
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner.event_loop import Inbox, Message
from asl_engine.runner.listeners import StatusListeners
from asl_engine.runner.open_executions import OpenExecution
from asl_engine.runner.tasks import WorkerPool
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionFilter, ExecutionRecord

logger = logging.getLogger(__name__)

MAP_RUN, PLAN, CHILDREN = "map_run", "map_run_order", "map_run_children"
OPEN, ENDED = "open", "ended"
_COUNTS = ("pending", "pendingRedrive", "running", "succeeded", "failed", "timedOut", "aborted", "total")
_WRITTEN = ("succeeded", "failed", "timedOut", "aborted")
_NO_COUNTS = dict.fromkeys((*_COUNTS, "resultsWritten", "failuresNotRedrivable"), 0)

# Makes the message that starts a child, from its record, its definition and the parent.
type NewChild = Callable[[ExecutionRecord, str, OpenExecution, Child], Message]
_ERRORS_BESIDE_RESULTS = (None, EXCEED_TOLERATED_FAILURE_THRESHOLD)

type MapRunCommand = StartMapRun | RedriveMapRun


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRunPlan:
    """A Map Run's settings, times, and the branch that waits for it."""

    arn: str
    execution_arn: str
    branch_id: int
    token: int
    settings: MapRunSettings
    items: Items | None
    start_ms: int
    redrive_count: int = 0
    redriven_ms: int | None = None

    def document(self, parent: str = OPEN) -> Document:
        """Return the plan's document."""
        body = {name: getattr(self, name) for name in self.__slots__}
        return Document(PLAN, self.arn, {**body, "settings": map_run_to_row(self.settings)}, parent)

    def description(
        self, status: str, run: MapRun | None, stop_ms: int | None = None, *, has_written: bool = False
    ) -> Document:
        """Return the document of DescribeMapRun's answer."""
        current = self.settings if run is None else run
        items, executions = ({}, {}) if run is None else run.counts()
        if has_written:
            for counts in (items, executions):
                counts["resultsWritten"] = sum(counts[name] for name in _WRITTEN)
        body: dict[str, Json] = {
            "mapRunArn": self.arn,
            "executionArn": self.execution_arn,
            "status": status,
            "startDate": self.start_ms,
            "stopDate": stop_ms,
            "maxConcurrency": current.max_concurrency,
            "toleratedFailurePercentage": current.tolerated_failure_percentage or 0,
            "toleratedFailureCount": current.tolerated_failure_count or 0,
            "itemCounts": {**_NO_COUNTS, **items},
            "executionCounts": {**_NO_COUNTS, **executions},
            "redriveCount": self.redrive_count,
            "redriveDate": self.redriven_ms,
        }
        return Document(MAP_RUN, self.arn, body, self.execution_arn, f"{self.start_ms:020d}")

    @property
    def writes_results(self) -> bool:
        """True if a ResultWriter writes to S3."""
        return bool((self.settings.writer or {}).get("resource"))

    def child_names(self, number: int) -> tuple[str, str, str]:
        """Return a child execution's ARN, name and state machine; equal numbers give equal names."""
        *place, _, owner, run = self.arn.split(":")
        name = str(uuid5(NAMESPACE_URL, f"{self.arn}#{number}"))
        kind, tail = ("express", f"{name}:{run}") if self.settings.express else ("execution", name)
        head = ":".join(place)
        return f"{head}:{kind}:{owner}:{tail}", name, f"{head}:stateMachine:{owner}"


def _plan_of(body: Mapping[str, Json]) -> MapRunPlan:
    return MapRunPlan(**{**body, "settings": map_run_from_row(body["settings"])})


@dataclass(slots=True)
class _Live:
    """A Map Run under way. ``run`` is None until its items are read.

    ``following`` is its redrive that began while children of the stopped run were still ending.
    """

    plan: MapRunPlan
    parent: OpenExecution
    state: MapState
    definition: str
    children: list[Child] = field(default_factory=list)
    known: set[int] = field(default_factory=set)  # children already in the store
    run: MapRun | None = None
    cancelled: bool = False
    following: "_Live | None" = None

    def is_of(self, execution_arn: str, token: int) -> bool:
        return (self.plan.execution_arn, self.plan.token) == (execution_arn, token)

    def ended(self, output: Json = None, error: str | None = None, cause: str | None = None) -> MapRunEnded:
        return MapRunEnded(self.plan.branch_id, self.plan.token, output, error, cause)


class MapRuns:
    """The Map Runs under way."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        draw: Callable[[], float],
        *,
        pool: WorkerPool,
        inbox: Inbox,
        status_listeners: StatusListeners,
        new_child: NewChild,
        clients: ServiceClients,
    ) -> None:
        self._store, self._clock, self._draw, self._pool, self._inbox = store, clock, draw, pool, inbox
        self._status_listeners, self._new_child, self._clients = status_listeners, new_child, clients
        self._lock = threading.RLock()
        self._live: dict[str, _Live] = {}

    # --- beginning ---

    def documents(self, opened: OpenExecution, command: MapRunCommand) -> list[Document]:
        """Return the documents to save with the parent's step."""
        now_ms, arn = self._clock.now_ms(), command.map_run_arn
        branch_id, token = command.branch_id, command.token
        if isinstance(command, StartMapRun):
            plan = MapRunPlan(
                arn=arn,
                execution_arn=opened.record.arn,
                branch_id=branch_id,
                token=token,
                settings=command.settings,
                items=command.items,
                start_ms=now_ms,
            )
        else:
            document = self._store.document(PLAN, arn)
            if document is None:
                raise LookupError(
                    f"The store has no Map Run {arn}: an execution refers to it, so the store is damaged."
                )
            old = _plan_of(document.body)
            count = old.redrive_count + 1
            plan = replace(old, branch_id=branch_id, token=token, redrive_count=count, redriven_ms=now_ms)
        return [plan.document(), plan.description("RUNNING", None)]

    def begin(self, opened: OpenExecution, map_run_arn: str) -> None:
        """Begin or resume a Map Run by its saved plan."""
        document = self._store.document(PLAN, map_run_arn)
        if document is None or document.parent != OPEN:
            return
        plan = _plan_of(document.body)
        branch = opened.execution.branches.get(plan.branch_id)
        if branch is None or branch.token != plan.token:
            return
        state = Work(opened.program, opened.execution, 0, self._draw).state_of(branch)
        assert isinstance(state, MapState)  # noqa: S101  no other state has a Map Run
        live = _Live(plan, opened, state, _definition(opened, state))
        with self._lock:
            before = self._live.setdefault(map_run_arn, live)
            if before is not live:
                before.following = live
                return
        self._pool.do(partial(self._prepare, live))

    def stop_strays(self) -> set[str]:
        """Stop children that a crash left running after their parent closed; return their ARNs."""
        strays: set[str] = set()
        for document in self._store.documents(PLAN, OPEN, limit=sys.maxsize):
            plan = _plan_of(document.body)
            if self._is_wanted(plan):
                continue
            running = ExecutionFilter(map_run_arn=plan.arn, status="RUNNING")
            strays.update(record.arn for record in self._store.executions(running, limit=sys.maxsize))
            self._store.put_document(plan.description("ABORTED", None, self._clock.now_ms()))
            self._store.put_document(plan.document(ENDED))
        for arn in strays:
            self._inbox.put(Message(arn, Stop()))
        return strays

    def _is_wanted(self, plan: MapRunPlan) -> bool:
        saved = self._store.load(plan.execution_arn)
        row = None if saved is None else saved.branches.get(plan.branch_id)
        return row is not None and (row["phase"], row["token"]) == (Phase.MAP_RUN, plan.token)

    def _prepare(self, live: _Live) -> None:
        """Read the items and start the first children, in a thread of the pool."""
        try:
            if live.plan.redrive_count > MAX_REDRIVES:
                raise StateFailed(RUNTIME, f"A Map Run cannot be redriven more than {MAX_REDRIVES} times.")
            self._read_children(live)
        except StateFailed as failure:
            self._report(live, live.ended(None, failure.error, failure.cause))
        except Exception as fault:
            logger.exception("%s: an engine fault while reading the items; the Map Run fails.", live.plan.arn)
            self._report(live, live.ended(None, RUNTIME, repr(fault)))
        else:
            with self._lock:
                if not live.cancelled:
                    self._start_children(live)

    def _read_children(self, live: _Live) -> None:
        plan = live.plan
        saved = self._store.document(CHILDREN, plan.arn)
        if saved is not None:
            live.children = [Child(*child) for child in saved.body]
            return
        items = plan.items
        reader = plan.settings.reader
        if items is None and reader is not None:
            items = read_items(reader["resource"], reader["parameters"], reader["config"], self._clients)
        live.children = children_of(live.state, plan.settings, items or [], self._draw, self._clock.now_ms())
        self._store.put_document(Document(CHILDREN, plan.arn, [list(child) for child in live.children]))

    def _start_children(self, live: _Live) -> None:
        """Start the children, except those that ran before a crash or a redrive."""
        settings = live.plan.settings
        closed: dict[int, str] = {}
        statuses = [self._status_of(live, number, closed) for number in range(len(live.children))]
        live.run = run = MapRun(
            max_concurrency=settings.max_concurrency,
            tolerated_failure_count=settings.tolerated_failure_count,
            tolerated_failure_percentage=settings.tolerated_failure_percentage,
            item_counts=[child.item_count for child in live.children],
            statuses=statuses,
            redrive_count=live.plan.redrive_count,
        )
        running = [number for number, status in enumerate(statuses) if status == "RUNNING" and number not in closed]
        for number, status in closed.items():
            self._do(live, run.child_ended(number, status))
        if not run.is_failing:
            self._do(live, run.begin())
        for number in running:
            self._status_listeners.when_closed(
                live.plan.child_names(number)[0], partial(self._child_closed, live, number)
            )

    def _status_of(self, live: _Live, number: int, closed: dict[int, str]) -> str:
        """Return a child's status. A failed one counts as running until reported."""
        record = self._store.execution(live.plan.child_names(number)[0])
        if record is None:
            return Status.PENDING
        live.known.add(number)
        if record.status in ("RUNNING", "SUCCEEDED"):
            return record.status
        redriven_ms = live.plan.redriven_ms
        if redriven_ms is not None and record.stop_ms is not None and record.stop_ms <= redriven_ms:
            return Status.PENDING_REDRIVE
        closed[number] = record.status
        return "RUNNING"

    # --- children ---

    def _do(self, live: _Live, step: MapRunStep) -> None:
        for number in step.start:
            self._start(live, number)
        for number in step.stop:
            self._inbox.put(Message(live.plan.child_names(number)[0], Stop()))
        if step.ended is not None:
            self._pool.do(partial(self._end, live, step.ended))

    def _start(self, live: _Live, number: int) -> None:
        arn, name, machine = live.plan.child_names(number)
        child, express = live.children[number], live.plan.settings.express
        self._status_listeners.when_next_closed(arn, partial(self._child_closed, live, number))
        if number in live.known and not express:
            self._inbox.put(Message(arn, self._redrive_of_child))
            return
        record = ExecutionRecord(
            arn=arn,
            state_machine_arn=machine,
            name=name,
            input=dumps(child.input),
            definition="",
            start_ms=self._clock.now_ms(),
            map_run_arn=live.plan.arn,
            express=express,
        )
        message = self._new_child(record, live.definition, live.parent, child)
        message.replaces = number in live.known
        self._inbox.put(message)

    def _redrive_of_child(self, opened: OpenExecution) -> Redrive | None:
        """Return the child's redrive; if AWS forbids it, report its old end."""
        execution = opened.execution
        status, _ = redrive_status(execution, self._clock.now_ms())
        if status is RedriveStatus.REDRIVABLE_BY_MAP_RUN:
            return Redrive()
        if execution.status is not Status.RUNNING:
            self._status_listeners.notify_closed(opened.record)
        return None

    def _child_closed(self, live: _Live, number: int, record: ExecutionRecord) -> None:
        with self._lock:
            if live.run is not None:
                self._do(live, live.run.child_ended(number, record.status))

    def cancel(self, execution_arn: str, token: int) -> None:
        """Stop the Map Run of a branch that no longer waits for it."""
        with self._lock:
            for live in list(self._live.values()):
                if live.is_of(execution_arn, token):
                    self._abort(live)
                elif live.following is not None and live.following.is_of(execution_arn, token):
                    live.following.cancelled = True

    def _abort(self, live: _Live) -> None:
        live.cancelled = True
        if live.run is not None:
            self._do(live, live.run.abort())
        else:
            self._pool.do(partial(self._end, live, Status.ABORTED))

    # --- the end ---

    def _end(self, live: _Live, status: Status) -> None:
        """Collect or write the results and report the end, in a thread of the pool."""
        output, error, cause = None, None, None
        if status is Status.FAILED:
            error, cause = EXCEED_TOLERATED_FAILURE_THRESHOLD, TOLERANCE_EXCEEDED
        if status is not Status.ABORTED:
            try:
                output = self._results(live)
            except TaskError as failure:
                error, cause = failure.error, failure.cause
        self._report(live, live.ended(output, error, cause), status)

    def _results(self, live: _Live) -> Json:
        writer = live.plan.settings.writer or {}
        config = writer.get("config") or {}
        if live.plan.writes_results:
            return write_results(writer["parameters"], config, live.plan.arn, self._records(live), self._clients)
        outputs = [loads(one.output) for one in self._records(live) if one.output is not None]
        return transformed(outputs, config.get("Transformation") or "NONE")

    def _records(self, live: _Live) -> Iterator[ExecutionRecord]:
        for number in range(len(live.children)):
            record = self._store.execution(live.plan.child_names(number)[0])
            if record is not None:
                yield record

    def _report(self, live: _Live, event: MapRunEnded, status: str = "FAILED") -> None:
        """Report the end to the parent, whose step saves the Map Run's end too."""
        plan = live.plan
        status = "FAILED" if event.error is not None else status
        has_written = plan.writes_results and status != Status.ABORTED and event.error in _ERRORS_BESIDE_RESULTS
        description = plan.description(status, live.run, self._clock.now_ms(), has_written=has_written)
        documents = [plan.document(ENDED), description]
        with self._lock:
            if self._live.get(plan.arn) is not live:
                return  # reported already
            del self._live[plan.arn]
            if live.following is not None:
                self._follow(live.following)
                return
        self._inbox.put(Message(plan.execution_arn, event, documents=documents))

    def _follow(self, live: _Live) -> None:
        """Begin a redrive that waited for the children of the run before it."""
        live.plan = replace(live.plan, redriven_ms=self._clock.now_ms())
        self._store.put_document(live.plan.document())
        self._live[live.plan.arn] = live
        self._pool.do(partial(self._end, live, Status.ABORTED) if live.cancelled else partial(self._prepare, live))

    # --- the API ---

    def describe(self, arn: str) -> dict[str, Json] | None:
        """Return DescribeMapRun's answer with times in milliseconds, or None."""
        with self._lock:
            live = self._live.get(arn)
            if live is not None and live.run is not None:
                return dict(live.plan.description("RUNNING", live.run).body)
        document = self._store.document(MAP_RUN, arn)
        return None if document is None else dict(document.body)

    def update(self, arn: str, **settings: Json) -> bool:
        """Change max_concurrency or tolerated failures of a running Map Run; return whether it runs."""
        with self._lock:
            live = self._live.get(arn)
            if live is None or live.run is None:
                return False
            for name, value in settings.items():
                setattr(live.run, name, value)
            live.plan = replace(live.plan, settings=replace(live.plan.settings, **settings))
            self._store.put_document(live.plan.document())
            if not live.run.is_failing:
                self._do(live, live.run.begin())
            return True


def _definition(opened: OpenExecution, state: MapState) -> str:
    """Return the children's definition: the item processor, in the state machine's query language."""
    machine = opened.program.raw
    language = {"QueryLanguage": machine["QueryLanguage"]} if "QueryLanguage" in machine else {}
    return dumps({**language, **state.processor.raw})
