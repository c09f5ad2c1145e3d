"""What a store keeps, and the promises that every store makes.

A store keeps *documents* (state machines, versions, aliases, activities, tags, definitions, Map Runs: a
key, a JSON body, and what listing needs) and *executions* with their branches and history. It is asked
from any thread. ``save`` writes what steps of many executions changed, all of it or nothing; once it
has returned, ``kill -9`` takes none of it back (where the store is on a disk).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from asl_engine.core.history import HistoryEvent
from asl_engine.core.redrivability import RedriveStatus, redrivability
from asl_engine.jsontext import Json

DAY_MS = 86_400_000
# AWS keeps a closed execution, and with it its name, for 90 days.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
NAME_KEPT_MS = 90 * DAY_MS


@dataclass(frozen=True, slots=True)
class Document:
    """A thing with a key that is unique in its kind. Listed by ``parent``, in the order of (``sort``, ``key``)."""

    kind: str
    key: str
    body: Json
    parent: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """An execution as it is listed and described. Times in milliseconds since the epoch; input and output are texts.

    ``definition`` is the key of a document of kind "definition": the one the execution keeps for life.
    """

    arn: str
    state_machine_arn: str
    name: str
    input: str
    definition: str
    start_ms: int
    version_arn: str | None = None
    alias_arn: str | None = None
    map_run_arn: str | None = None
    trace_header: str | None = None
    express: bool = False
    status: str = "RUNNING"
    stop_ms: int | None = None
    redrive_count: int = 0
    redrive_ms: int | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def recent_ms(self) -> int:
        """When it was started or last redriven: what listing sorts by."""
        return self.redrive_ms or self.start_ms

    def redrivability(
        self, now_ms: int | None = None, history_length: int = 0, *, machine_is_deleting: bool = False
    ) -> tuple[RedriveStatus, str | None]:
        """Return whether it can be redriven, by default at the moment of its last change of status, and the reason."""
        return redrivability(
            status=self.status,
            start_ms=self.start_ms,
            stop_ms=self.stop_ms,
            now_ms=self.stop_ms or self.start_ms if now_ms is None else now_ms,
            history_length=history_length,
            is_map_run_child=self.map_run_arn is not None,
            machine_is_deleting=machine_is_deleting,
        )

    def description(self) -> dict[str, Json]:
        """Return what DescribeExecution answers of it; times in milliseconds, None for no value."""
        return {
            "executionArn": self.arn,
            "stateMachineArn": self.state_machine_arn,
            "stateMachineVersionArn": self.version_arn,
            "stateMachineAliasArn": self.alias_arn,
            "mapRunArn": self.map_run_arn,
            "name": self.name,
            "status": self.status,
            "startDate": self.start_ms,
            "stopDate": self.stop_ms,
            "traceHeader": self.trace_header,
            "input": self.input,
            "output": self.output,
            "error": self.error,
            "cause": self.cause,
            "redriveCount": self.redrive_count,
            "redriveDate": self.redrive_ms,
        }


@dataclass(slots=True)
class Save:
    """What one step of one execution changed.

    ``state`` is the execution's header as JSON, ``branches`` the changed ones by id, ``documents`` what
    must be written together with the step. ``is_new``: the execution must not be there yet; with
    ``replaces`` it takes the place of one that has closed.
    """

    record: ExecutionRecord
    state: Json
    branches: Sequence[tuple[int, Json]] = ()
    removed: Sequence[int] = ()
    history: Sequence[HistoryEvent] = ()
    documents: Sequence[Document] = ()
    is_new: bool = False
    replaces: bool = False

    def may_replace(self, taken: ExecutionRecord) -> bool:
        """Return whether this new execution may have the name of that one, which has it now."""
        if taken.stop_ms is None or taken.status == "RUNNING":
            return False
        return self.replaces or self.record.start_ms - taken.stop_ms >= NAME_KEPT_MS


@dataclass(slots=True)
class SavedExecution:
    """All that is needed to go on with an execution."""

    record: ExecutionRecord
    state: Json
    branches: dict[int, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions to list: of a machine, a version, an alias or a Map Run (exactly one), by status or redrive."""

    state_machine_arn: str | None = None
    version_arn: str | None = None
    alias_arn: str | None = None
    map_run_arn: str | None = None
    status: str | None = None
    redriven: bool | None = None

    def holds(self, record: ExecutionRecord) -> bool:
        """Return whether the execution is one of those."""
        owners = ("state_machine_arn", "version_arn", "alias_arn", "map_run_arn")
        return (
            all(getattr(self, owner) in (None, getattr(record, owner)) for owner in owners)
            and self.status in (None, record.status)
            and self.redriven in (None, record.redrive_count > 0)
        )


class Store(Protocol):
    """Where machines and executions are kept. Every method may be called from any thread."""

    def put_document(self, document: Document) -> None:
        """Write the document, over one of the same kind and key."""
        ...

    def document(self, kind: str, key: str) -> Document | None:
        """Return the document, or None."""
        ...

    def delete_document(self, kind: str, key: str) -> bool:
        """Delete the document; return whether it was there."""
        ...

    def documents(
        self,
        kind: str,
        parent: str = "",
        *,
        after: tuple[str, str] | None = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[Document]:
        """Return a page of the documents of a parent; ``after`` is the (sort, key) of the last one seen."""
        ...

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Write all of it, or nothing. Returns for each save None, or the execution that has its name already.

        Of a save that is new while its ARN is taken nothing is written. A closed execution gives its
        name back after NAME_KEPT_MS, counted to the new one's start, and is then gone.
        """
        ...

    def execution(self, arn: str) -> ExecutionRecord | None:
        """Return the execution's record, or None."""
        ...

    def load(self, arn: str) -> SavedExecution | None:
        """Return what is needed to go on with an execution, open or closed, or None."""
        ...

    def load_open(self) -> Iterator[str]:
        """Iterate over the ARNs of the executions that run, the oldest first."""
        ...

    def closed_of_late(self, within_ms: int) -> list[ExecutionRecord]:
        """Return the executions that closed at most so long before the last start or end of any, the oldest first."""
        ...

    def count_open(self, state_machine_arn: str) -> int:
        """Return how many executions of the machine run."""
        ...

    def executions(
        self, where: ExecutionFilter, *, after: tuple[int, str] | None = None, limit: int = 1000
    ) -> list[ExecutionRecord]:
        """Return a page, the most recent first; ``after`` is the (recent_ms, arn) of the last one seen."""
        ...

    def history(
        self, arn: str, *, after: int | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[HistoryEvent]:
        """Return a page of the history; ``after`` is the id of the last event seen."""
        ...

    def history_length(self, arn: str) -> int:
        """Return how many events the history has."""
        ...

    def close(self) -> None:
        """Give back what the store holds open."""
        ...
