import subprocess
import sys
from pathlib import Path

import pytest
from botocore.stub import ANY, Stubber
from django.conf import settings as django_settings

from common.services.sqs_client import sqs_client
from qu_workflows.aws import clients as aws
from qu_workflows.protocol.message import PayloadDoesNotFit, UnknownTask
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.common.conftest import Bodies

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_task_is_sent_by_its_name_and_its_id_returned(sent: Bodies) -> None:
    task_id = sqs_client.send_task("custom_processing", {"data": "example"})

    [body] = sent()
    assert (body["id"], body["task"], body["payload"]) == (task_id, "custom_processing", {"data": "example"})
    assert TaskRecord.objects.get(pk=task_id).status == TaskStatus.SENT


@pytest.mark.usefixtures("sent")
def test_delay_and_group_are_given_to_sqs() -> None:
    with Stubber(aws.sqs()) as stubber:
        stubber.add_response(
            "send_message",
            {"MessageId": "m"},
            {
                "QueueUrl": django_settings.AWS_SQS_QUEUE_URL,
                "MessageBody": ANY,
                "DelaySeconds": 30,
                "MessageGroupId": "client-7",
                "MessageSystemAttributes": ANY,  # the trace
            },
        )
        sqs_client.send_task(
            task_name="custom_processing", payload={"data": "example"}, delay_seconds=30, message_group_id="client-7"
        )
        stubber.assert_no_pending_responses()


def test_without_the_queue_the_task_runs_in_this_process() -> None:
    done = sqs_client.send_task("custom_processing", {"data": "x"})
    failed = sqs_client.send_task("custom_processing", {"data": ""})
    workflow = sqs_client.send_task("process_guard_report", {"report_id": 7})

    ended = {record.pk: (record.status, record.error) for record in TaskRecord.objects.all()}
    assert ended == {
        done: (TaskStatus.SUCCEEDED, ""),
        failed: (TaskStatus.FAILED, "ValueError"),
        workflow: (TaskStatus.FAILED, "ReportNotFound"),
    }


def test_a_name_that_is_no_task_is_refused_and_imports_nothing() -> None:
    with pytest.raises(UnknownTask, match="make states"):
        sqs_client.send_task("antigravity.fly", {})

    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(("delay_seconds", "group"), [(-1, None), (901, None), (0, "a group")])
def test_what_sqs_does_not_take_is_refused(delay_seconds: int, group: str | None) -> None:
    with pytest.raises(ValueError, match=r"delay_seconds|message_group_id"):
        sqs_client.send_task("custom_processing", {"data": "x"}, delay_seconds, group)


def test_a_payload_that_does_not_fit_is_refused() -> None:
    with pytest.raises(PayloadDoesNotFit, match="data"):
        sqs_client.send_task("custom_processing", {"date": "example"})

    assert not TaskRecord.objects.exists()


def test_importing_it_makes_no_client_and_needs_no_setting() -> None:
    code = "import django; django.setup(); import common.services.sqs_client, sys; print('boto3' in sys.modules)"
    root = Path(django_settings.BASE_DIR)

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{root}:{root.parent}", "DJANGO_SETTINGS_MODULE": "config.functions"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "False\n"
