"""Serves the Step Functions API of a store until stopped."""

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import random

from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.registry import Registry
from asl_engine.adapters.services import ServiceClients
from asl_engine.adapters.start_execution import read_start_request, start_refused
from asl_engine.adapters.status_events import EventBridgeStatusEvents
from asl_engine.clock import Clock, SkippableClock
from asl_engine.definition.resources import parse_resource
from asl_engine.errors import ApiError
from asl_engine.jsontext import Json
from asl_engine.runner.runner import Runner
from asl_engine.server.http import HttpServer
from asl_engine.server.operations.executions import start_execution
from asl_engine.server.operations.state_machines import resume_deletions
from asl_engine.server.operations.tasks import activity_exists
from asl_engine.server.protocol import Api, ApiCall, Operation, seconds
from asl_engine.server.request_fields import FIELDS
from asl_engine.server.routes import OPERATIONS
from asl_engine.server.validation import Account, Number, check_request
from asl_engine.store import Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.sqlite import SqliteStore

_THREADS = 16  # of calls, which mostly wait for the disk
_SKIP_SECONDS = Number(required=True, min=0, max=366 * 24 * 3600, real=True)


async def serve(
    engine: Runner,
    host: str = "127.0.0.1",
    port: int = 8083,
    *,
    account: Account | None = None,
    stop: asyncio.Event | None = None,
    ready: Callable[[str, int], None] = lambda _host, _port: None,
    draw: Callable[[], float] = random,
    names: Collection[str] = (),
) -> None:
    """Answer the Step Functions API until ``stop`` is set.

    ``ready`` gets the address; port 0 takes any free one. ``draw`` selects a version of an alias. ``names``
    are the names of this machine, besides localhost, with which clients may call it. Raises OSError if
    the address cannot be used.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="engine-api"))
    await loop.run_in_executor(None, resume_deletions, engine)
    operations = {**OPERATIONS, **_skip_time(engine.clock)}
    server = HttpServer(Api(engine, operations, account or Account(), draw=draw).handle, names)
    ready(*await server.start(host, port))
    try:
        await stop.wait()
    finally:
        await server.stop()


def _skip_time(clock: Clock) -> Mapping[str, Operation]:
    """Return the operation SkipTime if the clock is skippable.

    AWS does not have it. It takes ``{"seconds": 900}``, fires all timers that are then due, also those of running
    tasks, and answers ``{"now": <seconds since the epoch>}``.
    """
    if not isinstance(clock, SkippableClock):
        return {}

    def skip_time(call: ApiCall) -> Json:
        return {"now": seconds(clock.skip(round(call.arguments["seconds"] * 1000)))}

    return {"SkipTime": Operation(skip_time, quick=True, fields={"seconds": _SKIP_SECONDS})}


def start_nested(engine: Runner, call: TaskCall, draw: Callable[[], float]) -> Json:
    """Start the execution of a ``states:startExecution`` task. Raises TaskError."""
    asked = read_start_request(call.parameters)
    arguments = {"stateMachineArn": asked.state_machine_arn, "input": asked.input}
    if asked.name is not None:
        arguments["name"] = asked.name
    try:
        check_request(FIELDS["StartExecution"], arguments)
        started = start_execution(ApiCall(engine, Account(), arguments, draw))
    except ApiError as refusal:
        submits = parse_resource(call.resource).submits
        raise start_refused(refusal.code, refusal.message, submits=submits) from None
    return {"ExecutionArn": started["executionArn"], "StartDate": round(started["startDate"] * 1000)}


def open_store(database: Path | None) -> Store:
    """Return the store in a file, or one in memory. Raises OSError, sqlite3.Error or EngineError."""
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
    names: Collection[str] = (),
) -> None:
    """Serve until SIGTERM or SIGINT, then close the store.

    Puts status events with the source ``events_source`` on the default event bus, unless it is None. Raises OSError
    if the address cannot be used.
    """
    events = EventBridgeStatusEvents(ServiceClients(), events_source) if events_source else None
    listeners = [events.publish] if events else []

    def start(call: TaskCall) -> Json:
        return start_nested(runner, call, random)

    runner = Runner(
        store,
        Registry(start_execution=start),
        clock=clock,
        listeners=listeners,
        activity_exists=partial(activity_exists, store),
    )

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(runner, host, port, account=account, stop=stop, ready=ready, names=names)

    try:
        runner.start_up()
        with suppress(KeyboardInterrupt):
            asyncio.run(run())
    finally:
        runner.close()
        if events:
            events.close()
        store.close()
