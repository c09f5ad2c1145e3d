"""A runner on either store, with a test's definitions and functions."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asl_engine.adapters.functions import Function, FunctionPerformer
from asl_engine.adapters.registry import Registry
from asl_engine.adapters.start_execution import StartExecution
from asl_engine.clock import Clock, SkippingClock
from asl_engine.runner import Runner
from asl_engine.store import Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.records import ExecutionRecord
from asl_engine.store.sqlite import SqliteStore

PLACE = "arn:aws:states:us-east-1:000000000000"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"


class Bench:
    """Starts runners on one store, and executions in the latest runner."""

    place, function = PLACE, FUNCTION

    def __init__(self, make_store: Callable[[], Store]) -> None:
        self._make_store = make_store
        self.store = make_store()
        self.runner: Runner | None = None
        self.statuses: list[tuple[str, str]] = []

    def runner_with(
        self,
        tasks: Mapping[str, Function] | None = None,
        *,
        clock: Clock | None = None,
        workers: int = 4,
        start_execution: StartExecution | None = None,
    ) -> Runner:
        """Start a runner."""
        functions = {f"{FUNCTION}{name}": function for name, function in (tasks or {}).items()}
        performer = (
            Registry(functions, start_execution=start_execution) if start_execution else FunctionPerformer(functions)
        )
        self.runner = Runner(
            self.store,
            performer,
            clock=clock or SkippingClock(),
            workers=workers,
            listeners=[lambda record: self.statuses.append((record.name, record.status))],
        )
        self.runner.start_up()
        return self.runner

    def restart(self, tasks: Mapping[str, Function] | None = None, **options: Any) -> Runner:
        """Close the runner and the store, and start another on the saved executions."""
        assert self.runner is not None
        self.runner.close()
        if isinstance(self.store, SqliteStore):
            self.store.close()
            self.store = self._make_store()
        return self.runner_with(tasks, **options)

    def start(
        self, definition: Mapping[str, Any], name: str = "one", given: Any = None, **fields: Any
    ) -> ExecutionRecord:
        """Start an execution of a machine named orders."""
        assert self.runner is not None
        record = ExecutionRecord(
            **{
                "arn": f"{PLACE}:execution:orders:{name}",
                "state_machine_arn": f"{PLACE}:stateMachine:orders",
                "name": name,
                "input": json.dumps({} if given is None else given),
                "definition": "",
                "start_ms": self.runner.clock.now_ms(),
                **fields,
            }
        )
        return self.runner.start(record, json.dumps(definition))

    def run(
        self, definition: Mapping[str, Any], name: str = "one", given: Any = None, **fields: Any
    ) -> ExecutionRecord:
        """Start an execution and wait for its end."""
        record = self.start(definition, name, given, **fields)
        assert self.runner is not None
        return self.runner.closed(record.arn, 10)

    def types(self, arn: str) -> list[str]:
        """Return the types of the execution's events."""
        return [event.type for event in self.store.history(arn)]

    def close(self) -> None:
        if self.runner is not None:
            self.runner.close()
        self.store.close()


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(MemoryStore if request.param == "memory" else lambda: SqliteStore(tmp_path / "engine.db"))
    yield made
    made.close()


def machine(*states: tuple[str, dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return the definition of a sequence of states."""
    names = [name for name, _ in states]
    body = {
        name: {**state, **({"End": True} if index == len(states) - 1 else {"Next": names[index + 1]})}
        for index, (name, state) in enumerate(states)
    }
    return {"StartAt": names[0], "States": body, **fields}


@pytest.fixture(name="machine")
def machine_fixture() -> Callable[..., dict[str, Any]]:
    return machine


@pytest.fixture
def task() -> Callable[..., dict[str, Any]]:
    return lambda name, **fields: {"Type": "Task", "Resource": f"{FUNCTION}{name}", **fields}
