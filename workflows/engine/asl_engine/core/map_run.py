"""A Map Run: the child executions of one distributed Map, as a pure state machine.

The runner starts and stops children as decided here, and reports their ends. Their statuses are not saved with the
Map Run: after a restart it is rebuilt from those of the child executions, and for a redrive with PENDING_REDRIVE for
all that did not succeed. The Map's result is the outputs of those that succeeded, in the order of the items.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asl_engine.core.execution import Status
from asl_engine.core.items import Items, iteration_input, map_item, pairs_of
from asl_engine.definition.program import MapState
from asl_engine.errors import DATA_LIMIT_EXCEEDED, StateFailed
from asl_engine.jsontext import MAX_DATA_BYTES, Json, dumps, size_bytes
from asl_engine.language.env import Env, uuid_of

# AWS: hard. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_CONCURRENCY = 10_000
MAX_REDRIVES = 1_000
TOLERANCE_EXCEEDED = "The specified tolerated failure threshold was exceeded"  # the cause

_COUNTED: dict[str, str] = {
    Status.PENDING: "pending",
    Status.PENDING_REDRIVE: "pendingRedrive",
    Status.RUNNING: "running",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timedOut",
    Status.ABORTED: "aborted",
}


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """Evaluated ItemBatcher."""

    max_items: int | None
    max_bytes: int | None
    batch_input: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRunSettings:
    """Evaluated settings of a distributed Map. ``input`` is that of ItemSelector.

    ``reader`` and ``writer`` have ``resource``, ``parameters`` and ``config``. ``route`` and ``state`` lead to the Map
    state within the whole program.
    """

    state: str
    route: tuple[tuple[str, int], ...]
    express: bool
    max_concurrency: int
    tolerated_failure_count: int | None
    tolerated_failure_percentage: float | None
    reader: dict[str, Json] | None
    batcher: BatchSettings | None
    writer: dict[str, Json] | None
    input: Json
    raw_input: Json
    context: Mapping[str, Json]
    variables: Mapping[str, Json]


class Child(NamedTuple):
    """A child execution's input, its number of items, and the context object's Map.Item."""

    input: Json
    item_count: int
    item: Json


class MapRunStep(NamedTuple):
    """Numbers of children to start and to stop; an ended Map Run's status."""

    start: list[int]
    stop: list[int]
    ended: Status | None = None


@dataclass(slots=True)
class MapRun:
    """One Map Run. ``statuses`` are its children's from before a restart or redrive."""

    max_concurrency: int
    tolerated_failure_count: int | None
    tolerated_failure_percentage: float | None
    item_counts: list[int]  # items of each child
    statuses: list[str] = field(default_factory=list)
    is_aborted: bool = False
    redrive_count: int = 0
    is_failing: bool = False
    _next: int = 0
    _items: dict[str, int] = field(default_factory=dict)  # status -> items
    _executions: dict[str, int] = field(default_factory=dict)  # status -> children

    def __post_init__(self) -> None:
        self.statuses = self.statuses or [Status.PENDING] * len(self.item_counts)
        self._items, self._executions = dict.fromkeys(_COUNTED, 0), dict.fromkeys(_COUNTED, 0)
        for status, count in zip(self.statuses, self.item_counts, strict=True):
            self._items[status] += count
            self._executions[status] += 1
        self.is_failing = self._exceeds_tolerance()

    def begin(self) -> MapRunStep:
        """Return the children to start, also after a restart. Without any, the Map Run ends."""
        if self.is_failing or self.is_aborted:
            return MapRunStep([], self._running(), self._end())
        return MapRunStep(self._take_next(), [], self._end())

    def child_ended(self, number: int, status: str) -> MapRunStep:
        """Record a child's final status. Safe to repeat."""
        if self.statuses[number] != Status.RUNNING:
            return MapRunStep([], [])
        self._set(number, status)
        stop: list[int] = []
        if not self.is_failing and self._exceeds_tolerance():
            self.is_failing = True
            stop = self._running()
        start = [] if self.is_failing or self.is_aborted else self._take_next()
        return MapRunStep(start, stop, self._end())

    def abort(self) -> MapRunStep:
        """Stop all children: the parent has cancelled the Map Run."""
        self.is_aborted = True
        return MapRunStep([], self._running(), self._end())

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return DescribeMapRun's itemCounts and executionCounts, without those of written results."""
        return _counts(self._items), _counts(self._executions)

    def _set(self, number: int, status: str) -> None:
        before, items = self.statuses[number], self.item_counts[number]
        self._items[before] -= items
        self._executions[before] -= 1
        self.statuses[number] = status
        self._items[status] += items
        self._executions[status] += 1

    def _running(self) -> list[int]:
        return [number for number, status in enumerate(self.statuses) if status == Status.RUNNING]

    def _take_next(self) -> list[int]:
        start = []
        limit = min(self.max_concurrency or MAX_CONCURRENCY, MAX_CONCURRENCY)
        while self._executions[Status.RUNNING] < limit and self._next < len(self.statuses):
            if self.statuses[self._next] in (Status.PENDING, Status.PENDING_REDRIVE):
                self._set(self._next, Status.RUNNING)
                start.append(self._next)
            self._next += 1
        return start

    def _exceeds_tolerance(self) -> bool:
        failed = self._items[Status.FAILED] + self._items[Status.TIMED_OUT] + self._items[Status.ABORTED]
        count, percentage = self.tolerated_failure_count, self.tolerated_failure_percentage
        if count is None and percentage is None:
            return failed > 0
        if count is not None and failed > count:
            return True
        return percentage is not None and failed * 100 > percentage * sum(self.item_counts)

    def _end(self) -> Status | None:
        if self._executions[Status.RUNNING]:
            return None
        if self.is_aborted:
            return Status.ABORTED
        if self.is_failing:
            return Status.FAILED
        unfinished = self._executions[Status.PENDING] or self._executions[Status.PENDING_REDRIVE]
        return None if unfinished else Status.SUCCEEDED


