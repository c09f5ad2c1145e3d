"""What the local stack puts around ministack: a bound on instances of a function, and the time of a schedule."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ministack.services import eventbridge, lambda_svc, scheduler  # type: ignore[import-untyped]  # it ships no types

from deploy.local.aws.ministack_server import bounded, scheduled_time, telling_the_time
from qu_workflows.protocol.message import read_message, write_scheduled_message
from workflows.schedules import SCHEDULES


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


NOON = 1_795_521_600 + 42.7  # 2026-11-24 12:00:42.7 UTC


@pytest.mark.parametrize(
    ("expression", "time"),
    [
        ("rate(1 minute)", "2026-11-24T12:00:00Z"),
        ("cron(0 12 * * ? *)", "2026-11-24T12:00:00Z"),
        ("at(2026-11-24T11:59:07)", "2026-11-24T11:59:07Z"),
        ("rate(1 minutes)", "2026-11-24T12:00:00Z"),
    ],
)
def test_a_schedule_fires_for_its_own_time_or_for_this_minute(expression: str, time: str) -> None:
    assert scheduled_time(expression, NOON) == time


def test_a_schedule_s_message_gets_its_time_and_can_be_dispatched() -> None:
    sent: list[str] = []
    invoke = telling_the_time(lambda target, *_: sent.append(target["Input"]))
    target = {"Arn": "arn", "Input": write_scheduled_message(SCHEDULES[0])}

    invoke(target, {"Source": "aws.scheduler", "Time": NOON}, {"ScheduleExpression": "rate(1 minute)"})

    assert read_message(sent[0], "unused").name == f"{SCHEDULES[0].name}-20261124T120000Z"
    assert "<aws.scheduler.scheduled-time>" in target["Input"]  # the schedule's own stays


def test_what_no_schedule_sends_is_left_alone() -> None:
    sent: list[Any] = []
    invoke = telling_the_time(lambda *arguments: sent.append(arguments))
    target, event = {"Input": "<aws.scheduler.scheduled-time>"}, {"Source": "aws.states", "Time": NOON}

    invoke(target, event, {}, "view")
    invoke({}, {"Source": "aws.scheduler", "Time": NOON}, {})

    assert sent == [(target, event, {}, "view"), ({}, {"Source": "aws.scheduler", "Time": NOON}, {})]


def test_ministack_still_fires_schedules_by_the_names_that_are_replaced() -> None:
    assert eventbridge._invoke_target.__code__.co_varnames[:4] == ("target", "event", "rule", "view")
    assert {"_invoke_target", "time"} <= set(scheduler._tick_schedules.__code__.co_names)
    assert "_SCHEDULE_TICK_INTERVAL" in scheduler._ticker_loop.__code__.co_names
    assert scheduler._SCHEDULE_TICK_INTERVAL == 10
