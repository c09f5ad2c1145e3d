"""Runs of each function's real handler with real inputs, to exercise its role.

A run is prepared under no role; what follows its ``yield`` is done under the function's role, and raises where the
function did not do its work. Functions with a database have PostgreSQL, the rest is moto's.
"""

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone

from deploy.local.demo.uploads import SAMPLES
from deploy.packages.functions import FUNCTIONS, FUNCTIONS_BY_NAME
from deploy.template.check import REGION
from qu_workflows.protocol.message import payload_key_of
from tests.backend.incidents.making import make_incident, make_inquiry
from tests.backend.people import make_picture, make_property, make_report, make_user
from tests.deploy.rights.doing import Runs
from tests.deploy.rights.policies import Ask
from tests.deploy.rights.resolving import ACCOUNT
from tests.deploy.rights.stack import Stack, client, names
from workflows.errors import EmailRefused, FileMissing, PayloadInvalid
from workflows.project import PROJECT

TASK_ID = "019aa0e0-0000-7000-8000-000000000009"
MEDIA_KEY = "media/guard_reports/2026/11/24/photographer.jpg"
PAYLOAD_KEY = payload_key_of(TASK_ID)
FILE = {"file_id": 1, "key": MEDIA_KEY, "name": "photographer.jpg"}
EMAIL_KEY, SEND_ONCE_KEY = "emails/report/1/1.json", "report/1/1"
FUNCTION_NAMES = tuple(function.name for function in FUNCTIONS)
WITH_DATABASE = tuple(function.name for function in FUNCTIONS if function.needs_database)


RUNS = Runs()


# ---- What AWS does under every function's role, or under a function's with a database ----


@RUNS.of(*FUNCTION_NAMES)
def lambda_logs_and_traces(stack: Stack, function: str) -> Generator[None]:
    """Lambda writes the function's logs and traces in the name of its role.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    """
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{names().ref('Prefix')}-production-{function}"
    yield
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        stack.judge.ask(Ask(action, f"{group}:log-stream:2026/11/24/[1]a"))
    for action in ("xray:PutTraceSegments", "xray:PutTelemetryRecords"):
        stack.judge.ask(Ask(action, "*"))


@RUNS.of(*FUNCTION_NAMES)
def lambda_reads_the_environment(stack: Stack, function: str) -> Generator[None]:
    """Lambda decrypts the environment variables with the function's role.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
    """
    key = names().properties(FUNCTIONS_BY_NAME[function].resource)["KmsKeyArn"]
    yield
    stack.judge.ask(Ask("kms:Decrypt", key, {"kms:ViaService": f"lambda.{REGION}.amazonaws.com"}))


@RUNS.of(*WITH_DATABASE)
def lambda_goes_into_the_network(stack: Stack, _function: str) -> Generator[None]:
    """Lambda makes network interfaces in the VPC. https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"""
    yield
    for action in (
        "CreateNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "DeleteNetworkInterface",
    ):
        stack.judge.ask(Ask(f"ec2:{action}", "*"))


@RUNS.of(*WITH_DATABASE)
def it_starts(_stack: Stack, _function: str) -> Generator[None]:
    """Every handler begins with this; it needs no more of its secrets afterwards."""
    from lambdas.shared.runtime.database import setup_django

    yield
    setup_django()


@RUNS.of("record_execution_status")
def lambda_keeps_an_event_that_was_not_recorded(stack: Stack, _function: str) -> Generator[None]:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    url = names().ref("StatusEventsDeadLetterQueue")
    yield
    stack.sqs.send_message(QueueUrl=url, MessageBody="{}")


# ---- The dispatcher ----


@RUNS.of("dispatch_tasks")
def a_batch_with_a_task_of_each_workflow(stack: Stack, _function: str) -> Generator[None]:
    """The event source mapping receives and deletes in the name of the function's role."""
    from lambdas.dispatch_tasks.handler import lambda_handler

    payloads: dict[str, dict[str, Any]] = {
        "process_guard_report": {"report_id": 1},
        "escalate_incident": {"report_id": 1},
        "daily_report_digest": {},
        "send_notification_email": {"user_id": 1, "subject": "Hello", "template_name": "emails/welcome.html"},
        "custom_processing": {"data": "example"},
    }
    examples = {"integer": 1, "string": "example", "boolean": True, "number": 1.5, "object": {}, "array": []}
    for entry in PROJECT.workflow_tasks:  # where these do not fit, write a payload above
        required = {name: it.type for name, it in entry.parameters.items() if it.required}
        payloads.setdefault(entry.task, {name: examples.get(kind) for name, kind in required.items()})
    for task, payload in payloads.items():
        stack.sqs.send_message(QueueUrl=stack.queue_url, MessageBody=json.dumps({"task": task, "payload": payload}))
    stack.judge.answer("StartExecution", {"executionArn": "arn", "startDate": timezone.now()})
    yield
    url = {"QueueUrl": stack.queue_url}
    stack.sqs.get_queue_attributes(**url, AttributeNames=["ApproximateNumberOfMessages"])
    messages = stack.sqs.receive_message(**url, MaxNumberOfMessages=10)["Messages"]
    records = [{"messageId": one["MessageId"], "body": one["Body"], "attributes": {}} for one in messages]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
    assert lambda_handler({"Records": records}, context) == {"batchItemFailures": []}
    done = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
    stack.sqs.delete_message_batch(**url, Entries=done)
    assert len(messages) == len(payloads)