def _counts(by_status: dict[str, int]) -> dict[str, int]:
    return {_COUNTED[status]: count for status, count in by_status.items()} | {"total": sum(by_status.values())}


# --- the children's inputs ---


def children_of(
    state: MapState,
    settings: MapRunSettings,
    items: Items,
    draw: Callable[[], float],
    now_ms: int,
) -> list[Child]:
    """Return the child executions of the items, after ItemSelector and ItemBatcher.

    Raises StateFailed if ItemSelector fails or an item is larger than a batch.
    """
    singles = [_child(state, settings, index, *pair, draw, now_ms) for index, pair in enumerate(pairs_of(items))]
    return singles if settings.batcher is None else batched(singles, settings.batcher)


def _child(
    state: MapState,
    settings: MapRunSettings,
    index: int,
    key: str | None,
    item: Json,
    draw: Callable[[], float],
    now_ms: int,
) -> Child:
    about = {**map_item(index, item, key), "Source": _source(settings.reader)}
    if state.item_selector is None:
        return Child(iteration_input(item, key), 1, about)
    context = {**settings.context, "Map": {"Item": about}}
    env = Env(
        input=settings.input,
        context=context,
        variables=settings.variables,
        states={"input": settings.raw_input, "context": context},
        random=draw,
        uuid=lambda: uuid_of(draw),
        now_ms=now_ms,
    )
    return Child(state.item_selector.evaluate(env), 1, about)


def _source(reader: dict[str, Json] | None) -> str:
    if reader is None:
        return "STATE_DATA"
    parameters = reader.get("parameters") or {}
    parts = [parameters[name] for name in ("Bucket", "Key") if name in parameters]
    return "s3://" + "/".join(map(str, parts))


def batched(singles: list[Child], batcher: BatchSettings) -> list[Child]:
    """Return the children of full batches, within both limits of the batcher."""
    frame: dict[str, Any] = {} if batcher.batch_input is None else {"BatchInput": batcher.batch_input}
    empty_size = size_bytes(dumps({**frame, "Items": []}))
    max_items = batcher.max_items or len(singles) or 1
    max_bytes = min(batcher.max_bytes or MAX_DATA_BYTES, MAX_DATA_BYTES)
    batches: list[list[Json]] = []
    room = -1
    for single in singles:
        size = size_bytes(dumps(single.input)) + 1  # and a comma
        if not batches or len(batches[-1]) >= max_items or size > room:
            batches.append([])
            room = max_bytes - empty_size + 1
        if size > room:
            raise StateFailed(DATA_LIMIT_EXCEEDED, "An item is larger than a batch may be.")
        room -= size
        batches[-1].append(single.input)
    return [Child({**frame, "Items": batch}, len(batch), {"Index": index}) for index, batch in enumerate(batches)]
