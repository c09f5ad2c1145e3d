"""A store in memory: for tests, ``run()`` and Express executions."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from asl_engine.core.history import HistoryEvent
from asl_engine.store.records import Document, ExecutionFilter, ExecutionRecord, Save, SavedExecution


@dataclass(slots=True)
class _Kept(SavedExecution):
    history: list[HistoryEvent] = field(default_factory=list)


class MemoryStore:
    """Dictionaries under one lock. JSON values are kept as given and never changed in place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: dict[str, dict[str, Document]] = {}
        self._executions: dict[str, _Kept] = {}

    def put_document(self, document: Document) -> None:
        """Write the document, replacing one of the same kind and key."""
        with self._lock:
            self._put(document)

    def _put(self, document: Document) -> None:
        self._documents.setdefault(document.kind, {})[document.key] = document

    def document(self, kind: str, key: str) -> Document | None:
        """Return the document, or None."""
        with self._lock:
            return self._documents.get(kind, {}).get(key)

    def delete_document(self, kind: str, key: str) -> None:
        """Delete the document; an unknown one is ignored."""
        with self._lock:
            self._documents.get(kind, {}).pop(key, None)

    def documents(
        self,
        kind: str,
        parent: str = "",
        *,
        after: tuple[str, str] | None = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[Document]:
        """Return a page of a parent's documents; ``after`` is a (sort, key)."""
        with self._lock:
            found = [document for document in self._documents.get(kind, {}).values() if document.parent == parent]
        found.sort(key=lambda document: (document.sort, document.key), reverse=descending)
        if after is not None:
            found = [
                one for one in found if ((one.sort, one.key) < after if descending else (one.sort, one.key) > after)
            ]
        return found[:limit]

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Write all saves; return for each None, or the execution that already has its name."""
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
        """Return everything needed to continue an execution, or None."""
        with self._lock:
            kept = self._executions.get(arn)
            return SavedExecution(kept.record, kept.state, dict(kept.branches)) if kept is not None else None

    def load_open(self) -> Iterator[str]:
        """Iterate over the ARNs of running executions, oldest first."""
        with self._lock:
            return iter([arn for arn, kept in self._executions.items() if kept.record.status == "RUNNING"])

    def closed_recently(self, within_ms: int) -> list[ExecutionRecord]:
        """Return the executions closed at most this long before the last start or end."""
        records = self._where(ExecutionFilter())
        last = max((max(one.recent_ms, one.stop_ms or 0) for one in records), default=0)
        closed = [(one.stop_ms, one.arn, one) for one in records if one.stop_ms is not None]
        return [one for stop_ms, _, one in sorted(closed, key=lambda found: found[:2]) if stop_ms >= last - within_ms]

    def count_open(self, state_machine_arn: str) -> int:
        """Return the number of running executions of the machine."""
        return len(self._where(ExecutionFilter(state_machine_arn=state_machine_arn, status="RUNNING")))

    def executions(
        self, where: ExecutionFilter, *, after: tuple[int, str] | None = None, limit: int = 1000
    ) -> list[ExecutionRecord]:
        """Return a page, most recent first; ``after`` is a (recent_ms, arn)."""
        found = self._where(where)
        if after is not None:
            recent_ms, arn = after
            found = [one for one in found if (-one.recent_ms, one.arn) > (-recent_ms, arn)]
        return nsmallest(limit, found, key=lambda one: (-one.recent_ms, one.arn))

    def _where(self, where: ExecutionFilter) -> list[ExecutionRecord]:
        with self._lock:
            return [kept.record for kept in self._executions.values() if where.matches(kept.record)]

    def history(
        self, arn: str, *, after: int | None = None, limit: int = 1000, reverse: bool = False
    ) -> list[HistoryEvent]:
        """Return a page of the history; ``after`` is an event id."""
        with self._lock:
            kept = self._executions.get(arn)
            events = kept.history if kept is not None else []
            if reverse:
                end = len(events) if after is None else min(after - 1, len(events))
                return events[max(end - limit, 0) : max(end, 0)][::-1]
            start = after or 0
            return events[start : start + limit]

    def history_length(self, arn: str) -> int:
        """Return the number of events in the history."""
        kept = self._executions.get(arn)
        return len(kept.history) if kept is not None else 0

    def forget(self, arn: str) -> None:
        """Delete an execution with its branches and history; an unknown ARN is ignored."""
        with self._lock:
            self._executions.pop(arn, None)

    def close(self) -> None:
        """Do nothing, as memory needs no closing."""
