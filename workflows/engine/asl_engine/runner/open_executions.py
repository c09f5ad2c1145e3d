"""Executions in memory: loaded from the store, changed by the runner, and saved."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from asl_engine.core.execution import Execution, Status
from asl_engine.core.history import HistoryEvent
from asl_engine.core.saved import branch_to_row, execution_from_row, execution_to_row
from asl_engine.definition.compiler import compile_program
from asl_engine.definition.program import Program
from asl_engine.jsontext import loads
from asl_engine.store import Store
from asl_engine.store.records import Document, ExecutionRecord, Save

DEFINITION = "definition"  # the kind of document that holds a definition, by its digest


@dataclass(slots=True)
class OpenExecution:
    """An execution in memory. ``record`` is the last saved one."""

    record: ExecutionRecord
    execution: Execution
    program: Program

    def refresh_record(self) -> None:
        """Update the record to the execution's status."""
        now, record = self.execution, self.record
        if (now.status, now.redrive_count, now.stop_ms) != (record.status, record.redrive_count, record.stop_ms):
            succeeded = now.status == Status.SUCCEEDED
            self.record = replace(
                record,
                status=str(now.status),
                stop_ms=now.stop_ms,
                redrive_count=now.redrive_count,
                redrive_ms=now.redrive_ms,
                output=now.output_text if succeeded else None,
                error=now.error,
                cause=now.cause,
            )

    def save(
        self, history: list[HistoryEvent], documents: list[Document], *, is_new: bool, replaces: bool = False
    ) -> Save:
        """Return the changes to save, and mark them as saved."""
        self.refresh_record()
        execution = self.execution
        changed = [(number, branch_to_row(execution.branches[number])) for number in sorted(execution.changed)]
        removed = [] if is_new else sorted(execution.removed)
        execution.changed.clear()
        execution.removed.clear()
        return Save(
            self.record,
            execution_to_row(execution),
            branches=changed,
            removed=removed,
            history=history,
            documents=documents,
            is_new=is_new,
            replaces=replaces,
        )


class Programs:
    """A cache of compiled definitions, for any thread."""

    def __init__(self, store: Store, capacity: int = 256) -> None:
        self._store = store
        self.of_digest = lru_cache(capacity)(self._load)
        self._digest_of = lru_cache(capacity)(self._keep)

    def of_text(self, definition: str) -> tuple[str, Program]:
        """Store a definition; return its digest and program."""
        digest = self._digest_of(definition)
        return digest, self.of_digest(digest)

    def _keep(self, definition: str) -> str:
        digest = sha256(definition.encode()).hexdigest()
        self._store.put_document(Document(DEFINITION, digest, definition))
        return digest

    def _load(self, digest: str) -> Program:
        document = self._store.document(DEFINITION, digest)
        if document is None:
            raise LookupError(
                f"The store has no definition {digest}: an execution refers to it, so the store is damaged."
            )
        return compile_program(loads(document.body))


class OpenExecutions:
    """A cache of the recent executions. The unsaved ones (Express) remain until they close."""

    def __init__(self, store: Store, programs: Programs, capacity: int = 1000) -> None:
        self._store, self._programs, self._capacity = store, programs, capacity
        self._recent: OrderedDict[str, OpenExecution] = OrderedDict()
        self._unsaved: dict[str, OpenExecution] = {}

    def get(self, arn: str) -> OpenExecution | None:
        """Return the execution, from memory or the store, or None."""
        opened = self._recent.get(arn) or self._unsaved.get(arn)
        if opened is not None:
            return opened
        saved = self._store.load(arn)
        if saved is None:
            return None
        execution = execution_from_row(saved.state, loads(saved.record.input), saved.branches.values())
        return OpenExecution(saved.record, execution, self._programs.of_digest(saved.record.definition))

    def keep(self, opened: OpenExecution, *, saved: bool) -> None:
        """Keep an execution after a turn, if it is still open."""
        arn = opened.record.arn
        if opened.execution.status != Status.RUNNING:
            self.drop(arn)
        elif not saved:
            self._unsaved[arn] = opened
        else:
            self._recent[arn] = opened
            self._recent.move_to_end(arn)
            if len(self._recent) > self._capacity:
                self._recent.popitem(last=False)

    def drop(self, arn: str) -> None:
        """Remove the execution from memory."""
        self._recent.pop(arn, None)
        self._unsaved.pop(arn, None)