# ---- The files of a report ----


def _inspect() -> dict[str, Any]:
    from lambdas.inspect_file.handler import lambda_handler

    return lambda_handler({"task_id": TASK_ID, "file": FILE}, None)


def _put_picture(stack: Stack) -> None:
    stack.put(MEDIA_KEY, (SAMPLES / "photographer.jpg").read_bytes())


@RUNS.of("inspect_file")
def a_file_is_inspected(stack: Stack, _function: str) -> Generator[None]:
    _put_picture(stack)
    yield
    assert _inspect()["kind"] == "image"


@RUNS.of("inspect_file")
def a_file_that_is_gone_is_seen_to_be_gone(_stack: Stack, _function: str) -> Generator[None]:
    yield
    with pytest.raises(FileMissing):
        _inspect()


def _facts(stack: Stack) -> dict[str, Any]:
    _put_picture(stack)
    return _inspect()


@RUNS.of("make_thumbnails")
def thumbnails_are_made_once(stack: Stack, _function: str) -> Generator[None]:
    from lambdas.make_thumbnails.handler import lambda_handler

    event = {"task_id": TASK_ID, "file": FILE, "facts": _facts(stack)}
    yield
    made = lambda_handler(event, None)
    assert lambda_handler(event, None) == made
    assert {one["key"] for one in made["thumbnails"]} < stack.stored_keys()


@RUNS.of("make_thumbnails")
def a_picture_that_is_gone_is_seen_to_be_gone(stack: Stack, _function: str) -> Generator[None]:
    from lambdas.make_thumbnails.handler import lambda_handler

    event = {"task_id": TASK_ID, "file": FILE, "facts": _facts(stack)}
    stack.empty()
    yield
    with pytest.raises(FileMissing):
        lambda_handler(event, None)


# ---- Mails ----


def _render(stack: Stack, event: dict[str, Any]) -> None:
    """Render a mail and its pictures to where Send Email reads them."""
    from lambdas.render_email.handler import lambda_handler

    key = lambda_handler({"task_id": TASK_ID} | event, None)["email_key"]
    with stack.judge.not_asked():
        images = json.loads(stack.s3.get_object(Bucket=stack.bucket, Key=key)["Body"].read())["images"]
    assert {image["key"].partition("/")[0] for image in images} == {IMAGE["key"].partition("/")[0]}
    assert key.partition("/")[0] == EMAIL_KEY.partition("/")[0]


@RUNS.of("render_email")
def a_report_s_mail_is_rendered(stack: Stack, _function: str) -> Generator[None]:
    place = make_property()
    report = make_report(property=place)
    make_picture(report)
    yield
    _render(stack, {"report_id": report.pk, "recipient": {"user_id": place.owner.user.pk, "role": "client"}})


@RUNS.of("render_email")
def a_digest_s_mail_is_rendered(stack: Stack, _function: str) -> Generator[None]:
    place = make_property()
    make_picture(make_report(property=place, report_datetime=datetime(2026, 3, 2, 17, 0, tzinfo=UTC)))
    yield
    digest = {"client_id": place.owner.pk, "user_id": place.owner.user.pk, "date": "2026-03-02"}
    _render(stack, {"digest": digest})


@RUNS.of("render_email")
def a_mail_is_rendered_whose_payload_travelled_by_s3(stack: Stack, _function: str) -> Generator[None]:
    from lambdas.render_email.handler import lambda_handler

    payload = {"user_id": make_user().pk, "subject": "Hello", "template_name": "emails/welcome.html"}
    stack.put(PAYLOAD_KEY, json.dumps(payload | {"context": {"name": "x"}}))
    yield
    lambda_handler({"task_id": TASK_ID, "payload": {"payload_key": PAYLOAD_KEY}}, None)


