"""Everything that is served together: a store, a runner on it, what performs its tasks, and the API."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import random

from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.registry import Registry
from asl_engine.adapters.services import ServiceClients
from asl_engine.adapters.status_events import EventBridgeStatusEvents
from asl_engine.clock import Clock
from asl_engine.jsontext import Json
from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.server.serve import serve, stop_on_signals
from asl_engine.server.start_nested import start_nested
from asl_engine.store.contract import Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.sqlite import SqliteStore


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
    listeners = [events.publish] if events else []

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
