"""Everything that is served together: a store, a runner on it, what performs its tasks, and the API."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import random

from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.registry import Registry
from asl_engine.adapters.services import ServiceClients
from asl_engine.adapters.status_events import EventBridgeStatusEvents, StatusChange
from asl_engine.clock import Clock
from asl_engine.jsontext import Json
from asl_engine.runner.nested_executions import redrive_status_at_end
from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.server.serve import serve, stop_on_signals
from asl_engine.server.start_nested import start_nested
from asl_engine.store.contract import ExecutionRecord, Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.sqlite import SqliteStore


def change_of(record: ExecutionRecord) -> StatusChange:
    """Return what the status event of an execution says."""
    redrive_status, reason = redrive_status_at_end(record)
    return StatusChange(
        execution_arn=record.arn,
        state_machine_arn=record.state_machine_arn,
        name=record.name,
        status=record.status,
        start_ms=record.start_ms,
        input=record.input,
        stop_ms=record.stop_ms,
        output=record.output,
        error=record.error,
        cause=record.cause,
        redrive_count=record.redrive_count,
        redrive_ms=record.redrive_ms,
        redrive_status=redrive_status,
        redrive_status_reason=reason,
        version_arn=record.version_arn,
        alias_arn=record.alias_arn,
    )


def open_store(database: Path | None) -> Store:
    """Return the store in a file, or one in memory. Raises OSError, sqlite3.Error, or an EngineError that says why."""
    return MemoryStore() if database is None else SqliteStore(database)


def serve_until_stopped(
    store: Store,
    *,
    host: str,
    port: int,
    account: Account,
    events_source: str | None,
    ready: Callable[[str, int], None],
    clock: Clock | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then close the store. Raises OSError where the address can not be had.

    ``events_source`` is the source of status events, put on the default event bus of
    AWS_ENDPOINT_URL_EVENTBRIDGE, or else of AWS_ENDPOINT_URL; None puts none. ``clock`` is by default
    the machine's; a ``SkippableClock`` can be moved by SkipTime.
    """
    events = EventBridgeStatusEvents(ServiceClients(), events_source) if events_source else None
    listeners = [lambda record: events.publish(change_of(record))] if events else []

    def start(call: TaskCall) -> Json:
        return start_nested(runner, call, random)

    runner = Runner(store, Registry(start_execution=start), clock=clock, listeners=listeners)

    async def run() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await serve(runner, host, port, account=account, stop=stop, ready=ready)

    try:
        runner.start_up()
        with suppress(KeyboardInterrupt):
            asyncio.run(run())
    finally:
        runner.close()
        if events:
            events.close()
        store.close()
