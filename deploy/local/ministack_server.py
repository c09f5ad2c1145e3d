"""Runs ministack with a bound on the instances of each function: an invocation beyond it waits its turn.

By itself ministack starts one more process for each invocation that finds the others busy. Forty of them on
two cores take minutes to do what two do in seconds; and to refuse an invocation, as Lambda does at its
limits, would only have it tried again later. Its version is pinned, and a test holds it to the name used here.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

INSTANCES_VARIABLE = "QU_INSTANCES_PER_FUNCTION"

type Execute = Callable[..., dict[str, Any]]


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


def main() -> None:
    """Serve until stopped. Everything else is ministack's own, and its settings are in the environment."""
    from ministack import app  # type: ignore[import-untyped]  # it ships no types
    from ministack.services import lambda_svc  # type: ignore[import-untyped]  # it ships no types

    instances = int(os.environ[INSTANCES_VARIABLE])
    lambda_svc._execute_function_dispatch = bounded(lambda_svc._execute_function_dispatch, instances)
    app.main()


if __name__ == "__main__":
    main()
