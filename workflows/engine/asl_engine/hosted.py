"""The engine inside another program, with its executions in a file."""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from random import random

from asl_engine.adapters.functions import Function
from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.registry import Registry
from asl_engine.jsontext import Json
from asl_engine.runner.listeners import Listener
from asl_engine.runner.runner import Runner
from asl_engine.server.catalog import Catalog, Machine
from asl_engine.server.operations.state_machines import create_state_machine, update_state_machine
from asl_engine.server.protocol import ApiCall
from asl_engine.server.serve import open_store, serve, start_nested
from asl_engine.server.validation import Account
from asl_engine.store.records import ExecutionRecord

_ROLE = "arn:aws:iam::{account}:role/engine"


class HostedEngine:
    """An engine that a program opens, feeds with executions, and closes.

    ``database`` is the SQLite file of the executions; None keeps them in memory. ``functions`` perform the tasks by
    their Lambda function names, ``concurrency`` of them at a time; any other task is AWS's to perform. ``listener``
    gets each change of an execution's status, in the engine's thread, and must return at once. Raises StoreInUse
    while another process has the file open, StoreTooNew for a file of a later version.
    """

    def __init__(
        self,
        database: Path | None,
        functions: Mapping[str, Function],
        listener: Listener,
        *,
        concurrency: int = 8,
        region: str = "us-east-1",
        account: str = "000000000000",
    ) -> None:
        self._account = Account(region, account)
        self._store = open_store(database)
        registry = Registry(functions, start_execution=self._start_nested)
        self._runner = Runner(self._store, registry, workers=concurrency, listeners=[listener])
        self._definitions: dict[str, tuple[str, str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event
        self._thread: threading.Thread | None = None

    @property
    def unfinished_tasks(self) -> int:
        """The number of tasks that are waiting or under way."""
        return self._runner.unfinished_tasks

    def put_state_machine(self, name: str, definition: str) -> str:
        """Create or update a state machine and return its ARN.

        Executions keep the definition they began with. Raises ApiError for a definition that AWS refuses. Safe to
        repeat.
        """
        arn = self._account.arn("stateMachine", name)
        role = _ROLE.format(account=self._account.account)
        arguments: dict[str, Json] = {"definition": definition, "roleArn": role}
        known = Catalog(self._store).find(Machine, arn)
        if known is None:
            create_state_machine(self._call(arguments | {"name": name}))
        else:
            update_state_machine(self._call(arguments | {"stateMachineArn": arn}))
        self._definitions[name] = (definition, role)
        return arn

    def start(self, state_machine: str, name: str, input_text: str) -> "Future[ExecutionRecord]":
        """Start an execution of a state machine that was put, and return at once.

        The future has the execution's record once it is saved. The same name and input again give the same record
        while it runs; later, or with another input, the future raises ExecutionAlreadyExists.
        """
        definition, role = self._definitions[state_machine]
        record = ExecutionRecord(
            arn=self._account.arn("execution", state_machine, name),
            state_machine_arn=self._account.arn("stateMachine", state_machine),
            name=name,
            input=input_text,
            definition="",
            start_ms=self._runner.clock.now_ms(),
        )
        return self._runner.start_soon(record, definition, role)

    def execution(self, state_machine: str, name: str) -> ExecutionRecord | None:
        """Return the record of an execution, None for one that is not kept."""
        return self._store.execution(self._account.arn("execution", state_machine, name))

    def open(self, host: str, port: int) -> str:
        """Resume the executions of the file, serve the API, and return its URL.

        Port 0 takes a free one. Raises OSError when the address cannot be taken.
        """
        self._runner.start_up()
        ready: Future[str] = Future()
        self._thread = threading.Thread(target=self._serve, args=(host, port, ready), name="engine-api", daemon=True)
        self._thread.start()
        return ready.result()

    def close(self) -> None:
        """Stop the API and the engine; a task under way is performed again later."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._runner.close()
        self._store.close()

    def _serve(self, host: str, port: int, ready: "Future[str]") -> None:
        async def run() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve(
                self._runner,
                host,
                port,
                account=self._account,
                stop=self._stop,
                ready=lambda host, port: ready.set_result(f"http://{host}:{port}"),
            )

        try:
            asyncio.run(run())
        except OSError as error:
            ready.set_exception(error)

    def _call(self, arguments: dict[str, Json]) -> ApiCall:
        return ApiCall(self._runner, self._account, arguments, random)

    def _start_nested(self, call: TaskCall) -> Json:
        return start_nested(self._runner, call, random)
