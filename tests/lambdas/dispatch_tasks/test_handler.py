"""The dispatcher from its event to Step Functions, faked by moto."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from lambdas.dispatch_tasks.batch import DispatchStatus
from lambdas.dispatch_tasks.handler import METRICS, lambda_handler
from lambdas.dispatch_tasks.starts import step_functions
from lambdas.shared.runtime.aws import aws_client
from lambdas.shared.runtime.powertools import logger, metrics
from lambdas.shared.runtime.settings import SettingError
from qu_workflows.protocol.message import payload_key_of
from tests.lambdas.aws_answers import always_answer
from tests.lambdas.dispatch_tasks.fakes import sqs_record, task_body
from workflows.project import PROJECT

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ROOT = Path(__file__).parents[3]
ROLE = "arn:aws:iam::123456789012:role/state-machine"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator["SFNClient"]:
    """Yield a client of a Step Functions with all state machines."""
    with mock_aws():
        client = boto3.client("stepfunctions")
        arns = {
            workflow: client.create_state_machine(name=workflow, definition=PASS, roleArn=ROLE)["stateMachineArn"]
            for workflow in PROJECT.workflows
        }
        monkeypatch.setenv("STATE_MACHINE_ARNS", json.dumps(arns))
        aws_client.cache_clear()
        yield client
        aws_client.cache_clear()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list of logged lines."""
    lines: list[dict[str, Any]] = []
    stream = SimpleNamespace(
        write=lambda text: lines.extend(json.loads(line) for line in text.splitlines() if line), flush=lambda: None
    )
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return lines


def dispatch(*records: dict[str, Any]) -> list[str]:
    """Dispatch a batch; return the ids of failed messages."""
    response = lambda_handler({"Records": list(records)}, CONTEXT)
    assert response.keys() == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def executions(client: "SFNClient", workflow: str) -> dict[str, Any]:
    """Return the input of each execution of a workflow, by name."""
    machines = client.list_state_machines()["stateMachines"]
    arn = next(machine["stateMachineArn"] for machine in machines if machine["name"] == workflow)
    found = client.list_executions(stateMachineArn=arn)["executions"]
    return {
        execution["name"]: json.loads(client.describe_execution(executionArn=execution["executionArn"])["input"])
        for execution in found
    }


def test_only_failed_messages_are_reported(machines: "SFNClient") -> None:
    good, poison = sqs_record(task_body(report_id=7)), sqs_record("not json")

    assert dispatch(good, poison) == [poison["messageId"]]
    assert executions(machines, "guard_report") == {good["messageId"]: {"report_id": 7}}


def test_each_task_starts_its_own_workflow_under_its_id(machines: "SFNClient") -> None:
    mail = {"user_id": 7, "subject": "Hello", "template_name": "emails/welcome.html"}
    records = [
        sqs_record(task_body(id="report-1")),
        sqs_record(json.dumps({"id": "mail-1", "task": "send_notification_email", "payload": mail})),
        sqs_record(
            json.dumps({"id": "mail-2", "task": "send_notification_email", "payload_key": payload_key_of("mail-2")})
        ),
    ]

    assert dispatch(*records) == []
    assert executions(machines, "guard_report") == {"report-1": {"report_id": 1}}
    assert executions(machines, "notification_email") == {
        "mail-1": mail,
        "mail-2": {"payload_key": "payloads/mail-2.json"},
    }


def test_a_second_delivery_starts_nothing(machines: "SFNClient") -> None:
    assert dispatch(sqs_record(task_body(id="a"))) == []
    assert dispatch(sqs_record(task_body(id="a"))) == []
    assert dispatch(sqs_record(task_body(id="a", report_id=2))) == []  # same id, another input

    assert executions(machines, "guard_report") == {"a": {"report_id": 1}}


def test_a_batch_of_failures_is_reported_without_an_error(machines: "SFNClient") -> None:
    records = [sqs_record("not json"), sqs_record("{}"), sqs_record(task_body(report_id=-1))]

    assert sorted(dispatch(*records)) == [record["messageId"] for record in records]
    assert executions(machines, "guard_report") == {}


