"""A store that forgets with its process: for tests, ``run()`` and Express executions."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from asl_engine.core.history import HistoryEvent
from asl_engine.jsontext import Json
from asl_engine.store.contract import (
    Document,
    ExecutionFilter,
    ExecutionRecord,
    Save,
    SavedExecution,
)


@dataclass(slots=True)
class _Kept:
    record: ExecutionRecord
    state: Json
    branches: dict[int, Json] = field(default_factory=dict)
    history: list[HistoryEvent] = field(default_factory=list)


class MemoryStore:
    """Keeps everything in dictionaries, under one lock. JSON is taken as given: it is never changed in place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: dict[str, dict[str, Document]] = {}
        self._executions: dict[str, _Kept] = {}

    def put_document(self, document: Document) -> None:
        """Write the document, over one of the same kind and key."""
        with self._lock:
            self._put(document)

    def _put(self, document: Document) -> None:
        self._documents.setdefault(document.kind, {})[document.key] = document

    def document(self, kind: str, key: str) -> Document | None:
        """Return the document, or None."""
        with self._lock:
            return self._documents.get(kind, {}).get(key)

    def delete_document(self, kind: str, key: str) -> bool:
        """Delete the document; return whether it was there."""
        with self._lock:
            return self._documents.get(kind, {}).pop(key, None) is not None

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
        with self._lock:
            found = [document for document in self._documents.get(kind, {}).values() if document.parent == parent]
        found.sort(key=lambda document: (document.sort, document.key), reverse=descending)
        if after is not None:
            found = [
                one for one in found if ((one.sort, one.key) < after if descending else (one.sort, one.key) > after)
            ]
        return found[:limit]

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Write all of it. Returns for each save None, or the execution that has its name already."""
        with self._lock:
            return [self._save(save) for save in saves]

    def _save(self, save: Save) -> ExecutionRecord | None:
        arn = save.record.arn
        if save.is_new:
            taken = self._executions.get(arn)
            if taken is not None and not save.may_replace(taken.record):
                return taken.record
            self._executions[arn] = _Kept(save.record, save.state)
        kept = self._executions[arn]
        kept.record, kept.state = save.record, save.state
        kept.branches.update(save.branches)
        for branch_id in save.removed:
            kept.branches.pop(branch_id, None)
        kept.history.extend(save.history)
        for document in save.documents:
            self._put(document)
        return None

    def execution(self, arn: str) -> ExecutionRecord | None:
        """Return the execution's record, or None."""
        kept = self._executions.get(arn)
        return kept.record if kept is not None else None

    def load(self, arn: str) -> SavedExecution | None:
        """Return what is needed to go on with an execution, or None."""
        with self._lock:
            kept = self._executions.get(arn)
            return SavedExecution(kept.record, kept.state, dict(kept.branches)) if kept is not None else None

    def load_open(self) -> Iterator[str]:
        """Iterate over the ARNs of the executions that run, the oldest first."""
        with self._lock:
            return iter([arn for arn, kept in self._executions.items() if kept.record.status == "RUNNING"])

    def closed_of_late(self, within_ms: int) -> list[ExecutionRecord]:
        """Return the executions that closed at most so long before the last start or end of any, the oldest first."""
        records = self._where(ExecutionFilter())
        last = max((max(one.recent_ms, one.stop_ms or 0) for one in records), default=0)
        closed = [(one.stop_ms, one.arn, one) for one in records if one.stop_ms is not None]
        return [one for stop_ms, _, one in sorted(closed, key=lambda found: found[:2]) if stop_ms >= last - within_ms]

    def count_open(self, state_machine_arn: str) -> int:
        """Return how many executions of the machine run."""
        return len(self._where(ExecutionFilter(state_machine_arn=state_machine_arn, status="RUNNING")))

    def executions(
        self, where: ExecutionFilter, *, after: tuple[int, str] | None = None, limit: int = 1000
    ) -> list[ExecutionRecord]:
        """Return a page, the most recent first; ``after`` is the (recent_ms, arn) of the last one seen."""
        found = self._where(where)
        if after is not None:
            recent_ms, arn = after
            found = [one for one in found if (-one.recent_ms, one.arn) > (-recent_ms, arn)]
        return nsmallest(limit, found, key=lambda one: (-one.recent_ms, one.arn))

    def _where(self, where: ExecutionFilter) -> list[ExecutionRecord]:
        with self._lock:
            return [kept.record for kept in self._executions.values() if where.holds(kept.record)]

    def history(
        self, arn: str, *, after: int | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[HistoryEvent]:
        """Return a page of the history; ``after`` is the id of the last event seen."""
        with self._lock:
            kept = self._executions.get(arn)
            events = kept.history if kept is not None else []
            if reverse:
                end = len(events) if after is None else min(after - 1, len(events))
                return events[max(end - limit, 0) : max(end, 0)][::-1]
            start = after or 0
            return events[start : start + limit]

    def history_length(self, arn: str) -> int:
        """Return how many events the history has."""
        kept = self._executions.get(arn)
        return len(kept.history) if kept is not None else 0

    def forget(self, arn: str) -> None:
        """Drop an execution with all it has; one that is not there is no error."""
        with self._lock:
            self._executions.pop(arn, None)

    def close(self) -> None:
        """Do nothing: memory needs no closing."""