@RUNS.of("render_email")
def a_mail_s_payload_that_is_gone_is_seen_to_be_gone(_stack: Stack, _function: str) -> Generator[None]:
    from lambdas.render_email.handler import lambda_handler

    yield
    with pytest.raises(PayloadInvalid, match="is not in the store"):
        lambda_handler({"task_id": TASK_ID, "payload": {"payload_key": PAYLOAD_KEY}}, None)


def _put_mail(stack: Stack, *images: dict[str, str]) -> None:
    from workflows.contracts.notification_email import EmailDocument

    document = EmailDocument.model_validate(
        {
            "sender": names().ref("DefaultFromEmail"),
            "to": "client-1@example.com",
            "subject": "Report",
            "text": "All quiet.",
            "html": "<p>All quiet.</p>",
            "images": list(images),
        }
    )
    stack.put(EMAIL_KEY, document.model_dump_json())


def _send() -> dict[str, Any]:
    from lambdas.send_email.handler import lambda_handler

    email = {"email_key": EMAIL_KEY, "send_once_key": SEND_ONCE_KEY}
    return lambda_handler({"task_id": TASK_ID, "email": email}, None)


def _entry(stack: Stack) -> Any:
    with stack.judge.not_asked():
        key: Any = {"send_once_key": {"S": SEND_ONCE_KEY}}
        found = client("dynamodb").get_item(TableName=stack.table, Key=key).get("Item", {})
    return found.get("status", {}).get("S")


IMAGE = {"content_id": "picture-1", "key": "thumbnails/a/email.jpg", "media_type": "image/jpeg", "alt": "door.jpg"}


@RUNS.of("send_email")
def a_mail_goes_out_with_its_picture_and_is_in_the_ledger(stack: Stack, _function: str) -> Generator[None]:
    _put_mail(stack, IMAGE)
    stack.put(IMAGE["key"], b"\xff\xd8\xff")
    yield
    assert _send()["status"] == "sent"
    assert _entry(stack) == "sent"


@RUNS.of("send_email")
def a_mail_goes_out_without_a_picture_that_is_gone(stack: Stack, _function: str) -> Generator[None]:
    _put_mail(stack, IMAGE)
    yield
    assert _send()["status"] == "sent"


@RUNS.of("send_email")
def a_mail_that_is_gone_is_seen_to_be_gone(_stack: Stack, _function: str) -> Generator[None]:
    yield
    with pytest.raises(EmailRefused, match="is gone"):
        _send()


@RUNS.of("send_email")
def a_mail_that_ses_refuses_gives_its_claim_back(stack: Stack, _function: str) -> Generator[None]:
    _put_mail(stack)
    client("ses").delete_identity(Identity=names().ref("DefaultFromEmail"))
    yield
    with pytest.raises(EmailRefused):
        _send()
    assert _entry(stack) is None


# ---- Tasks of one step ----


def _run_task(task: str, payload: dict[str, Any] | None = None, **given: Any) -> Any:
    from lambdas.run_task.handler import lambda_handler

    event = {"task_id": TASK_ID, "attempt": 0, "input": {"task": task, "payload": payload} | given}
    return lambda_handler(event, None)["return_value"]


@RUNS.of("run_task")
def a_task_runs_whose_payload_travelled_by_s3(stack: Stack, _function: str) -> Generator[None]:
    stack.put(PAYLOAD_KEY, json.dumps({"data": "example"}))
    yield
    assert _run_task("custom_processing", payload_key=PAYLOAD_KEY)["size_bytes"] == 7


@RUNS.of("run_task")
def a_task_s_payload_that_is_gone_is_seen_to_be_gone(_stack: Stack, _function: str) -> Generator[None]:
    yield
    with pytest.raises(PayloadInvalid, match="is not in the store"):
        _run_task("custom_processing", payload_key=PAYLOAD_KEY)


@RUNS.of("run_task")
def the_outbox_is_sent(_stack: Stack, _function: str) -> Generator[None]:
    """An immediate task, one with its payload in S3, and one due in a week."""
    from qu_workflows.records.models import TaskRecord

    now = timezone.now()
    given = {"task": "custom_processing", "workflow": "run_task", "payload": {"data": "x"}}
    old = given | {"enqueued_at": now - timedelta(minutes=5)}
    TaskRecord.objects.create(id="task-1", **old)
    TaskRecord.objects.create(id="task-2", payload_key=payload_key_of("task-2"), **old)
    TaskRecord.objects.create(id="task-3", run_after=now + timedelta(days=7), **old)
    yield
    done = _run_task("send_outbox", {})
    assert (done["sent"], done["failed"]) == (3, 0), done


