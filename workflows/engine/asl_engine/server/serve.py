"""The API on a port, until told to stop."""

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import random

from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.server.http import HttpServer
from asl_engine.server.operations import OPERATIONS
from asl_engine.server.operations.skip_time import operations_on_time
from asl_engine.server.operations.state_machines import resume_deletions
from asl_engine.server.protocol import Api

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

    ``ready`` is told the address listened on; port 0 takes any free one. ``draw`` picks among an
    alias's versions. Raises OSError when the address can not be taken.
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
