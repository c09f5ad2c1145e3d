import hashlib
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.utils import timezone
from moto import mock_aws

from lambdas.run_task.handler import lambda_handler
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.registry import registered_tasks
from workflows.errors import DatabaseUnavailable, PayloadInvalid, TaskNotRegistered, TaskStillRunning

pytestmark = pytest.mark.django_db(transaction=True)

TASK_ID = "019aa0e0-0000-7000-8000-000000000002"
FACTS = {"size_bytes": 7, "sha256": hashlib.sha256(b"example").hexdigest()}


@pytest.fixture(autouse=True)
def _media_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/24/[$LATEST]abc")


def event(payload: Any = None, task: str = "custom_processing", **given: Any) -> dict[str, Any]:
    return {"task_id": TASK_ID, "attempt": 0, "input": {"task": task, "payload": payload} | given}


def recorded(**changes: Any) -> TaskRecord:
    return TaskRecord.objects.create(
        id=TASK_ID, task="custom_processing", workflow="run_task", enqueued_at=timezone.now(), **changes
    )


def test_a_registered_task_runs_and_returns_its_value() -> None:
    recorded(status=TaskStatus.SENT, payload={"data": "example"})

    assert lambda_handler(event({"data": "example"}), None) == {"return_value": FACTS}

    record = TaskRecord.objects.get(pk=TASK_ID)
    assert (record.status, record.result) == (TaskStatus.RUNNING, FACTS)
    assert record.worker_ids == ["2026/11/24/[$LATEST]abc"]


def test_a_retry_returns_the_stored_value() -> None:
    recorded(status=TaskStatus.RUNNING, result={"from": "before"}, returned_at=timezone.now())

    assert lambda_handler(event({"data": "example"}), None) == {"return_value": {"from": "before"}}


def test_a_decorated_payload_is_accepted() -> None:
    decorated = {"function_name": "custom_processing", "module": "os", "args": ["example"], "kwargs": {}}

    assert lambda_handler(event(decorated), None) == {"return_value": FACTS}


def test_the_exception_of_a_task_is_raised_and_recorded() -> None:
    with pytest.raises(ValueError, match="Give a text"):
        lambda_handler(event({"data": ""}), None)

    [error] = TaskRecord.objects.get(pk=TASK_ID).errors
    assert error["exception_class_path"] == "builtins.ValueError"
    assert "custom_processing" in error["traceback"]


@pytest.mark.parametrize("task", ["common.tasks.custom_processing", "os.system", "process_guard_report"])
def test_only_registered_tasks_of_one_step_are_run(task: str) -> None:
    with pytest.raises(TaskNotRegistered, match="Deploy the code"):
        lambda_handler(event({"report_id": 1}, task=task), None)

    assert not TaskRecord.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"task_id": TASK_ID},
        event({"date": "example"}),
        event({"data": 7}),
        event({}, payload_key=f"payloads/{TASK_ID}.json"),
        event(None, payload_key="media/secret.json"),
        event(None),
    ],
)
def test_an_invalid_payload_is_refused_before_anything_runs(broken: dict[str, Any]) -> None:
    with pytest.raises(PayloadInvalid):
        lambda_handler(broken, None)

    assert not TaskRecord.objects.exists()


def test_a_payload_in_s3_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    key = f"payloads/{TASK_ID}.json"
    with mock_aws():
        monkeypatch.setenv("AWS_STORAGE_BUCKET_NAME", "files-of-the-tests")
        s3 = boto3.client("s3", "us-east-2")
        s3.create_bucket(Bucket="files-of-the-tests", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
        s3.put_object(Bucket="files-of-the-tests", Key=key, Body=json.dumps({"data": "example"}))

        assert lambda_handler(event(payload_key=key), None) == {"return_value": FACTS}

    assert TaskRecord.objects.get(pk=TASK_ID).payload_key == key


def test_a_large_value_is_only_in_the_record() -> None:
    recorded(status=TaskStatus.RUNNING, result="x" * 300_000, returned_at=timezone.now())

    assert lambda_handler(event({"data": "example"}), None) == {"return_value": None}


def test_a_running_task_is_a_transient_error() -> None:
    recorded(
        status=TaskStatus.RUNNING, ran_inline=True, last_attempted_at=timezone.now(), worker_ids=["web"], payload={}
    )

    with pytest.raises(TaskStillRunning):
        lambda_handler(event({"data": "example"}), None)


def test_an_outage_of_the_database_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    registered_tasks()
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")

    with pytest.raises(DatabaseUnavailable):
        lambda_handler(event({"data": "example"}), None)
