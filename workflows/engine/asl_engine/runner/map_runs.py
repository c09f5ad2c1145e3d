"""Map Runs: a distributed Map's items, each in a child execution of its own.

The turn-taking is core's (``MapRun``). Here items are read, children started and stopped, and results put
together. All that is needed to go on is saved with the parent's step; the children are executions, whose
names follow from the Map Run's, so that a restart finds how far each has come.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from asl_engine.adapters.map_files import read_items, transformed, write_results
from asl_engine.adapters.performer import TaskError
from asl_engine.adapters.services import ServiceClients
from asl_engine.clock import Clock
from asl_engine.core.commands import RedriveMapRun, StartMapRun
from asl_engine.core.events import MapRunEnded, Redrive, Stop
from asl_engine.core.execution import Phase, Status
from asl_engine.core.map_run import (
    MAX_REDRIVES,
    Child,
    MapRun,
    MapRunEnd,
    MapRunStep,
    children_of,
)
from asl_engine.core.redrivability import RedriveStatus
from asl_engine.core.redrive import redrive_status
from asl_engine.core.work import Work
from asl_engine.definition.program import MapState
from asl_engine.errors import RUNTIME, StateFailed
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner.listeners import StatusListeners
from asl_engine.runner.map_run_documents import (
    ENDED,
    OPEN,
    PLAN,
    MapRunPlan,
    child_names,
    children_document,
    new_plan,
    plan_of,
    redriven_plan,
    saved_children,
)
from asl_engine.runner.messages import Inbox, Message
from asl_engine.runner.open_executions import OpenExecution
from asl_engine.runner.pool import WorkerPool
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionFilter, ExecutionRecord

logger = logging.getLogger(__name__)

# Makes the message that starts a child, of its record, definition and the parent.
type NewChild = Callable[[ExecutionRecord, str, OpenExecution, Child], Message]
type MapRunCommand = StartMapRun | RedriveMapRun


@dataclass(slots=True)
class _Live:
    """A Map Run under way. ``run`` is None until its items are read.

    ``following`` is its redrive, when that came while the children of a stopped one were still ending.
    """

    plan: MapRunPlan
    parent: OpenExecution
    state: MapState
    definition: str
    children: list[Child] = field(default_factory=list)
    known: set[int] = field(default_factory=set)  # children that the store has from before
    run: MapRun | None = None
    cancelled: bool = False
    following: "_Live | None" = None

    def is_of(self, execution_arn: str, token: int) -> bool:
        return (self.plan.execution_arn, self.plan.token) == (execution_arn, token)

    def names(self, number: int) -> tuple[str, str, str]:
        return child_names(self.plan, number, express=self.plan.settings.express)


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
        """Return what is to be saved with the parent's step."""
        now_ms = self._clock.now_ms()
        if isinstance(command, StartMapRun):
            plan = new_plan(opened.record.arn, command, now_ms)
        else:
            plan = redriven_plan(self._store, command, now_ms)
        return [plan.document(), plan.description("RUNNING", None)]

    def begin(self, opened: OpenExecution, map_run_arn: str) -> None:
        """Begin a Map Run, or go on with one, as its saved order says."""
        document = self._store.document(PLAN, map_run_arn)
        if document is None or document.parent != OPEN:
            return
        plan = plan_of(document.body)
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
        """Stop the running children that a crash kept from being stopped with their parent; return their ARNs."""
        strays: set[str] = set()
        for document in self._store.documents(PLAN, OPEN, limit=sys.maxsize):
            plan = plan_of(document.body)
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
        """Read the items and start the first children; in a thread of the pool, as reading may take long."""
        try:
            if live.plan.redrive_count > MAX_REDRIVES:
                raise StateFailed(RUNTIME, f"A Map Run cannot be redriven more than {MAX_REDRIVES} times.")
            self._read_children(live)
        except (StateFailed, TaskError) as failure:
            self._report(live, MapRunEnded(live.plan.branch_id, live.plan.token, None, failure.error, failure.cause))
        except Exception as fault:
            logger.exception("%s: its items could not be read by a fault of ours.", live.plan.arn)
            self._report(live, MapRunEnded(live.plan.branch_id, live.plan.token, None, RUNTIME, repr(fault)))
        else:
            with self._lock:
                if not live.cancelled:
                    self._start_or_go_on(live)

    def _read_children(self, live: _Live) -> None:
        plan = live.plan
        saved = saved_children(self._store, plan.arn)
        if saved is not None:
            live.children = saved
            return
        items = plan.items
        reader = plan.settings.reader
        if items is None and reader is not None:
            items = read_items(reader["resource"], reader["parameters"], reader["config"], self._clients)
        live.children = children_of(live.state, plan.settings, items or [], self._draw, self._clock.now_ms())
        self._store.put_document(children_document(plan.arn, live.children))

    def _start_or_go_on(self, live: _Live) -> None:
        """Start the children, but for those that the store has from before a crash or a redrive."""
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
            self._status_listeners.when_closed(live.names(number)[0], partial(self._child_closed, live, number))

    def _status_of(self, live: _Live, number: int, closed: dict[int, str]) -> str:
        """Return how a child is to be counted; one that has failed counts as running until its end is reported."""
        record = self._store.execution(live.names(number)[0])
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
            self._inbox.put(Message(live.names(number)[0], Stop()))
        if step.ended is not None:
            self._pool.do(partial(self._end, live, step.ended))

    def _start(self, live: _Live, number: int) -> None:
        arn, name, machine = live.names(number)
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
        """Return the child's redrive; one that AWS does not allow leaves the child as it has ended before."""
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
        """Stop the Map Run that a branch waits for no longer."""
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
            self._pool.do(partial(self._end, live, MapRunEnd("ABORTED")))

    # --- the end ---

    def _end(self, live: _Live, ended: MapRunEnd) -> None:
        """Put the results together and report them; in a thread of the pool, as writing may take long."""
        plan = live.plan
        output: Json = None
        error, cause = ended.error, ended.cause
        if ended.status != "ABORTED":
            try:
                output = self._results(live)
            except TaskError as failure:
                error, cause = failure.error, failure.cause
        self._report(live, MapRunEnded(plan.branch_id, plan.token, output, error, cause), ended.status)

    def _results(self, live: _Live) -> Json:
        writer = live.plan.settings.writer or {}
        config = writer.get("config") or {}
        if writer.get("resource"):
            return write_results(writer["parameters"], config, live.plan.arn, self._records(live), self._clients)
        outputs = [loads(one.output) for one in self._records(live) if one.output is not None]
        return transformed(outputs, config.get("Transformation") or "NONE")

    def _records(self, live: _Live) -> Iterator[ExecutionRecord]:
        for number in range(len(live.children)):
            record = self._store.execution(live.names(number)[0])
            if record is not None:
                yield record

    def _report(self, live: _Live, event: MapRunEnded, status: str = "FAILED") -> None:
        """Report the end to the parent, saved together with that of the Map Run itself."""
        plan = live.plan
        status = "FAILED" if event.error is not None else status
        documents = [plan.document(ENDED), plan.description(status, live.run, self._clock.now_ms())]
        with self._lock:
            if self._live.get(plan.arn) is not live:
                return  # reported before
            del self._live[plan.arn]
            if live.following is not None:
                self._follow(live.following)
                return
        self._inbox.put(Message(plan.execution_arn, event, documents=documents))

    def _follow(self, live: _Live) -> None:
        """Begin a redrive that has waited for the children before it: they count as ended before."""
        live.plan = replace(live.plan, redriven_ms=self._clock.now_ms())
        self._store.put_document(live.plan.document())
        self._live[live.plan.arn] = live
        self._pool.do(
            partial(self._end, live, MapRunEnd("ABORTED")) if live.cancelled else partial(self._prepare, live)
        )

    # --- what the API asks ---

    def describe(self, arn: str) -> dict[str, Json] | None:
        """Return a Map Run as DescribeMapRun answers, times in milliseconds; None if there is none."""
        with self._lock:
            live = self._live.get(arn)
            if live is not None and live.run is not None:
                return dict(live.plan.description("RUNNING", live.run).body)
        document = self._store.document("map_run", arn)
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
    """Return the children's definition: the item processor, in the query language of the machine around it."""
    machine = opened.program.raw
    language = {"QueryLanguage": machine["QueryLanguage"]} if "QueryLanguage" in machine else {}
    return dumps({**language, **state.processor.raw})
