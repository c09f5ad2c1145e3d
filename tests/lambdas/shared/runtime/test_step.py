"""The Lambda handler of a step."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.shared.runtime.powertools import count, logger, metrics
from lambdas.shared.runtime.step import step
from qu_workflows.protocol.contract import Contract, TaskId
from workflows.errors import PayloadInvalid, ReportNotFound

CONTEXT = SimpleNamespace(aws_request_id="request-1")


class Given(Contract):
    task_id: TaskId
    number: int


class Answer(Contract):
    doubled: int


@step(Given)
def double(given: Given) -> Answer:
    """Double a number."""
    if given.number == 404:
        raise ReportNotFound("report 404", "does not exist.", "Restore it.")
    if given.number == 500:
        raise ZeroDivisionError
    logger.info("doubling")
    return Answer(doubled=2 * given.number)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list of logged lines."""
    lines: list[dict[str, Any]] = []

    class Stream:
        def write(self, text: str) -> None:
            lines.extend(json.loads(line) for line in text.splitlines() if line)

        def flush(self) -> None: ...

    handler = logger.registered_handler
    monkeypatch.setattr(handler, "stream", Stream())
    return lines


def test_a_step_takes_and_returns_json() -> None:
    assert double({"task_id": "t-1", "number": 21}, CONTEXT) == {"doubled": 42}
    assert double.__doc__ == "Double a number."


def test_every_log_line_has_the_id_of_its_task(log: list[dict[str, Any]]) -> None:
    double({"task_id": "t-1", "number": 1}, CONTEXT)
    double({"task_id": "t-2", "number": 1}, None)
    logger.info("between tasks")

    assert [(line["message"], line.get("task_id")) for line in log] == [
        ("doubling", "t-1"),
        ("step done", "t-1"),
        ("doubling", "t-2"),
        ("step done", "t-2"),
        ("between tasks", None),
    ]
    assert log[0]["function_request_id"] == "request-1"
    assert log[1]["seconds"] >= 0


def test_concurrent_steps_keep_their_task_ids(log: list[dict[str, Any]]) -> None:
    both_run = threading.Barrier(2)

    @step(Given)
    def meet(given: Given) -> Answer:
        both_run.wait(5)
        logger.info("number", number=given.number)
        both_run.wait(5)
        return Answer(doubled=0)

    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: meet({"task_id": f"t-{number}", "number": number}, None), [1, 2]))

    lines = [line for line in log if line["message"] == "number"]
    assert sorted(line["number"] for line in lines) == [1, 2]
    assert all(line["task_id"] == f"t-{line['number']}" for line in lines)


@pytest.mark.parametrize(
    "event", [{}, {"task_id": "t-1"}, {"task_id": "t-1", "number": "many"}, {"task_id": "t 1", "number": 1}, [], None]
)
def test_an_invalid_event_is_an_invalid_payload(event: Any) -> None:
    with pytest.raises(PayloadInvalid, match="Given"):
        double(event, CONTEXT)


def test_values_of_an_invalid_event_are_not_logged(log: list[dict[str, Any]]) -> None:
    with pytest.raises(PayloadInvalid) as caught:
        double({"task_id": "t-1", "number": "person@example.com"}, CONTEXT)

    assert "/number" in str(caught.value)
    assert "person" not in str(caught.value)
    assert "person" not in json.dumps(log)


def test_a_step_error_is_one_line_and_is_raised(log: list[dict[str, Any]]) -> None:
    with pytest.raises(ReportNotFound):
        double({"task_id": "t-1", "number": 404}, CONTEXT)

    (line,) = log
    assert (line["level"], line["error"], line["task_id"]) == ("WARNING", "ReportNotFound", "t-1")


def test_a_crash_is_logged_with_its_traceback_and_is_raised(log: list[dict[str, Any]]) -> None:
    with pytest.raises(ZeroDivisionError):
        double({"task_id": "t-1", "number": 500}, CONTEXT)

    (line,) = log
    assert line["level"] == "ERROR"
    assert "ZeroDivisionError" in line["exception"]


def test_metrics_are_written_when_the_step_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    metrics.clear_metrics()

    @step(Given)
    def work(given: Given) -> Answer:
        count("ThingsDone", 3)
        return Answer(doubled=given.number)

    work({"task_id": "t-1", "number": 1}, CONTEXT)

    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ThingsDone" in line]
    assert [line["ThingsDone"] for line in written] == [[3.0]]
    assert written[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "QUWorkflows"
    assert not metrics.metric_set
