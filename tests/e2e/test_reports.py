"""A guard report from its upload to rows, thumbnails and mails."""

import hashlib
import json
from typing import Any

import pytest

from deploy.local.demo.uploads import SAMPLES
from tests.e2e.conftest import WholePath, eventually

FILES = (
    "sideways-with-gps.jpg",
    "patrol-log.pdf",
    "note.txt",
    "truncated.jpg",
    "launch-pad.heic",
    "launch-pad.mp4",
    "radio-call.m4a",
    "handover.docx",
    "floor-plan.svg",
)


@pytest.fixture(scope="module")
def report(path: WholePath) -> dict[str, Any]:
    """A processed report with all kinds of files, a broken and a hostile one."""
    answer = path.send_report(*FILES)
    path.finished(answer["async_processing"]["task_id"])
    return answer


def test_an_upload_becomes_one_execution_that_succeeds(path: WholePath, report: dict[str, Any]) -> None:
    task_id = report["async_processing"]["task_id"]

    execution = path.finished(task_id)

    assert execution.status == "SUCCEEDED", execution
    assert json.loads(execution.input) == {"report_id": report["id"]}
    assert path.recorded(task_id) == "SUCCEEDED"


def test_every_file_gets_its_verdict_and_what_shows_gets_thumbnails(path: WholePath, report: dict[str, Any]) -> None:
    rows = path.rows(
        "SELECT f.name, f.status, f.error, f.kind, f.sha256, count(t.id) FROM reports_reportfile f"
        " LEFT JOIN reports_thumbnail t ON t.report_file_id = f.id WHERE f.report_id = %s"
        " GROUP BY f.id ORDER BY f.position",
        report["id"],
    )
    digest = {name: hashlib.sha256((SAMPLES / name).read_bytes()).hexdigest() for name, *_ in rows}
    thumbnails = rows[0][5]

    assert thumbnails >= 3
    assert [count for name, *_, count in rows if name == "launch-pad.mp4"] == [thumbnails + 1]  # the preview
    assert rows == [
        ("sideways-with-gps.jpg", "accepted", "", "image", digest["sideways-with-gps.jpg"], thumbnails),
        ("patrol-log.pdf", "accepted", "", "pdf", digest["patrol-log.pdf"], thumbnails),
        ("note.txt", "accepted", "", "other", digest["note.txt"], 0),
        ("truncated.jpg", "rejected", "UnreadableImage", "", "", 0),
        ("launch-pad.heic", "accepted", "", "image", digest["launch-pad.heic"], thumbnails),
        ("launch-pad.mp4", "accepted", "", "video", digest["launch-pad.mp4"], thumbnails + 1),
        ("radio-call.m4a", "accepted", "", "audio", digest["radio-call.m4a"], thumbnails),
        ("handover.docx", "accepted", "", "other", digest["handover.docx"], 0),
        ("floor-plan.svg", "rejected", "ActiveContent", "", "", 0),
    ]


def test_thumbnails_lie_in_the_bucket_upright_and_without_the_camera_s_secrets(
    path: WholePath, report: dict[str, Any]
) -> None:
    keys = path.rows(
        "SELECT t.key, t.size_bytes, t.width, t.height FROM reports_thumbnail t"
        " JOIN reports_reportfile f ON f.id = t.report_file_id"
        " WHERE f.report_id = %s AND f.name = 'sideways-with-gps.jpg'",
        report["id"],
    )

    assert keys
    for key, size_bytes, width, height in keys:
        content = path.stack.aws.s3.get_object(Bucket=path.stack.outputs["BucketName"], Key=key)["Body"].read()
        assert len(content) == size_bytes
        assert b"Exif" not in content
        assert width > height  # on its side the picture would be higher than it is wide


def test_each_person_concerned_gets_one_mail_with_pictures_and_a_link(path: WholePath, report: dict[str, Any]) -> None:
    people = path.rows(
        "SELECT u.email FROM reports_guardreport r JOIN core_property p ON p.id = r.property_id"
        " JOIN core_client c ON c.id = p.owner_id JOIN auth_user u ON u.id = c.user_id WHERE r.id = %s"
        " UNION ALL SELECT u.email FROM reports_guardreport r"
        " JOIN core_propertysupervisor s ON s.property_id = r.property_id"
        " JOIN auth_user u ON u.id = s.user_id WHERE r.id = %s",
        report["id"],
        report["id"],
    )
    # The report of a benchmark has the paper of this one, but not its recording.
    mails = [mail for mail in path.stack.mailbox.messages() if "radio-call.m4a" in mail.as_string()]

    assert sorted(str(mail["To"]) for mail in mails) == sorted(address for (address,) in people)
    for mail in mails:
        html = mail.get_body(("html",))
        assert str(mail["Subject"])
        assert html is not None
        assert f"{path.stack.django_url}/reports/" in html.get_content()
        assert len([part for part in mail.walk() if part.get_content_maintype() == "image"]) >= 2


def test_a_step_that_fails_twice_is_tried_again_and_works(path: WholePath) -> None:
    answer = path.send_report(("fails-twice.jpg", "coffee.jpg"), guard=1)

    execution = path.finished(answer["async_processing"]["task_id"])

    assert execution.status == "SUCCEEDED"
    assert execution.failed_tries == ["StorageUnavailable"] * 2


def test_a_mail_is_sent_once_whatever_is_repeated(path: WholePath, report: dict[str, Any]) -> None:
    before = len(path.stack.mailbox.messages())
    objects = path.stack.aws.s3.list_objects_v2(
        Bucket=path.stack.outputs["BucketName"], Prefix=f"emails/guard_report/{report['id']}/"
    )["Contents"]
    send_once_key = objects[0]["Key"].removeprefix("emails/").rpartition("/")[0]
    event = {"task_id": "again", "email": {"email_key": objects[0]["Key"], "send_once_key": send_once_key}}

    answer = path.stack.aws.functions.invoke(
        FunctionName="qu-security-dev-send_email:live", Payload=json.dumps(event).encode()
    )

    assert json.loads(answer["Payload"].read())["status"] == "already_sent"
    assert len(path.stack.mailbox.messages()) == before


def test_a_missing_report_fails_immediately_with_its_own_error(path: WholePath) -> None:
    [message_id] = path.send_messages(json.dumps({"task": "process_guard_report", "payload": {"report_id": 999_999}}))

    execution = path.finished(message_id)

    assert execution.status == "FAILED"
    assert execution.failed_tries == ["ReportNotFound"]


def test_the_reports_page_needs_the_link_of_the_mail(path: WholePath, report: dict[str, Any]) -> None:
    found = path.in_django(
        "import json; from django.test import Client; from reports.links import report_url;"
        f"url = report_url({report['id']}, {path.stack.people['supervisor_user_ids'][0]});"
        "address = url.replace(__import__('django.conf').conf.settings.PUBLIC_URL, '');"
        "client = Client(SERVER_NAME='127.0.0.1');"
        "print(json.dumps([client.get(address).status_code, client.get('/reports/guessed/').status_code]))"
    )

    assert found[0] == 200
    assert found[1] >= 400


def test_no_function_s_log_has_an_address_or_a_note(path: WholePath, report: dict[str, Any]) -> None:
    eventually(lambda: path.log("send_email", report["async_processing"]["task_id"]), "the mails' log lines")
    text = (path.stack.logs / "functions.log").read_text()

    assert "@example.com" not in text
    assert "A note of the guard" not in text
