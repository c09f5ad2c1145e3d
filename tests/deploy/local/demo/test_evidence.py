"""The faults that the demo detects."""

from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from deploy.local.aws.mailbox import message_id_of
from deploy.local.demo import flaky
from deploy.local.demo.evidence import Report, of_mails, of_report, problems_of
from deploy.local.demo.operations import ExecutionEnd
from deploy.local.demo.uploads import SAMPLES, Upload

EXECUTION = ExecutionEnd("arn", "SUCCEEDED", "{}", "{}", 1.5, [])
COFFEE: dict[str, Any] = {
    "name": "coffee.jpg",
    "status": "accepted",
    "reason": "",
    "error": "",
    "kind": "image",
    "thumbnails": [{"url": "http://a"}] * 6,
}
REPORT = Report(
    Upload(1, "", [("coffee.jpg", SAMPLES / "coffee.jpg")]), 1, "task", "SUCCEEDED", EXECUTION, [COFFEE], [], {7: "a@b"}
)


def of_file(path: Path, **changes: Any) -> Report:
    file = COFFEE | {"name": path.name} | changes
    return replace(REPORT, upload=replace(REPORT.upload, files=[(path.name, path)]), files=[file])


def marked(mark: str, *errors: str, redrives: int = 0) -> Report:
    execution = replace(EXECUTION, failed_tries=[*errors], redrives=redrives)
    named = (f"{mark}.jpg", SAMPLES / "coffee.jpg")
    upload = replace(REPORT.upload, files=[named])
    return replace(REPORT, execution=execution, upload=upload, files=[COFFEE | {"name": named[0]}])


@pytest.mark.parametrize(
    "report",
    [
        REPORT,
        marked(flaky.MARK, "StorageUnavailable", "StorageUnavailable"),
        marked(flaky.WAITS_MARK, "PayloadInvalid", redrives=1),
        of_file(SAMPLES / "truncated.jpg", status="rejected", error="UnreadableImage", reason="Broken.", thumbnails=[]),
        of_file(SAMPLES / "note.txt", kind="other", thumbnails=[]),
        of_file(Path("/own/truncated.jpg")),
        of_file(Path("/own/virus.svg"), status="rejected", error="ActiveContent", reason="A script.", thumbnails=[]),
    ],
)
def test_a_report_with_everything_in_place_has_no_problem(report: Report) -> None:
    assert problems_of([*of_report(report)]) == []


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (replace(REPORT, record_status="RUNNING"), "record and execution: ('RUNNING', 'SUCCEEDED')"),
        (replace(REPORT, execution=replace(EXECUTION, status="FAILED")), "('SUCCEEDED', 'FAILED')"),
        (replace(REPORT, files=[]), "its files: []"),
        (replace(REPORT, wrong_addresses=["http://a"]), "wrong addresses: ['http://a']"),
        (of_file(SAMPLES / "coffee.jpg", status="pending"), "has a verdict: False"),
        (of_file(SAMPLES / "truncated.jpg"), "error: '', not 'UnreadableImage'"),
        (of_file(SAMPLES / "floor-plan.svg"), "error: '', not 'ActiveContent'"),
        (of_file(SAMPLES / "coffee.jpg", error="FileTooLarge", status="rejected"), "error: 'FileTooLarge', not ''"),
        (of_file(Path("/own/a.jpg"), status="rejected", thumbnails=[]), "has a reason: False"),
        (of_file(SAMPLES / "coffee.jpg", thumbnails=[]), "has thumbnails: False"),
        (of_file(SAMPLES / "note.txt", kind="other"), "has thumbnails: True"),
        (marked(flaky.MARK, "StorageUnavailable"), "failed attempts: ['StorageUnavailable']"),
        (marked(flaky.WAITS_MARK, "PayloadInvalid"), "redrives and errors: (0,"),
        (marked(flaky.WAITS_MARK, "ValueError", redrives=1), "redrives and errors: (1, ['ValueError'])"),
    ],
)
def test_what_is_wrong_with_a_report_is_found(report: Report, problem: str) -> None:
    assert problem in " ".join(problems_of([*of_report(report)]))


def mail(key: str, to: str = "a@b", content_id: str = "one", picture: bytes | None = b"\x89PNG") -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"], message["To"], message["Subject"] = message_id_of(key), to, "Guard report"
    message.set_content("Text")
    message.add_alternative("<img src='cid:one'>", subtype="html")
    _, html = message.iter_parts()
    assert isinstance(html, EmailMessage)
    if picture:
        html.add_related(picture, "image", "png", cid=f"<{content_id}>")
    return message


TO_PERSON, DIGEST = "guard_report/1/7", "digest/1/2026-11-23"


def test_mails_to_each_person_and_a_digest_are_as_it_should_be() -> None:
    report = replace(REPORT, mails=[])

    assert problems_of([*of_mails([mail(TO_PERSON), mail(DIGEST)], [report], [DIGEST])]) == []
    assert len(report.mails) == 1


@pytest.mark.parametrize(
    ("mails", "digests", "problem"),
    [
        ([mail(DIGEST)], [DIGEST], "report 1, mail to a@b: None"),
        ([mail(TO_PERSON, to="c@d"), mail(DIGEST)], [DIGEST], "mail to a@b: 'c@d'"),
        ([mail(TO_PERSON, content_id="two"), mail(DIGEST)], [DIGEST], "pictures not shown: ['two']"),
        ([mail(TO_PERSON, picture=None), mail(DIGEST)], [DIGEST], "shows pictures: False"),
        ([mail(TO_PERSON, picture=b"no"), mail(DIGEST)], [DIGEST], "are pictures: False"),
        ([mail(TO_PERSON)], [DIGEST], "digests sent: 0, not 1"),
        ([mail(TO_PERSON)], [], "digests sent: 0, not 1"),
        ([mail(TO_PERSON), mail(DIGEST), mail("other")], [DIGEST], "other mails: ['a@b: Guard report']"),
    ],
)
def test_what_is_wrong_with_mails_is_found(mails: list[EmailMessage], digests: list[str], problem: str) -> None:
    assert problem in " ".join(problems_of([*of_mails(mails, [replace(REPORT, mails=[])], digests)]))