@RUNS.of("run_task")
def what_is_past_its_date_is_swept(stack: Stack, _function: str) -> Generator[None]:
    from django.test import override_settings

    from reports.models import GuardReport, Thumbnail

    long_ago = timezone.now() - timedelta(days=5000)
    report = make_report(report_datetime=long_ago)
    GuardReport.objects.filter(pk=report.pk).update(created_at=long_ago)
    keys = [make_picture(report).key, *Thumbnail.objects.values_list("key", flat=True)]
    for key in keys:
        stack.put(key, b"x")

    # As on Lambda, where no test has begun a transaction.
    no_transaction = patch("qu_workflows.tasks.running.connection", SimpleNamespace(in_atomic_block=False))
    yield
    with override_settings(RETENTION_DRY_RUN=False, RETENTION_REPORT_DAYS=100), no_transaction:
        assert _run_task("retention_sweep", {})["objects"] == len(keys)
    assert not stack.stored_keys() & set(keys)


@RUNS.of("run_task")
def what_is_stuck_is_looked_for(_stack: Stack, _function: str) -> Generator[None]:
    yield
    found = _run_task("watch_stuck", {})
    assert not found["unread"], found
    assert found["queue"] == {"waiting": 0, "in_flight": 0}


@RUNS.of("run_task")
def histories_are_sampled(stack: Stack, _function: str) -> Generator[None]:
    from qu_workflows.records.models import TaskRecord, TaskStatus

    now = timezone.now()
    machine = f"{names().ref('Prefix')}-production-guard_report"
    TaskRecord.objects.create(
        id="task-1",
        task="process_guard_report",
        workflow="guard_report",
        status=TaskStatus.SUCCEEDED,
        enqueued_at=now,
        finished_at=now,
        execution_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:task-1",
    )
    stack.judge.answer("GetExecutionHistory", {"events": history(now)})
    yield
    assert _run_task("sample_histories", {})["sampled"] == 1


def history(now: Any) -> list[dict[str, Any]]:
    """Return the shortest history that an execution may have."""
    began = {"id": 1, "previousEventId": 0, "timestamp": now, "type": "ExecutionStarted"}
    ended = {"id": 2, "previousEventId": 1, "timestamp": now, "type": "ExecutionSucceeded"}
    return [
        began | {"executionStartedEventDetails": {"input": "{}"}},
        ended | {"executionSucceededEventDetails": {"output": "{}"}},
    ]


# ---- Incidents ----


@RUNS.of("await_acknowledgement")
def a_state_whose_answer_is_there_is_ended_at_once(stack: Stack, _function: str) -> Generator[None]:
    from incidents.services import acknowledge
    from lambdas.await_acknowledgement.handler import lambda_handler

    inquiry = make_inquiry(task_token="")
    acknowledge(inquiry.pk)
    stack.judge.answer("SendTaskSuccess", {})
    event = {"task_id": TASK_ID, "inquiry_id": inquiry.pk, "task_token": "a token"}
    yield
    assert lambda_handler(event, None) == {"is_acknowledged": True}


# ---- The functions whose work is in the database alone: nothing but their secrets ----


def _alone(function: str) -> dict[str, Any]:
    """Return an event for a function that asks AWS for nothing."""
    report = make_incident(make_user())
    events: dict[str, dict[str, Any]] = {
        "choose_person": {"report_id": report.pk, "previous_turn": 0},
        "list_digests": {"payload": {}},
        "load_report": {"report_id": report.pk},
        "record_report": {"report_id": report.pk, "results": []},
    }
    if function == "record_acknowledgement":
        inquiry = make_inquiry(report)
        answer = {"inquiry_id": inquiry.pk, "user_id": inquiry.user_id, "acknowledged_at": timezone.now().isoformat()}
        return {"task_id": TASK_ID, "report_id": report.pk, "acknowledgement": answer}
    return {"task_id": TASK_ID} | events[function]


@RUNS.of("choose_person", "list_digests", "load_report", "record_report", "record_acknowledgement")
def its_work_is_in_the_database_alone(_stack: Stack, function: str) -> Generator[None]:
    from importlib import import_module

    handler = import_module(f"lambdas.{function}.handler").lambda_handler
    event = _alone(function)
    yield
    assert handler(event, None)


@RUNS.of("record_execution_status")
def a_status_change_is_recorded(_stack: Stack, _function: str) -> Generator[None]:
    from lambdas.record_execution_status.handler import lambda_handler
    from tests.lambdas.record_execution_status.test_handler import event

    yield
    assert lambda_handler(event(), None)["status"] == "FAILED"
