"""Runs ministack with a bound on the instances of each function, and with schedules that tell their time.

An invocation beyond the bound waits its turn. By itself ministack starts one more process for each invocation
that finds the others busy. Forty of them on two cores take minutes to do what two do in seconds; and to refuse an
invocation, as Lambda does at its limits, would only have it tried again later.

EventBridge Scheduler fills the scheduled time into a target's input; ministack leaves the placeholder, by which no
message can be dispatched. It reads every expression in UTC, and sweeps every ten seconds: here every second.
Its version is pinned, and tests hold it to the names used here.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from qu_workflows.protocol.message import SCHEDULED_TIME
from qu_workflows.schedules.expressions import At, ExpressionRefused, parse

INSTANCES_VARIABLE = "QU_INSTANCES_PER_FUNCTION"

SWEEP_SECONDS = 1

type Execute = Callable[..., dict[str, Any]]
type Invoke = Callable[..., None]


def bounded(execute: Execute, instances: int) -> Execute:
    """Return ministack's way to run a function, with so many invocations of one function at a time."""
    semaphores: defaultdict[str, threading.BoundedSemaphore] = defaultdict(
        lambda: threading.BoundedSemaphore(instances)
    )
    lock = threading.Lock()

    def execute_in_turn(function: dict[str, Any], config: dict[str, Any], *arguments: Any) -> dict[str, Any]:
        with lock:
            turn = semaphores[config["FunctionName"]]
        with turn:
            return execute(function, config, *arguments)

    return execute_in_turn


def telling_the_time(invoke: Invoke) -> Invoke:
    """Return ministack's way to send a target its input, with the scheduled time filled into a schedule's."""

    def invoke_with_time(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *more: Any) -> None:
        if event.get("Source") == "aws.scheduler" and SCHEDULED_TIME in target.get("Input", ""):
            time = scheduled_time(rule.get("ScheduleExpression", ""), event["Time"])
            target = {**target, "Input": target["Input"].replace(SCHEDULED_TIME, time)}
        invoke(target, event, rule, *more)

    return invoke_with_time


def scheduled_time(expression: str, now: float) -> str:
    """Return for which time a schedule fires now, in seconds since 1970: its own if it has one, else this minute."""
    try:
        parsed = parse(expression)
    except ExpressionRefused:  # ministack takes more than AWS does
        parsed = None
    moment = parsed.local if isinstance(parsed, At) else datetime.fromtimestamp(now, UTC).replace(second=0)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def main() -> None:
    """Serve until stopped. Everything else is ministack's own, and its settings are in the environment."""
    from ministack import app  # type: ignore[import-untyped]  # it ships no types
    from ministack.services import eventbridge, lambda_svc, scheduler  # type: ignore[import-untyped]  # it ships none

    instances = int(os.environ[INSTANCES_VARIABLE])
    lambda_svc._execute_function_dispatch = bounded(lambda_svc._execute_function_dispatch, instances)
    eventbridge._invoke_target = telling_the_time(eventbridge._invoke_target)
    scheduler._SCHEDULE_TICK_INTERVAL = SWEEP_SECONDS
    app.main()


if __name__ == "__main__":
    main()
