"""Run ministack with a limit of instances per function, and with scheduled times in messages.

ministack starts another process for each concurrent invocation; dozens of them on two cores take minutes for the work
of seconds. Here an invocation beyond the limit waits. EventBridge Scheduler writes the scheduled time into a target's
input; ministack leaves the placeholder, with which no message can be dispatched. It checks schedules every ten seconds:
here every second. It lets any web page call it, and so read secrets and run functions: here only pages of this
machine, and only by its own names. Its version is pinned, and tests check the names used here.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from qu_workflows.protocol.message import SCHEDULED_TIME
from qu_workflows.schedules.expressions import At, ExpressionRefused, parse

INSTANCES_VARIABLE = "QU_INSTANCES_PER_FUNCTION"

SWEEP_SECONDS = 1

type Execute = Callable[..., dict[str, Any]]
type Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
type Invoke = Callable[..., None]


def bounded(execute: Execute, instances: int) -> Execute:
    """Return ministack's function executor with a limit of concurrent invocations per function."""
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


def with_scheduled_time(invoke: Invoke) -> Invoke:
    """Return ministack's target invocation with scheduled times in the inputs."""

    def invoke_with_time(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], *more: Any) -> None:
        if event.get("Source") == "aws.scheduler" and SCHEDULED_TIME in target.get("Input", ""):
            time = scheduled_time(rule.get("ScheduleExpression", ""), event["Time"])
            target = {**target, "Input": target["Input"].replace(SCHEDULED_TIME, time)}
        invoke(target, event, rule, *more)

    return invoke_with_time


def scheduled_time(expression: str, now: float) -> str:
    """Return the time of ``at()``, or this minute for other expressions."""
    try:
        parsed = parse(expression)
    except ExpressionRefused:  # ministack accepts more than AWS
        parsed = None
    moment = parsed.local if isinstance(parsed, At) else datetime.fromtimestamp(now, UTC).replace(second=0)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def for_this_machine(app: Asgi) -> Asgi:
    """Return ministack's application, which refuses pages of other sites, also with a rebound DNS name."""

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        origin, host = headers.get(b"origin"), headers.get(b"host", b"localhost")
        pages = origin is None or _is_here(urlsplit(origin.decode("latin-1")).netloc)
        if scope["type"] == "lifespan" or (pages and _is_here(host.decode("latin-1"))):
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Forbidden: only this machine can use the stack.\n"})
        else:
            await send({"type": "websocket.close", "code": 1008})

    return guarded


def _is_here(netloc: str) -> bool:
    """Return whether a host, with or without a port, is this machine."""
    try:
        name = urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or name in {"127.0.0.1", "::1"}


def main() -> None:
    """Serve until stopped, with the settings in the environment."""
    from ministack import app  # type: ignore[import-untyped]  # it ships no types
    from ministack.services import eventbridge, lambda_svc, scheduler  # type: ignore[import-untyped]  # it ships none

    instances = int(os.environ[INSTANCES_VARIABLE])
    lambda_svc._execute_function_dispatch = bounded(lambda_svc._execute_function_dispatch, instances)
    eventbridge._invoke_target = with_scheduled_time(eventbridge._invoke_target)
    scheduler._SCHEDULE_TICK_INTERVAL = SWEEP_SECONDS
    app.app = for_this_machine(app.app)
    app.main()


if __name__ == "__main__":
    main()
