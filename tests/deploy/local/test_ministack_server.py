"""The bound on instances of a function that the local stack puts around ministack."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.services import lambda_svc  # type: ignore[import-untyped]  # it ships no types

from deploy.local.ministack_server import bounded


def test_no_more_invocations_of_a_function_run_at_a_time_than_there_may_be_instances() -> None:
    running: dict[str, int] = {"a": 0, "b": 0}
    most = dict(running)
    lock = threading.Lock()

    def execute(function: dict[str, Any], config: dict[str, Any], *_: Any) -> dict[str, Any]:
        name = config["FunctionName"]
        with lock:
            running[name] += 1
            most[name] = max(most[name], running[name])
        time.sleep(0.01)
        with lock:
            running[name] -= 1
        return {"body": function["answer"]}

    execute_in_turn = bounded(execute, 2)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda name: execute_in_turn({"answer": name}, {"FunctionName": name}), "ab" * 8))

    assert most == {"a": 2, "b": 2}
    assert [answer["body"] for answer in answers] == list("ab" * 8)


def test_a_failed_invocation_gives_its_turn_back() -> None:
    def execute(*_: Any) -> dict[str, Any]:
        raise OSError("no more processes")

    execute_in_turn = bounded(execute, 1)
    errors = []
    for _ in range(3):
        try:
            execute_in_turn({}, {"FunctionName": "a"})
        except OSError as error:
            errors.append(str(error))

    assert errors == ["no more processes"] * 3


def test_ministack_still_runs_functions_by_the_name_that_is_replaced() -> None:
    names = lambda_svc._execute_function_dispatch.__code__.co_varnames

    assert names[:2] == ("func", "config")
    assert "_execute_function_dispatch" in lambda_svc._execute_function.__code__.co_names
