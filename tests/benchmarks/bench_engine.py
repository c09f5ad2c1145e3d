"""Speed of the engine in process, on one core, with its durable store.

The floor is what no engine that keeps the same history rows can be faster than: serialising them with
orjson and writing them to SQLite by one executemany. Celery runs its chain on Redis with a result
backend; a redis-server is taken from the PATH or from REDIS_SERVER.

That the memory store is at least twice as fast has its target where a store counts: in short executions,
one after the other. In a loop of a thousand transitions the states themselves take most of the time.
"""

import importlib.util
import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import orjson

from asl_engine.adapters.functions import FunctionPerformer
from asl_engine.core.history import HistoryEvent
from asl_engine.runner import Runner
from asl_engine.store import Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.records import ExecutionRecord
from asl_engine.store.sqlite import SqliteStore
from tests.benchmarks.report import Row, medians, report, sized

ROUNDS, FEW_ROUNDS = sized(5), sized(3)
STARTERS = 32
PLACE = "arn:aws:states:us-east-1:000000000000"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:step"
LOOP_TRANSITIONS, LOOPS = sized(1000, 20), sized(40, 2)
SHORT, CHAINS = sized(200, 5), sized(400, 5)
WAITING, WAITING_BYTES = sized(100_000, 1_000), 2048
FEW_ITEMS, MANY_ITEMS = sized(1_000, 5), sized(10_000, 50)
_names = count()


def loop(transitions: int) -> dict[str, Any]:
    """Count in Pass and Choice states, that many transitions in all."""
    counted = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"}
    rule = {"Variable": "$.n", "NumericLessThan": transitions // 2, "Next": "Count"}
    more = {"Type": "Choice", "Choices": [rule], "Default": "Done"}
    return {"StartAt": "Count", "States": {"Count": counted, "More": more, "Done": {"Type": "Succeed"}}}


def line(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a definition of states one after the other."""
    named = [(f"S{number}", dict(state)) for number, state in enumerate(states)]
    for (_, state), (following, _) in pairwise(named):
        state["Next"] = following
    named[-1][1]["End"] = True
    return {"StartAt": "S0", "States": dict(named)}


TEN_PASSES = line([{"Type": "Pass"}] * 10)
THREE_STEPS = line([{"Type": "Task", "Resource": FUNCTION}] * 3)
WAIT = line([{"Type": "Wait", "Seconds": 10_000_000}])
# An inline Map with this many iterations would exceed the limit of a history.
CHILDREN = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
EACH = line([{"Type": "Map", "ItemProcessor": line([{"Type": "Pass"}]) | CHILDREN}])


@contextmanager
def running(store: Store, workers: int = 4) -> Iterator[Runner]:
    """Run executions over a store, with one function that adds 1."""
    runner = Runner(store, FunctionPerformer({FUNCTION: lambda number: number + 1}), workers=workers)
    runner.start_up()
    try:
        yield runner
    finally:
        runner.close()
        store.close()


def start(runner: Runner, definition: str, given: str) -> str:
    """Start an execution and return its ARN."""
    name = f"execution-{next(_names)}"
    record = ExecutionRecord(
        arn=f"{PLACE}:execution:bench:{name}",
        state_machine_arn=f"{PLACE}:stateMachine:bench",
        name=name,
        input=given,
        definition="",
        start_ms=runner.clock.now_ms(),
    )
    return runner.start(record, definition).arn


def seconds_of(runner: Runner, definition: Mapping[str, Any], given: Any, number: int) -> tuple[float, list[str]]:
    """Return the seconds until this many concurrent executions have ended, and their ARNs."""
    definition_text, text = json.dumps(definition), json.dumps(given)
    with ThreadPoolExecutor(STARTERS) as starters:
        began = time.perf_counter()
        arns = list(starters.map(lambda _: start(runner, definition_text, text), range(number)))
        ended = [runner.closed(arn, 120) for arn in arns]
        taken = time.perf_counter() - began
    failed = [(record.status, record.error, record.cause) for record in ended if record.status != "SUCCEEDED"]
    if failed:
        raise RuntimeError(f"{len(failed)} executions did not succeed: {failed[0]}")
    return taken, arns


@contextmanager
def sqlite_store() -> Iterator[SqliteStore]:
    """Make a durable store in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as folder:
        yield SqliteStore(Path(folder) / "engine.db")


def durable_rows() -> float:
    """History rows per second of loops with the durable store."""
    with sqlite_store() as store, running(store) as runner:
        return _rows(runner)


def memory_rows() -> float:
    """History rows per second of loops with the memory store."""
    with running(MemoryStore()) as runner:
        return _rows(runner)


def _rows(runner: Runner) -> float:
    taken, arns = seconds_of(runner, loop(LOOP_TRANSITIONS), {"n": 0}, LOOPS)
    return sum(map(runner.store.history_length, arns)) / taken


def short_rate(make_store: Callable[[], Any]) -> float:
    """Executions of ten Pass states per second, one after the other."""
    with make_store() as store, running(store) as runner:
        definition = json.dumps(TEN_PASSES)
        began = time.perf_counter()
        for _ in range(SHORT):
            runner.closed(start(runner, definition, "{}"), 60)
        return SHORT / (time.perf_counter() - began)


@contextmanager
def memory_store() -> Iterator[MemoryStore]:
    """Make a memory store."""
    yield MemoryStore()


def rows_of_a_loop() -> list[tuple[int, HistoryEvent]]:
    """Return the history rows that the loops leave."""
    with running(MemoryStore()) as runner:
        _, arns = seconds_of(runner, loop(LOOP_TRANSITIONS), {"n": 0}, LOOPS)
        return [(number, event) for number, arn in enumerate(arns) for event in runner.store.history(arn, limit=30_000)]


def floor_rows(rows: list[tuple[int, HistoryEvent]]) -> float:
    """Rows per second of serialising and writing alone."""
    with tempfile.TemporaryDirectory(prefix="bench-floor-") as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE history (execution INTEGER, id INTEGER, body BLOB, PRIMARY KEY (execution, id))"
        )
        began = time.perf_counter()
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?)", [(number, event.id, orjson.dumps(event)) for number, event in rows]
        )
        connection.execute("COMMIT")
        taken = time.perf_counter() - began
        connection.close()
        return len(rows) / taken


