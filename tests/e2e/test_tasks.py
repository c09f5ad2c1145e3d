"""Tasks of Django: enqueued in the backend, run in Lambda, their results read back."""

from typing import Any

from tests.e2e.conftest import WholePath, eventually


def enqueue(path: WholePath, call: str) -> str:
    code = f"import json; from common.tasks import *; print(json.dumps(({call}).id))"
    return str(path.in_django(code))


def result_of(path: WholePath, task_id: str) -> Any:
    return path.in_django(
        "import json; from common.tasks import custom_processing;"
        f"result = custom_processing.get_result({task_id!r});"
        "print(json.dumps({'status': result.status, 'attempts': result.attempts,"
        " 'errors': [error.exception_class_path for error in result.errors],"
        " 'value': result.return_value if result.status == 'SUCCESSFUL' else None}))"
    )


def test_a_task_s_value_comes_back_as_its_result(path: WholePath) -> None:
    task_id = enqueue(path, "custom_processing.enqueue('example')")

    path.finished(task_id, "run_task")
    path.recorded(task_id)
    result = result_of(path, task_id)

    assert (result["status"], result["attempts"]) == ("SUCCESSFUL", 1)
    assert result["value"]["size_bytes"] == len("example")


def test_a_task_that_goes_on_failing_ends_failed_with_every_error(path: WholePath) -> None:
    task_id = enqueue(path, "custom_processing.enqueue('')")

    execution = path.finished(task_id, "run_task")
    path.recorded(task_id)
    result = result_of(path, task_id)

    assert execution.status == "FAILED"
    assert set(execution.failed_tries) == {"ValueError"}
    assert result["status"] == "FAILED"
    assert result["errors"] == ["builtins.ValueError"] * len(execution.failed_tries)


def test_a_call_as_in_the_guide_is_sent_and_run(path: WholePath) -> None:
    task_id = str(
        path.in_django(
            "import json; from common.services.sqs_client import sqs_client;"
            "print(json.dumps(sqs_client.send_task(task_name='custom_processing',"
            " payload={'data': 'example'}, delay_seconds=1)))"
        )
    )

    assert path.finished(task_id, "run_task").status == "SUCCEEDED"


def test_a_payload_too_large_for_a_message_travels_by_the_bucket(path: WholePath) -> None:
    task_id = enqueue(path, "custom_processing.enqueue('x' * 300_000)")

    path.finished(task_id, "run_task")
    path.recorded(task_id)

    assert result_of(path, task_id)["value"]["size_bytes"] == 300_000
    path.stack.aws.s3.head_object(Bucket=path.stack.outputs["BucketName"], Key=f"payloads/{task_id}.json")


def test_a_notification_is_one_mail_to_its_user(path: WholePath) -> None:
    user_id = path.stack.people["supervisor_user_ids"][0]
    call = f"send_notification_email({user_id}, 'Welcome, e2e!', 'emails/welcome.html', {{'name': 'Supervisor 1'}})"
    task_id = enqueue(path, call)

    execution = path.finished(task_id, "notification_email")
    mails = [mail for mail in path.stack.mailbox.messages() if str(mail["Subject"]) == "Welcome, e2e!"]

    assert execution.status == "SUCCEEDED"
    assert [str(mail["To"]) for mail in mails] == ["supervisor-1@example.com"]
    assert path.recorded(task_id) == "SUCCEEDED"


def test_a_status_change_is_recorded_from_running_to_its_end(path: WholePath) -> None:
    task_id = enqueue(path, "custom_processing.enqueue('watched')")

    path.recorded(task_id)

    [(started_at, finished_at, arn)] = path.rows(
        "SELECT started_at, finished_at, execution_arn FROM executions_taskrecord WHERE id = %s", task_id
    )
    assert arn == path.arn(task_id, "run_task")
    assert started_at <= finished_at
    lines = eventually(lambda: path.log("record_execution_status", task_id), "the log lines of status changes")
    assert {line["received"] for line in lines if "received" in line} >= {"SUCCEEDED"}
