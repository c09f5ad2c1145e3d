"""A store, a runner on it, what performs its tasks, and the API on a port: served until stopped."""

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from asl_engine.server.http import HttpServer
from asl_engine.server.operations.skip_time import operations_on_time
from asl_engine.server.operations.state_machines import resume_deletions
from asl_engine.server.protocol import Api
from asl_engine.server.routes import OPERATIONS
from asl_engine.server.start_nested import start_nested
from asl_engine.store import Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.sqlite import SqliteStore

# Calls that wait for the store's disk, not for the processor: more threads than processors.
_THREADS = 16


async def serve(
    engine: Runner,
    host: str = "127.0.0.1",
    port: int = 8083,
    *,
    account: Account | None = None,
    stop: asyncio.Event | None = None,
    ready: Callable[[str, int], None] = lambda _host, _port: None,
    draw: Callable[[], float] = random,
) -> None:
    """Answer the Step Functions API until ``stop`` is set.

    ``ready`` gets the address listened on; port 0 takes any free one. ``draw`` picks among an
    alias's versions. Raises OSError when the address cannot be taken.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="engine-api"))
    await loop.run_in_executor(None, resume_deletions, engine)
    operations = {**OPERATIONS, **operations_on_time(engine.clock)}
    server = HttpServer(Api(engine, operations, account or Account(), draw=draw).handle)
    ready(*await server.start(host, port))
    try:
        await stop.wait()
    finally:
        await server.stop()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` at SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


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
    """Serve until SIGTERM or SIGINT, then close the store. Raises OSError where the address cannot be had.

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
