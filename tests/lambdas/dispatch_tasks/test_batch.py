"""A batch: concurrent messages with their own outcomes, and FIFO groups in order."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.dispatch_tasks import batch
from lambdas.dispatch_tasks.batch import DispatchOutcome, DispatchStatus, EarlierMessageFailed
from lambdas.dispatch_tasks.starts import NoTimeLeft, StartRefused
from qu_workflows.protocol.message import ExecutionStart, NotJson
from tests.lambdas.dispatch_tasks.fakes import sqs_record, task_body

FIFO = "arn:aws:sqs:us-east-2:123456789012:tasks.fifo"
SECONDS_TO_MEET = 5

type StartExecution = Callable[[ExecutionStart, str | None], bool]


def raising(error: Exception, *names: str) -> StartExecution:
    """Return a start that fails for these task ids."""

    def start(execution: ExecutionStart, _trace_header: str | None) -> bool:
        if execution.name in names:
            raise error
        return True

    return start


def dispatch(records: list[dict[str, Any]], start: StartExecution) -> list[DispatchOutcome]:
    """Dispatch a batch; return the outcomes, which must match the response."""
    outcomes: list[DispatchOutcome] = []
    response = batch.dispatch({"Records": records}, start, outcomes.append)
    failed = [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
    assert failed == [outcome.message.message_id for outcome in outcomes if outcome.error]
    return outcomes


def statuses(outcomes: list[DispatchOutcome]) -> dict[str | None, DispatchStatus]:
    return {outcome.message.task_id: outcome.status for outcome in outcomes}


def test_ten_starts_run_concurrently() -> None:
    all_have_started = threading.Barrier(10)

    def start(_execution: ExecutionStart, _trace_header: str | None) -> bool:
        all_have_started.wait(SECONDS_TO_MEET)
        return True

    outcomes = dispatch([sqs_record(task_body()) for _ in range(10)], start)

    assert [outcome.status for outcome in outcomes] == [DispatchStatus.STARTED] * 10


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoTimeLeft("run_task", "throttled.", "Wait."), DispatchStatus.THROTTLED),
        (StartRefused("run_task", "refused.", "Fix it."), DispatchStatus.FAILED),
        (ZeroDivisionError("a bug"), DispatchStatus.FAILED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_fails_its_own_message_only(error: Exception, status: DispatchStatus) -> None:
    records = [sqs_record(task_body(id=name)) for name in ("a", "b", "c")]

    outcomes = dispatch(records, raising(error, "b"))

    assert statuses(outcomes) == {"a": DispatchStatus.STARTED, "b": status, "c": DispatchStatus.STARTED}
    assert [outcome.error for outcome in outcomes if outcome.error] == [error]


def test_an_invalid_message_is_rejected() -> None:
    asked: list[str] = []

    def start(execution: ExecutionStart, _trace_header: str | None) -> bool:
        asked.append(execution.name)
        return False

    outcomes = dispatch([sqs_record("not json"), sqs_record(task_body(id="a"))], start)
    bad, good = sorted(outcomes, key=lambda outcome: outcome.message.task_id or "")

    assert (bad.status, type(bad.error), bad.message.task_id) == (DispatchStatus.REJECTED, NotJson, None)
    assert (good.status, asked) == (DispatchStatus.ALREADY_STARTED, ["a"])


def test_the_trace_continues_in_the_execution() -> None:
    headers: list[str | None] = []

    def start(_execution: ExecutionStart, trace_header: str | None) -> bool:
        headers.append(trace_header)
        return True

    dispatch([sqs_record(task_body(), AWSTraceHeader="Root=1-2-3")], start)

    assert headers == ["Root=1-2-3"]


def test_a_failure_holds_back_its_own_fifo_group_only() -> None:
    records = [
        sqs_record(task_body(id=f"{group}{n}"), FIFO, MessageGroupId=group) for n in range(3) for group in ("x", "y")
    ]

    outcomes = dispatch(records, raising(NoTimeLeft("guard_report", "throttled.", "Wait."), "x1"))

    assert statuses(outcomes) == {
        "x0": DispatchStatus.STARTED,
        "x1": DispatchStatus.THROTTLED,
        "x2": DispatchStatus.HELD_BACK,
        "y0": DispatchStatus.STARTED,
        "y1": DispatchStatus.STARTED,
        "y2": DispatchStatus.STARTED,
    }
    [held_back] = [outcome for outcome in outcomes if outcome.status is DispatchStatus.HELD_BACK]
    assert isinstance(held_back.error, EarlierMessageFailed)
    assert records[2]["messageId"] in str(held_back.error)


def test_a_group_of_a_standard_queue_is_not_ordered() -> None:
    records = [sqs_record(task_body(id=name), MessageGroupId="x") for name in ("a", "b")]

    outcomes = dispatch(records, raising(StartRefused("guard_report", "refused.", "Fix it."), "a"))

    assert statuses(outcomes) == {"a": DispatchStatus.FAILED, "b": DispatchStatus.STARTED}


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), min_size=1, max_size=10))
def test_a_fifo_group_is_started_in_order_until_a_failure(sent: list[tuple[str, bool]]) -> None:
    records = [
        sqs_record(task_body(id=f"{group}-{n}"), FIFO, MessageGroupId=group) for n, (group, _) in enumerate(sent)
    ]
    bad = [f"{group}-{n}" for n, (group, good) in enumerate(sent) if not good]
    order: list[str] = []
    failing = raising(StartRefused("guard_report", "refused.", "Fix it."), *bad)

    def start(execution: ExecutionStart, trace_header: str | None) -> bool:
        outcome = failing(execution, trace_header)
        order.append(execution.name)
        return outcome

    outcomes = dispatch(records, start)

    assert {outcome.message.message_id for outcome in outcomes} == {record["messageId"] for record in records}
    for group in "xyz":
        names = [f"{of}-{n}" for n, (of, _) in enumerate(sent) if of == group]
        first_bad = next((n for n, name in enumerate(names) if name in bad), len(names))
        assert [name for name in order if name.startswith(group)] == names[:first_bad]
