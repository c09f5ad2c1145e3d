"""Runs executions in a process that is killed again and again: ``killed.py FOLDER KILLS SEED``.

Each process starts an execution, continues the others, and is killed after a random time; the last one runs until all
have ended. ``FOLDER/log`` has in order the lines ``started NAME`` (the start was answered), ``begin KEY`` (a task
function was called), ``token TOKEN``, and after each kill ``saved KEY`` for each task with a success in a history.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from asl_engine.adapters.functions import FunctionPerformer
from asl_engine.errors import ApiError, ExecutionAlreadyExists
from asl_engine.runner import Runner
from asl_engine.store.records import ExecutionFilter, ExecutionRecord
from asl_engine.store.sqlite import SqliteStore

PLACE = "arn:aws:states:us-east-1:000000000000"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"
LONGEST_LIFE_SECONDS = 0.25


def task(name: str, item: str = "-", **fields: Any) -> dict[str, Any]:
    path = {"item.$": "$$.Map.Item.Value"} if item == "map" else {"item": item}
    parameters = {"execution.$": "$$.Execution.Name", "state.$": "$$.State.Name", **path}
    return {"Type": "Task", "Resource": f"{FUNCTION}{name}", "Parameters": parameters, "ResultPath": None, **fields}


def alone(name: str, state: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: {**state, "End": True}}, **config}


DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
RETRY = [{"ErrorEquals": ["ConnectionError"], "IntervalSeconds": 1, "MaxAttempts": 3}]
DEFINITION = {
    "StartAt": "First",
    "States": {
        "First": task("work", Next="Flaky"),
        "Flaky": task("flaky", Retry=RETRY, Next="Wait"),
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Both"},
        "Both": {
            "Type": "Parallel",
            "Branches": [alone("Left", task("work")), alone("Right", task("work"))],
            "ResultPath": None,
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": alone("Item", task("work", "map")),
            "ResultPath": None,
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
            "ResultPath": None,
            "Next": "Far",
        },
        "Far": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": alone("Far Item", task("work", "map"), **DISTRIBUTED),
            "ResultPath": None,
            "Next": "Last",
        },
        "Last": task("work", End=True),
    },
}
INPUT = '{"items":["x","y","z"]}'


class Log:
    """Lines, each written at once, so that a kill loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *words: str) -> None:
        os.write(self._file, f"{' '.join(words)}\n".encode())

    def lines(self, word: str) -> list[str]:
        lines = self._path.read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines if line.startswith(f"{word} ")]


class Life:
    """One process, from its start to its kill."""

    def __init__(self, folder: Path, number: int) -> None:
        self.log, self.number = Log(folder / "log"), number
        self.store = SqliteStore(folder / "engine.db")
        functions = {f"{FUNCTION}work": self.work, f"{FUNCTION}flaky": self.flaky, "ask": self.ask}
        self.runner = Runner(self.store, FunctionPerformer(functions), workers=4)

    def work(self, given: dict[str, str]) -> dict[str, str]:
        key = "/".join((given["execution"], given["state"], given["item"])).replace(" ", "_")
        self.log.write("begin", key)
        time.sleep(random.random() * 0.02)  # noqa: S311  not for secrets
        return {"key": key}

    def flaky(self, given: dict[str, str]) -> dict[str, str]:
        answer = self.work(given)
        if self.log.lines("begin").count(answer["key"]) < 2:
            raise ConnectionError
        return answer

    def ask(self, given: dict[str, str]) -> None:
        self.log.write("token", given["token"])

    def live(self, *, last: bool) -> None:
        self.runner.start_up()
        threading.Thread(target=self.answer, daemon=True).start()
        self.start(f"execution-{self.number}")
        while not last:
            time.sleep(1)
        for record in self.store.executions(ExecutionFilter(), limit=100_000):  # answered or not
            self.runner.closed(record.arn, 60)
        self.runner.close()
        self.store.close()

    def start(self, name: str) -> None:
        record = ExecutionRecord(
            arn=f"{PLACE}:execution:orders:{name}",
            state_machine_arn=f"{PLACE}:stateMachine:orders",
            name=name,
            input=INPUT,
            definition="",
            start_ms=self.runner.clock.now_ms(),
        )
        try:
            self.runner.start(record, json.dumps(DEFINITION))
        except ExecutionAlreadyExists:
            return
        self.log.write("started", name)

    def answer(self) -> None:
        """Answer task tokens, of this life and those before, until each is taken."""
        answered: set[str] = set()
        while True:
            for token in set(self.log.lines("token")) - answered:
                with suppress(ApiError):  # it was answered in a life before
                    self.runner.succeed_task(token, {})
                answered.add(token)
            time.sleep(0.01)


def note_what_is_saved(folder: Path, saved: set[str]) -> None:
    """Log the tasks that succeeded in the histories."""
    store, log = SqliteStore(folder / "engine.db"), Log(folder / "log")
    for record in store.executions(ExecutionFilter(), limit=100_000):
        for event in store.history(record.arn, limit=1000):
            if event.type == "LambdaFunctionSucceeded":
                key = json.loads(event.details["output"])["key"]
                if key not in saved:
                    saved.add(key)
                    log.write("saved", key)
    store.close()


def main(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  not for secrets
    saved: set[str] = set()
    for number in range(kills + 1):
        last = number == kills
        child = os.fork()
        if not child:
            Life(folder, number).live(last=last)
            os._exit(0)
        if not last:
            time.sleep(chance.random() * LONGEST_LIFE_SECONDS)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if last and status:
            sys.exit("The last life did not end well.")
        note_what_is_saved(folder, saved)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
