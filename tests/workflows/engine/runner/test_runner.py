"""The runner on either store."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from asl_engine.adapters.performer import TaskCall
from asl_engine.clock import SkippingClock, SystemClock
from asl_engine.core.advance import advance
from asl_engine.core.task_state import task_token
from asl_engine.errors import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    ExecutionNotRedrivable,
    ExecutionStalled,
    InvalidToken,
    RunnerStopped,
    TaskDoesNotExist,
    TaskTimedOut,
)

type Machine = Callable[..., dict[str, Any]]

PASS = {"Type": "Pass"}
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"


@pytest.mark.parametrize("workers", [0, 4])
def test_an_execution_runs_to_its_end(bench: Any, machine: Machine, task: Machine, workers: int) -> None:
    bench.runner_with({"double": lambda n: n * 2}, workers=workers)

    record = bench.run(machine(("A", task("double")), ("B", task("double")), ("C", PASS)), given=3)

    assert (record.status, record.output) == ("SUCCEEDED", "12")
    assert bench.store.execution(record.arn) == record
    assert bench.types(record.arn)[:5] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
    ]
    bench.runner.close()
    assert bench.statuses == [("one", "RUNNING"), ("one", "SUCCEEDED")]


def test_a_functions_exception_fails_its_task_by_class_name(bench: Any, machine: Machine, task: Machine) -> None:
    def refuse(_: Any) -> None:
        raise LookupError("nothing there")

    bench.runner_with({"refuse": refuse})

    record = bench.run(machine(("A", task("refuse"))))

    assert (record.status, record.error) == ("FAILED", "LookupError")
    assert json.loads(record.cause)["errorMessage"] == "nothing there"


def test_an_error_of_the_performer_fails_the_task_only(
    bench: Any, machine: Machine, task: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    runner = bench.runner_with()

    def broken(call: TaskCall) -> None:
        raise AttributeError(call.resource)

    runner._task_dispatch._performer.perform = broken

    record = bench.run(machine(("A", task("any"))))

    assert (record.status, record.error) == ("FAILED", "States.Runtime")
    assert "failed with an error of its adapter" in caplog.text


def test_a_year_of_waiting_is_skipped(bench: Any, machine: Machine) -> None:
    runner = bench.runner_with(clock=SkippingClock(1_700_000_000_000))
    began = time.monotonic()

    record = bench.run(machine(("W", {"Type": "Wait", "Seconds": 31_536_000})))

    assert time.monotonic() - began < 5
    assert (record.status, record.stop_ms) == ("SUCCEEDED", 1_700_000_000_000 + 31_536_000_000)
    assert runner.clock.now_ms() == record.stop_ms


def test_time_is_not_skipped_while_a_task_is_under_way(bench: Any, machine: Machine, task: Machine) -> None:
    bench.runner_with({"slow": lambda _: time.sleep(0.1)})

    record = bench.run(machine(("A", task("slow", TimeoutSeconds=60))))

    assert record.status == "SUCCEEDED"


def test_a_real_clock_waits(bench: Any, machine: Machine) -> None:
    bench.runner_with(clock=SystemClock())

    record = bench.run(machine(("W", {"Type": "Wait", "Seconds": 1})))

    assert 1000 <= record.stop_ms - record.start_ms < 3000


def test_a_repeated_start_returns_the_running_execution(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    bench.runner_with({"hold": lambda _: release.wait(10)})
    first = bench.start(machine(("A", task("hold"))), given={"a": 1})

    again = bench.start(machine(("A", task("hold"))), given={"a": 1})
    with pytest.raises(ExecutionAlreadyExists, match=f"Execution Already Exists: '{first.arn}'"):
        bench.start(machine(("A", task("hold"))), given={"a": 2})
    release.set()
    bench.runner.closed(first.arn, 10)
    with pytest.raises(ExecutionAlreadyExists):
        bench.start(machine(("A", task("hold"))), given={"a": 1})

    assert (again.arn, again.start_ms) == (first.arn, first.start_ms)


def test_many_threads_with_one_name_start_one_execution(bench: Any, machine: Machine) -> None:
    bench.runner_with()
    answers: list[str] = []

    def start(number: int) -> None:
        try:
            bench.start(machine(("W", {"Type": "Wait", "Seconds": 1})), given=number)
            answers.append("started")
        except ExecutionAlreadyExists:
            answers.append("refused")

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["refused"] * 7 + ["started"]


def test_an_execution_can_be_stopped(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    runner = bench.runner_with({"hold": lambda _: release.wait(10)})
    record = bench.start(machine(("A", task("hold"))))

    stopped_ms = runner.stop(record.arn, "Enough", "It took too long.")
    release.set()

    closed = bench.store.execution(record.arn)
    assert (closed.status, closed.error, closed.cause, closed.stop_ms) == (
        "ABORTED",
        "Enough",
        "It took too long.",
        stopped_ms,
    )
    assert runner.stop(record.arn, "Again") == stopped_ms
    assert bench.types(record.arn)[-1] == "ExecutionAborted"


def test_operations_on_an_unknown_execution_are_refused(bench: Any) -> None:
    runner = bench.runner_with()

    with pytest.raises(ExecutionDoesNotExist, match="Execution Does Not Exist: 'nothing'"):
        runner.stop("nothing")
    with pytest.raises(ExecutionDoesNotExist):
        runner.redrive("nothing")


def test_a_redriven_execution_continues_at_the_failed_state(bench: Any, machine: Machine, task: Machine) -> None:
    calls: list[str] = []

    def flaky(_: Any) -> str:
        calls.append("flaky")
        if len(calls) == 1:
            raise ValueError("not yet")
        return "done"

    runner = bench.runner_with({"first": lambda _: calls.clear(), "flaky": flaky})
    record = bench.run(machine(("A", task("first")), ("B", task("flaky"))))
    assert runner.redrive_status(record) == ("REDRIVABLE", None)

    runner.redrive(record.arn)
    again = runner.closed(record.arn, 10)

    assert (again.status, again.output, again.redrive_count, again.error) == ("SUCCEEDED", '"done"', 1, None)
    assert calls == ["flaky", "flaky"]
    with pytest.raises(ExecutionNotRedrivable, match="Execution is SUCCEEDED and cannot be redriven"):
        runner.redrive(record.arn)
    runner.close()
    assert bench.statuses == [("one", "RUNNING"), ("one", "FAILED"), ("one", "RUNNING"), ("one", "SUCCEEDED")]


def token_of(tokens: list[str]) -> str:
    for _ in range(500):
        if tokens:
            return tokens[-1]
        time.sleep(0.01)
    raise AssertionError("no task token came")


def callback(seconds: int | None = None) -> dict[str, Any]:
    limit = {} if seconds is None else {"TimeoutSeconds": seconds}
    return {
        "Type": "Task",
        "Resource": CALLBACK,
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
        **limit,
    }


@pytest.fixture
def tokens() -> list[str]:
    return []


@pytest.fixture
def asking(bench: Any, tokens: list[str]) -> Any:
    runner = bench.runner_with(clock=SystemClock())
    runner.performer._functions["ask"] = lambda given: tokens.append(given["token"])
    return runner


def test_a_task_token_ends_its_task_once(bench: Any, machine: Machine, asking: Any, tokens: list[str]) -> None:
    record = bench.start(machine(("Ask", callback())))
    token = token_of(tokens)

    asking.beat(token)
    asking.succeed_task(token, {"answer": 42})

    assert asking.closed(record.arn, 10).output == '{"answer":42}'
    with pytest.raises(TaskTimedOut, match="Provided task does not exist anymore"):
        asking.succeed_task(token, 1)
    with pytest.raises(TaskTimedOut):
        asking.fail_task(token)
    with pytest.raises(TaskTimedOut):
        asking.beat(token)


def test_a_task_token_fails_its_task(bench: Any, machine: Machine, asking: Any, tokens: list[str]) -> None:
    record = bench.start(machine(("Ask", callback())))

    asking.fail_task(token_of(tokens), "Refused", "by hand")

    closed = asking.closed(record.arn, 10)
    assert (closed.status, closed.error, closed.cause) == ("FAILED", "Refused", "by hand")


@pytest.mark.usefixtures("asking")
def test_a_task_token_survives_a_restart(bench: Any, machine: Machine, tokens: list[str]) -> None:
    record = bench.start(machine(("Ask", callback())))
    token = token_of(tokens)
    while "TaskSubmitted" not in bench.types(record.arn):
        time.sleep(0.01)

    runner = bench.restart()
    runner.succeed_task(token, "after")

    assert runner.closed(record.arn, 10).output == '"after"'
    assert len(tokens) == 1


def test_an_invalid_token_differs_from_one_of_a_deleted_execution(bench: Any, asking: Any) -> None:
    with pytest.raises(InvalidToken, match="Invalid Token: 'Invalid token'"):
        asking.succeed_task("NoSuchTaskToken", 1)
    with pytest.raises(InvalidToken):
        asking.beat("")
    with pytest.raises(TaskDoesNotExist):
        asking.succeed_task(task_token(f"{bench.place}:execution:orders:gone", 1, 1, 7), 1)


def test_a_stalled_execution_is_reported_without_threads(bench: Any, machine: Machine) -> None:
    runner = bench.runner_with(workers=0)
    runner.performer._functions["ask"] = str

    with pytest.raises(ExecutionStalled, match="waits for a task in Ask"):
        bench.run(machine(("Ask", callback())))


@pytest.mark.parametrize("workers", [0, 4])
def test_a_task_function_can_end_its_own_task_by_token(bench: Any, machine: Machine, workers: int) -> None:
    runner = bench.runner_with(workers=workers, clock=SystemClock())
    runner.performer._functions["ask"] = lambda given: runner.succeed_task(given["token"], "mine")

    assert bench.run(machine(("Ask", callback()))).output == '"mine"'


def test_the_tasks_of_an_activity_wait_for_workers(bench: Any, machine: Machine) -> None:
    activity = f"{bench.place}:activity:pack"
    runner = bench.runner_with()
    assert runner.take_activity_task(activity) is None
    record = bench.start(machine(("Pack", {"Type": "Task", "Resource": activity})), given={"box": 1})

    taken = runner.take_activity_task(activity, "worker 1")

    assert taken is not None
    token, given = taken
    assert given == '{"box":1}'
    assert runner.take_activity_task(activity) is None
    runner.succeed_task(token, "packed")
    assert runner.closed(record.arn, 10).output == '"packed"'
    started = next(event for event in bench.store.history(record.arn) if event.type == "ActivityStarted")
    assert started.details["workerName"] == "worker 1"


def test_a_stopped_activity_task_is_not_given_to_a_worker(bench: Any, machine: Machine) -> None:
    activity = f"{bench.place}:activity:pack"
    runner = bench.runner_with()
    record = bench.start(machine(("Pack", {"Type": "Task", "Resource": activity})))
    runner.stop(record.arn)

    assert runner.take_activity_task(activity) is None


def test_the_task_of_an_activity_waits_through_a_restart(bench: Any, machine: Machine) -> None:
    activity = f"{bench.place}:activity:pack"
    bench.runner_with()
    record = bench.start(machine(("Pack", {"Type": "Task", "Resource": activity})))

    runner = bench.restart()
    token, _ = runner.take_activity_task(activity)
    runner.succeed_task(token, 1)

    assert runner.closed(record.arn, 10).status == "SUCCEEDED"


def test_a_wait_keeps_its_end_through_a_restart(bench: Any, machine: Machine) -> None:
    clock = HeldClock()
    bench.runner_with(clock=clock)
    record = bench.start(machine(("W", {"Type": "Wait", "Seconds": 100})))
    clock.skip_to(clock.now_ms() + 60_000)

    runner = bench.restart(clock=SkippingClock(clock.now_ms()))

    closed = runner.closed(record.arn, 10)
    assert (closed.stop_ms or 0) - record.start_ms == 100_000


class HeldClock(SkippingClock):
    """A clock that a test moves."""

    def wait(self, woken: threading.Event, _until_ms: int | None, *, busy: bool) -> None:
        assert busy in (True, False)
        woken.wait()


def test_a_task_that_was_under_way_is_performed_again_after_a_restart(
    bench: Any, machine: Machine, task: Machine
) -> None:
    calls: list[str] = []
    began, forever = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        calls.append("hang")
        began.set()
        forever.wait(20)

    bench.runner_with({"first": lambda _: calls.append("first"), "second": hang})
    record = bench.start(machine(("A", task("first")), ("B", task("second"))))
    assert began.wait(10)

    runner = bench.restart({"first": lambda _: calls.append("first"), "second": lambda _: calls.append("again")})

    assert runner.closed(record.arn, 10).status == "SUCCEEDED"
    assert calls == ["first", "hang", "again"]
    forever.set()


def test_a_long_task_is_shown_as_started(bench: Any, machine: Machine, task: Machine) -> None:
    release = threading.Event()
    bench.runner_with({"hold": lambda _: release.wait(10)}, clock=SystemClock())
    record = bench.start(machine(("A", task("hold"))))

    assert bench.types(record.arn)[-1] == "LambdaFunctionScheduled"
    for _ in range(300):
        if bench.types(record.arn)[-1] == "LambdaFunctionStarted":
            break
        time.sleep(0.01)
    assert bench.types(record.arn)[-1] == "LambdaFunctionStarted"
    release.set()
    assert bench.runner.closed(record.arn, 10).status == "SUCCEEDED"


def start_nested(bench: Any, definition: dict[str, Any]) -> Callable[[TaskCall], Any]:
    def start(call: TaskCall) -> Any:
        record = bench.start(definition, call.parameters["Name"], call.parameters.get("Input"))
        return {"ExecutionArn": record.arn, "StartDate": record.start_ms}

    return start


def nested(pattern: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::states:startExecution{pattern}",
        "Parameters": {"StateMachineArn": "m", "Name": "child", "Input": {"n": 1}},
    }


def test_a_task_waits_for_its_nested_execution(bench: Any, machine: Machine) -> None:
    child = machine(("W", {"Type": "Wait", "Seconds": 1}))
    bench.runner_with(start_execution=start_nested(bench, child), clock=SystemClock())

    record = bench.run(machine(("Start", nested(".sync:2"))))

    output = json.loads(record.output)
    assert (output["Status"], output["Output"], output["Name"]) == ("SUCCEEDED", {"n": 1}, "child")


def test_a_task_fails_with_its_nested_execution(bench: Any, machine: Machine) -> None:
    child = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken"}}}
    bench.runner_with(start_execution=start_nested(bench, child))

    record = bench.run(machine(("Start", nested(".sync"))))

    assert (record.status, record.error) == ("FAILED", "States.TaskFailed")
    assert json.loads(record.cause)["Error"] == "Broken"


def test_a_restart_reports_recently_closed_executions_again(bench: Any, machine: Machine) -> None:
    bench.runner_with(clock=SkippingClock(1_000_000))
    bench.run(machine(("Done", {"Type": "Pass"})), "long ago")
    bench.restart(clock=SkippingClock(2_000_000))
    bench.run(machine(("Done", {"Type": "Pass"})), "just now")
    bench.statuses.clear()

    bench.restart()

    assert bench.statuses == [("just now", "SUCCEEDED")]


def test_a_nested_execution_is_awaited_across_a_restart(bench: Any, machine: Machine) -> None:
    child = machine(("W", {"Type": "Wait", "Seconds": 100}))
    bench.runner_with(start_execution=start_nested(bench, child), clock=HeldClock())
    record = bench.start(machine(("Start", nested(".sync"))))
    while "TaskSubmitted" not in bench.types(record.arn):
        time.sleep(0.01)

    runner = bench.restart()

    assert runner.closed(record.arn, 10).status == "SUCCEEDED"
    assert bench.types(record.arn).count("TaskSubmitted") == 1


def test_stopping_an_execution_stops_its_nested_one(bench: Any, machine: Machine) -> None:
    child = machine(("W", {"Type": "Wait", "Seconds": 100}))
    runner = bench.runner_with(start_execution=start_nested(bench, child), clock=HeldClock())
    record = bench.start(machine(("Start", nested(".sync"))))
    while "TaskSubmitted" not in bench.types(record.arn):
        time.sleep(0.01)

    runner.stop(record.arn)

    assert runner.closed(record.arn.replace(":one", ":child"), 10).status == "ABORTED"


def test_an_express_execution_is_not_stored(bench: Any, machine: Machine) -> None:
    runner = bench.runner_with()

    record = bench.start(machine(("W", {"Type": "Wait", "Seconds": 2})), express=True)
    closed = runner.closed(record.arn, 10)

    assert closed.status == "SUCCEEDED"
    assert bench.store.execution(record.arn) is None
    assert runner.closed(record.arn, 10) == closed  # asked for just after its end


def test_an_engine_fault_stops_one_execution_only(
    bench: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from asl_engine.runner import event_loop as engine

    def broken(program: Any, execution: Any, event: Any, *rest: Any) -> Any:
        if execution.name == "bad" and type(event).__name__ == "TimerFired":
            raise ZeroDivisionError
        return advance(program, execution, event, *rest)

    monkeypatch.setattr(engine, "advance", broken)
    runner = bench.runner_with()
    wait = machine(("W", {"Type": "Wait", "Seconds": 5}))
    bad, good = bench.start(wait, "bad"), bench.start(wait, "good")

    assert runner.closed(good.arn, 10).status == "SUCCEEDED"
    closed = runner.closed(bad.arn, 10)
    runner.close()
    assert (closed.status, closed.error) == ("ABORTED", "States.Runtime")
    assert "the engine failed on" in caplog.text


def test_a_failing_store_stops_the_runner_and_all_callers(
    bench: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runner = bench.runner_with()

    def full(_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(bench.store, "save", full)

    with pytest.raises(RunnerStopped, match="no space left"):
        bench.start(machine(("A", PASS)))
    with pytest.raises(RunnerStopped, match="Start another on the same store"):
        runner.stop("anything")
    runner.close()
    assert "The engine has stopped" in caplog.text
    monkeypatch.undo()
    assert bench.store.execution(f"{bench.place}:execution:orders:one") is None


def test_a_closed_runner_refuses_requests(bench: Any, machine: Machine) -> None:
    bench.runner_with().close()

    with pytest.raises(RunnerStopped, match="closed"):
        bench.start(machine(("A", PASS)))


def test_a_listener_that_fails_harms_nothing(bench: Any, machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    runner = bench.runner_with()
    runner._status_listeners._listeners = [lambda record: record.no_such_field]

    assert bench.run(machine(("A", PASS))).status == "SUCCEEDED"
    runner.close()
    assert "the status listener" in caplog.text


def test_more_executions_than_the_cache_holds_all_end(bench: Any, machine: Machine) -> None:
    runner = bench.runner_with(clock=HeldClock())
    runner._executions._capacity = 5
    records = [bench.start(machine(("W", {"Type": "Wait", "Seconds": 60})), str(number)) for number in range(40)]
    assert len(runner._executions._recent) == 5

    runner = bench.restart()

    assert {runner.closed(record.arn, 10).status for record in records} == {"SUCCEEDED"}


def test_a_long_loop_does_not_block_other_executions(bench: Any) -> None:
    loop = {
        "StartAt": "Count",
        "States": {
            "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"},
            "More": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThan": 2000, "Next": "Count"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
        },
    }
    bench.runner_with()

    record = bench.run(loop, given={"n": 0})

    assert record.output == '{"n":2000}'
    assert bench.store.history_length(record.arn) == 4 * 2000 + 4
    assert replace(record) == bench.store.execution(record.arn)
