"""A served engine on the SQLite store, whose time a test moves."""

import json
import threading
import time
from itertools import count
from pathlib import Path
from random import random
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from asl_engine.clock import SystemClock
from asl_engine.jsontext import Json
from asl_engine.store.records import ExecutionRecord
from asl_engine.store.sqlite import SqliteStore
from tests.workflows.engine.server.served import ACCOUNT, ROLE, Server

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

NUMBERS = count()


class Broken(Exception):
    """The function's error."""


class FastClock:
    """A time ten times as fast as this machine's, moved by what a test says."""

    speed = 10

    def __init__(self) -> None:
        self.shift_ms = 0
        self._machine = SystemClock()
        self._began_ms = self._machine.now_ms()

    def now_ms(self) -> int:
        return self._began_ms + (self._machine.now_ms() - self._began_ms) * self.speed + self.shift_ms

    def move_to(self, at_ms: int) -> None:
        self.shift_ms += at_ms - self.now_ms()

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        left_ms = None if until_ms is None else (until_ms - self.now_ms()) // self.speed + 1
        self._machine.wait(woken, None if left_ms is None else self._machine.now_ms() + left_ms, busy=busy)


class Service:
    """The served engine, what its function ``work`` does, and what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.clock = FastClock()
        self.reported: list[ExecutionRecord] = []
        self.store = SqliteStore(folder / "engine.db")
        self.server = Server(self.store, clock=self.clock, draw=random, listeners=[self.reported.append])
        self.server.start()
        self.calls: list[Json] = []
        self.broken: set[str] = set()
        self.server.functions["work"] = self.work
        self.sfn: SFNClient = boto3.client(
            "stepfunctions",
            endpoint_url=self.server.url,
            region_name="eu-west-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="secret",
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, max_pool_connections=20),
        )

    def reported_of(self, arn: str, most: int, patience_seconds: float = 10) -> list[ExecutionRecord]:
        """Return an execution's records that listeners got, after waiting for ``most`` of them."""
        deadline = time.monotonic() + patience_seconds
        while len(reported := [one for one in self.reported if one.arn == arn]) < most and time.monotonic() < deadline:
            time.sleep(0.01)
        return reported

    def work(self, event: Json) -> Json:
        """Fail while the item's name is among the broken ones, else return it."""
        name = event["item"] if isinstance(event, dict) and "item" in event else str(event)
        self.calls.append(name)
        if name in self.broken:
            raise Broken(name)
        return name

    def create(self, definition: str, **more: Any) -> str:
        name = f"rules-{next(NUMBERS)}"
        return self.sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE, **more)["stateMachineArn"]

    def start(self, machine: str, **more: Any) -> str:
        return self.sfn.start_execution(stateMachineArn=machine, **more)["executionArn"]

    def closed(self, arn: str) -> dict[str, Any]:
        self.server.runner.closed(arn, 20)
        return dict(self.sfn.describe_execution(executionArn=arn))

    def failed(self, definition: str, **more: Any) -> str:
        """Run a definition to its failure, with nothing called before."""
        arn = self.start(self.create(definition), **more)
        assert self.closed(arn)["status"] == "FAILED"
        self.calls.clear()
        return arn

    def redriven(self, arn: str) -> dict[str, Any]:
        self.sfn.redrive_execution(executionArn=arn)
        return self.closed(arn)

    def history(self, arn: str) -> list[dict[str, Any]]:
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [dict(event) for page in pages for event in page["events"]]

    def types_after_redrive(self, arn: str) -> list[str]:
        types = [event["type"] for event in self.history(arn)]
        last = len(types) - 1 - types[::-1].index("ExecutionRedriven")
        return types[last:]


def work(**more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:work", **more}


def wait(seconds: int = 3600) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": seconds}


def items(*names: str) -> str:
    return json.dumps({"items": [{"item": name} for name in names]})