def chains() -> float:
    """Durable executions of three task states per second, many at once."""
    with sqlite_store() as store, running(store) as runner:
        return CHAINS / seconds_of(runner, THREE_STEPS, 0, CHAINS)[0]


def map_seconds(items: int) -> float:
    """Return the seconds of a durable distributed Map over this number of items."""
    with sqlite_store() as store, running(store) as runner:
        return seconds_of(runner, EACH, list(range(items)), 1)[0]


def waiting_bytes() -> float:
    """Bytes of memory that each waiting execution costs. Measured in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_engine", "waiting"], capture_output=True, text=True, check=True
    )
    threads, used = ran.stdout.split()
    if int(threads) > STARTERS:
        raise RuntimeError(f"{threads} threads for executions that only wait")
    return float(used)


def wait_and_report() -> None:
    """Print the threads and the bytes per execution while many executions wait."""
    with sqlite_store() as store, running(store) as runner:
        _start_waiting(runner, 2000)
        before = _resident_bytes()
        _start_waiting(runner, WAITING)
        used = (_resident_bytes() - before) / WAITING
        sys.stdout.write(f"{threading.active_count()} {used}\n")


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _start_waiting(runner: Runner, number: int) -> None:
    definition = json.dumps(WAIT)
    with ThreadPoolExecutor(STARTERS) as starters:
        for _ in range(number // 1000):
            list(starters.map(lambda _: start(runner, definition, "{}"), range(1000)))


@contextmanager
def celery() -> Iterator[Callable[[], float] | None]:
    """Run Redis and a Celery worker; yield a measure of chains per second, or None."""
    server = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if server is None or importlib.util.find_spec("celery") is None:
        sys.stderr.write(
            "Celery is not measured: it needs redis-server on the PATH (or its path in REDIS_SERVER; "
            "apt-get install redis-server) and the packages of the group bench (uv sync --group bench).\n"
        )
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ["BENCH_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    app = ["-m", "celery", "-A", "tests.benchmarks.celery_chain", "worker", "--concurrency", "2", "--loglevel", "ERROR"]
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        redis = subprocess.Popen(
            [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder], stdout=subprocess.DEVNULL
        )
        _wait_for(port)
        worker = subprocess.Popen([sys.executable, *app], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield celery_chains
        finally:
            for process in (worker, redis):
                process.terminate()
                process.wait(30)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("redis-server does not listen.")


def celery_chains() -> float:
    """Chains of three tasks per second, many at once."""
    client = [sys.executable, "-m", "tests.benchmarks.celery_chain", str(CHAINS)]
    return float(subprocess.run(client, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    """Measure everything and print the table."""
    rows = rows_of_a_loop()
    durable, memory, floor = medians(ROUNDS, durable_rows, memory_rows, partial(floor_rows, rows))
    short, short_in_memory = medians(ROUNDS, partial(short_rate, sqlite_store), partial(short_rate, memory_store))
    few, many = medians(FEW_ROUNDS, partial(map_seconds, FEW_ITEMS), partial(map_seconds, MANY_ITEMS))
    found = [
        Row("history rows, durable, of the floor", durable, "rows/s", floor, 0.33, more_is_better=True),
        Row("history rows, memory store, of durable", memory, "rows/s", durable),
        Row("ten Pass states one by one, memory of durable", short_in_memory, "/s", short, 2, more_is_better=True),
        Row(
            f"Map over {MANY_ITEMS:,} items, of {MANY_ITEMS // FEW_ITEMS} times {FEW_ITEMS:,}", many, "s", few * 10, 1.2
        ),
        Row("memory of a waiting execution", waiting_bytes(), "bytes", WAITING_BYTES, 1),
    ]
    with celery() as measure:
        if measure is not None:
            ours, theirs = medians(FEW_ROUNDS, chains, measure)
            found.append(Row("three steps, durable, of a Celery chain", ours, "/s", theirs, 10, more_is_better=True))
    return report("engine", found)


if __name__ == "__main__":
    if sys.argv[1:] == ["waiting"]:
        wait_and_report()
    else:
        sys.exit(main())
