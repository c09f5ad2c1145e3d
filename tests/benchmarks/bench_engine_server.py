"""Speed of the engine as a server, compared with ministack and moto.

Ours keeps its executions and whole histories in a durable store; the others keep theirs in memory.
boto3 itself takes some 0.6 to 0.9 ms of a core for a call: one script asks for about 1,200 executions a
second at most, and in "executions" it is the script that our server waits for.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config

from tests.benchmarks.bench_engine import TEN_PASSES, loop
from tests.benchmarks.report import Row, medians, report, sized

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ROUNDS = sized(3)
TRANSITIONS, EXECUTIONS = sized(1000, 20), sized(500, 5)
STARTS_AT_A_TIME = 10
ROLE = "arn:aws:iam::000000000000:role/bench"
_names = count()


@contextmanager
def server(*arguments: str, port: int, **environment: str) -> Iterator[str]:
    """Run a server in a subprocess during the block; yield its address."""
    credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=out, stderr=out, env={**os.environ, **credentials, **environment}
        )
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"Nothing listens on port {port}.")


class Script:
    """The requests to each server."""

    def __init__(self, endpoint: str) -> None:
        self._client: SFNClient = boto3.client(
            "stepfunctions",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(max_pool_connections=STARTS_AT_A_TIME),
        )
        self._loop = self._machine("loop", loop(TRANSITIONS))
        self._passes = self._machine("passes", TEN_PASSES)

    def _machine(self, name: str, definition: dict[str, Any]) -> str:
        created = self._client.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
        return created["stateMachineArn"]

    def transitions(self) -> float:
        """Transitions per second of one long loop."""
        began = time.perf_counter()
        self._end(self._start(self._loop, '{"n":0}'))
        return TRANSITIONS / (time.perf_counter() - began)

    def executions(self) -> float:
        """Return executions of ten Pass states per second, started ten at a time.

        Then it is asked which are running until none is.
        """
        began = time.perf_counter()
        with ThreadPoolExecutor(STARTS_AT_A_TIME) as starters:
            started = set(starters.map(lambda _: self._start(self._passes, "{}"), range(EXECUTIONS)))
        while self._client.list_executions(stateMachineArn=self._passes, statusFilter="RUNNING")["executions"]:
            time.sleep(0.001)
        seconds = time.perf_counter() - began
        if lost := started - self._succeeded():
            raise RuntimeError(f"{len(lost)} executions did not succeed, {min(lost)} for one.")
        return EXECUTIONS / seconds

    def _succeeded(self) -> set[str]:
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self._passes, statusFilter="SUCCEEDED"
        )
        return {execution["executionArn"] for page in pages for execution in page["executions"]}

    def _start(self, machine: str, given: str) -> str:
        name = f"execution-{next(_names)}"
        return self._client.start_execution(stateMachineArn=machine, name=name, input=given)["executionArn"]

    def _end(self, arn: str) -> None:
        while (status := self._client.describe_execution(executionArn=arn)["status"]) == "RUNNING":
            time.sleep(0.001)
        if status != "SUCCEEDED":
            raise RuntimeError(f"{arn} ended {status}.")


def execute_in_moto(endpoint: str) -> None:
    """Enable execution of state machines in moto."""
    body = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
    urlopen(Request(f"{endpoint}/moto-api/config", body, {"Content-Type": "application/json"})).close()  # noqa: S310  our own server


def main() -> int:
    """Measure the three in turns and print the table."""
    ports = [free_port() for _ in range(3)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-engine-"))
        database = str(Path(folder) / "engine.db")
        serve = ["asl_engine", "serve", "--port", str(ports[0]), "--db", database]
        ours = Script(stack.enter_context(server(*serve, port=ports[0])))
        bind = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(ports[1])}
        ministack = Script(stack.enter_context(server("ministack", port=ports[1], **bind)))
        moto_server = ("moto.server", "-H", "127.0.0.1", "-p", str(ports[2]))
        endpoint = stack.enter_context(server(*moto_server, port=ports[2]))
        execute_in_moto(endpoint)
        moto = Script(endpoint)
        transitions = medians(ROUNDS, ours.transitions, ministack.transitions, moto.transitions)
        executions = medians(ROUNDS, ours.executions, ministack.executions, moto.executions)
    return report("engine_server", rows(transitions, executions))


def rows(transitions: list[float], executions: list[float]) -> list[Row]:
    """Return the table's rows; each list is ours, ministack's, moto's."""
    loops, passes = f"transitions, loop of {TRANSITIONS:,}", "executions of ten Pass states"
    return [
        Row(f"{loops}, of ministack", transitions[0], "/s", transitions[1], 2, more_is_better=True),
        Row(f"{loops}, of moto", transitions[0], "/s", transitions[2], 25, more_is_better=True),
        Row(f"{passes}, of ministack", executions[0], "/s", executions[1], 2, more_is_better=True),
        Row(f"{passes}, of moto", executions[0], "/s", executions[2], 15, more_is_better=True),
    ]


if __name__ == "__main__":
    sys.exit(main())
