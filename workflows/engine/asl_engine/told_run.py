"""Runs one definition in this process and tells its history as it goes: the command ``run``."""

import uuid
from collections.abc import Callable, Mapping, Sequence

from asl_engine.adapters.functions import Function
from asl_engine.adapters.registry import Registry
from asl_engine.core.history import HistoryEvent
from asl_engine.definition import load
from asl_engine.jsontext import dumps
from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.store.contract import ExecutionRecord, Save
from asl_engine.store.memory import MemoryStore

type Tell = Callable[[str], None]

_SHOWN_CHARACTERS = 160


class _TellingStore(MemoryStore):
    """A store that tells each event it saves."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell = tell

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Save, and tell."""
        for save in saves:
            for event in save.history:
                self._tell(line_of(event))
        return super().save(saves)


def line_of(event: HistoryEvent) -> str:
    """Return an event as one line: its id, its type, its state's name, its details."""
    name = event.details.get("name", "")
    details = ", ".join(f"{key}: {_shown(value)}" for key, value in event.details.items() if key != "name")
    return f"{event.id:>5}  {event.type:<26} {name:<24} {details}".rstrip()


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def told_run(definition: str, text: str, tasks: Mapping[str, Function], tell: Tell) -> str:
    """Run a definition on an input (JSON text) and return its final status, one task after the other.

    Raises DefinitionRefused, and ExecutionStalled where a task token is waited for that nobody has.
    """
    load(definition)
    account, store = Account(), _TellingStore(tell)
    runner = Runner(store, Registry(tasks), workers=0)
    runner.start_up()
    try:
        name = str(uuid.uuid4())
        record = ExecutionRecord(
            arn=account.arn("execution", "run", name),
            state_machine_arn=account.arn("stateMachine", "run"),
            name=name,
            input=text,
            definition="",
            start_ms=runner.clock.now_ms(),
        )
        runner.start(record, definition)
        closed = runner.closed(record.arn)
    finally:
        runner.close()
    tell(f"{closed.status}  {_outcome(closed)}".rstrip())
    return closed.status


def _outcome(record: ExecutionRecord) -> str:
    if record.output is not None:
        return record.output
    return ": ".join(filter(None, (record.error, record.cause)))
