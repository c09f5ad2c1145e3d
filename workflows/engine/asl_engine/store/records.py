"""Records in a store: documents, executions, and the changes of one step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asl_engine.core.history import HistoryEvent
from asl_engine.core.redrivability import RedriveStatus, redrivability
from asl_engine.jsontext import Json

DAY_MS = 86_400_000
# AWS keeps a closed execution, and with it its name, for 90 days.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
NAME_KEPT_MS = 90 * DAY_MS


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON body under a key, unique within its kind.

    Listed by ``parent``, ordered by (``sort``, ``key``).
    """

    kind: str
    key: str
    body: Json
    parent: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """An execution as listed and described. Times are in milliseconds since the epoch.

    ``input`` and ``output`` are JSON texts. ``definition`` is the key of the document with the execution's definition.
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
        """Time of the start or the last redrive, by which lists are sorted."""
        return self.redrive_ms or self.start_ms

    def redrivability(
        self, now_ms: int | None = None, history_length: int = 0, *, machine_is_deleting: bool = False
    ) -> tuple[RedriveStatus, str | None]:
        """Return the redrive status and its reason; ``now_ms`` defaults to the last change of status."""
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
        """Return the fields of DescribeExecution; times in milliseconds, None for no value."""
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
    """The changes of one step of one execution.

    ``state`` is the execution's header as JSON, ``branches`` are the changed branches by id, ``documents``
    are written in the same transaction. ``is_new`` requires a free ARN; with ``replaces``, a closed
    execution of the same ARN is replaced.
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
        """Return whether this new execution may replace the one that has its name."""
        if taken.stop_ms is None or taken.status == "RUNNING":
            return False
        return self.replaces or self.record.start_ms - taken.stop_ms >= NAME_KEPT_MS


@dataclass(slots=True)
class SavedExecution:
    """An execution with everything needed to continue it."""

    record: ExecutionRecord
    state: Json
    branches: dict[int, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """A filter of executions by exactly one owner, and by status or redrive."""

    state_machine_arn: str | None = None
    version_arn: str | None = None
    alias_arn: str | None = None
    map_run_arn: str | None = None
    status: str | None = None
    redriven: bool | None = None

    def matches(self, record: ExecutionRecord) -> bool:
        """Return whether the execution passes the filter."""
        owners = ("state_machine_arn", "version_arn", "alias_arn", "map_run_arn")
        return (
            all(getattr(self, owner) in (None, getattr(record, owner)) for owner in owners)
            and self.status in (None, record.status)
            and self.redriven in (None, record.redrive_count > 0)
        )