@pytest.mark.parametrize(
    ("body", "task_id", "error"),
    [
        ("not json", None, "NotJson"),
        ('{"id": "a"}', "a", "NoTask"),
        ('{"id": "a", "task": "os.system"}', "a", "UnknownTask"),
        ('{"id": "a", "task": "process_guard_report", "payload": {"report": 1}}', "a", "PayloadDoesNotFit"),
        (
            json.dumps(
                {
                    "id": "a",
                    "task": "send_notification_email",
                    "payload": {
                        "user_id": 1,
                        "subject": "Hello",
                        "template_name": "emails/welcome.html",
                        "context": {"text": "a" * 262_144},
                    },
                }
            ),
            "a",
            "PayloadTooLarge",
        ),
    ],
)
@pytest.mark.usefixtures("machines")
def test_a_rejected_message_is_one_log_line(
    log: list[dict[str, Any]], body: str, task_id: str | None, error: str
) -> None:
    record = sqs_record(body, ApproximateReceiveCount="3")

    assert dispatch(record) == [record["messageId"]]
    [line] = log
    assert line["level"] == "ERROR"
    assert (line["message_id"], line.get("task_id"), line["error"]) == (record["messageId"], task_id, error)
    assert line["receive_count"] == 3
    assert line["reason"]
    assert "exception" not in line


@pytest.mark.usefixtures("machines")
def test_a_start_is_one_line_with_its_ids(log: list[dict[str, Any]]) -> None:
    record = sqs_record(task_body(id="a"))

    dispatch(record)

    [line] = log
    assert (line["level"], line["status"]) == ("INFO", "started")
    assert (line["message_id"], line["task_id"]) == (record["messageId"], "a")


@pytest.mark.usefixtures("machines")
def test_a_bug_is_logged_with_its_traceback_and_fails_one_message(log: list[dict[str, Any]]) -> None:
    odd = sqs_record(task_body()) | {"attributes": {"AWSTraceHeader": 7}}  # a number is what SQS never sends there
    good = sqs_record(task_body())

    assert dispatch(odd, good) == [odd["messageId"]]
    [line] = [line for line in log if "error" in line]
    assert "Traceback" in line["exception"]
    assert line["error"] == "ParamValidationError"


@pytest.mark.usefixtures("machines")
def test_a_refusal_is_logged_and_fails_the_message(log: list[dict[str, Any]]) -> None:
    body = b'{"__type": "AccessDeniedException", "message": "not authorized to perform states:StartExecution"}'
    always_answer(step_functions(), 400, body)
    record = sqs_record(task_body(id="a"))

    assert dispatch(record) == [record["messageId"]]
    [line] = log
    assert (line["error"], line["status"], line["task_id"]) == ("StartRefused", "failed", "a")
    assert "states:StartExecution" in line["reason"]


@pytest.mark.usefixtures("machines")
def test_every_outcome_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[dict[str, Any]] = []
    monkeypatch.setattr(metrics, "flush_metrics", lambda: flushed.append(dict(metrics.metric_set)))
    metrics.clear_metrics()

    dispatch(sqs_record(task_body(id="a")), sqs_record(task_body(id="b")), sqs_record("not json"))

    [counted] = flushed
    assert {name: sum(metric["Value"]) for name, metric in counted.items()} == {
        "ExecutionsStarted": 2,
        "MessagesRejected": 1,
    }


def test_every_status_has_its_metric() -> None:
    assert METRICS.keys() == set(DispatchStatus)
    assert len(set(METRICS.values())) == len(DispatchStatus)


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_MACHINE_ARNS", raising=False)

    with pytest.raises(SettingError, match="STATE_MACHINE_ARNS: is not set"):
        lambda_handler({"Records": [sqs_record(task_body())]}, CONTEXT)


def test_the_dispatcher_imports_no_heavy_packages() -> None:
    heavy = ["boto3", "pydantic", "aws_xray_sdk", "django", "stepfunctions", "workflows.graphs", "PIL"]
    code = (
        "import json, sys, lambdas.dispatch_tasks.handler;"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []
