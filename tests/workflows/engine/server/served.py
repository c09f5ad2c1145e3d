"""The API served in a thread, and definitions for its tests."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.registry import Registry
from asl_engine.clock import Clock
from asl_engine.jsontext import Json
from asl_engine.runner.listeners import Listener
from asl_engine.runner.runner import Runner
from asl_engine.server.operations.tasks import activity_exists
from asl_engine.server.serve import serve, start_nested
from asl_engine.server.validation import Account
from asl_engine.store import Store
from asl_engine.store.memory import MemoryStore

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/engine"


class Server:
    """A server on a free port. ``functions`` perform the tasks; a test can add some."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        clock: Clock | None = None,
        draw: Callable[[], float] = lambda: 0.5,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.functions: dict[str, Callable[[Json], Json]] = {"echo": lambda event: event}
        store = store or MemoryStore()
        self.runner = Runner(
            store,
            Registry(self.functions, start_execution=self._start, local_only=True),
            clock=clock,
            draw=draw,
            listeners=listeners,
            activity_exists=partial(activity_exists, store),
        )
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.url = ""

    def _start(self, call: TaskCall) -> Json:
        return start_nested(self.runner, call, lambda: 0.5)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(
            self.runner, port=0, account=Account("eu-west-1"), stop=self._stop, ready=self._ready, draw=lambda: 0.5
        )

    def _ready(self, host: str, port: int) -> None:
        self.url = f"http://{host}:{port}"
        self._listening.set()

    def start(self) -> None:
        """Start the runner and the server."""
        self.runner.start_up()
        self._thread.start()
        assert self._listening.wait(10)

    def stop(self) -> None:
        """Stop both."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self.runner.close()


def machine_of(**states: dict[str, Any]) -> str:
    """Return the definition of a sequence of states."""
    names = list(states)
    for name, following in pairwise(names):
        if states[name]["Type"] not in ("Succeed", "Fail", "Choice"):
            states[name].setdefault("Next", following)
    if states[names[-1]]["Type"] not in ("Succeed", "Fail", "Choice"):
        states[names[-1]].setdefault("End", True)
    return json.dumps({"StartAt": names[0], "States": states})


PASS = machine_of(Done={"Type": "Pass"})
WAIT = machine_of(Later={"Type": "Wait", "Seconds": 3600})


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """Return the error code and message of a call."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]
