"""The demo's own judgement: what it uploads, and what it would find wrong."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.local.demo import refusal
from deploy.local.demo.evidence import (
    DeadLetter,
    Evidence,
    FileRow,
    Report,
    _problems_of_dead_letters,
    _problems_of_file,
    _problems_of_mail,
    _problems_of_report,
)
from deploy.local.demo.executions import Execution
from deploy.local.demo.flaky import MARK
from deploy.local.demo.operations import Fired, Redriven
from deploy.local.demo.run import _answers
from deploy.local.demo.table import summary, table
from deploy.local.demo.uploads import MIN_REPORTS, SAMPLES, UploadRefused, send_report, uploads
from deploy.local.up import AlreadyRunning, only_one

COFFEE = SAMPLES / "coffee.jpg"
GOOD_FILE = FileRow(
    report_id=1,
    name="coffee.jpg",
    status="accepted",
    error="",
    reason="",
    kind="image",
    sha256=hashlib.sha256(COFFEE.read_bytes()).hexdigest(),
    size_bytes=COFFEE.stat().st_size,
    thumbnails=4,
)
GOOD_EXECUTION = Execution("arn", "SUCCEEDED", "{}", "{}", {"Load Report": 0.1, "Summarize": 0.0}, [])
DONE = {"load_report": 1, "inspect_file": 2, "make_thumbnails": 2, "record_report": 0}
REDRIVEN = Redriven(
    1,
    replace(GOOD_EXECUTION, status="FAILED", failed_tries=[refusal.ERROR] * 4),
    replace(GOOD_EXECUTION, failed_tries=[refusal.ERROR] * 4, redrives=1),
    DONE,
    DONE | {"record_report": 1},
)
FIRED = Fired("daily_report_digest-20261124T120000Z", GOOD_EXECUTION, ["digest/1"])


def report_of(
    files: list[str | tuple[str, str]], execution: Execution = GOOD_EXECUTION, status: str = "SUCCEEDED"
) -> Report:
    named = [(file, SAMPLES / file) if isinstance(file, str) else (file[0], SAMPLES / file[1]) for file in files]
    upload = replace(uploads([], [1])[0], files=named)
    return Report(upload, 1, "task", status, execution, [GOOD_FILE] * len(named))


def mail_to(address: str, content_id: str = "one", picture: bytes = b"\x89PNG") -> EmailMessage:
    mail = EmailMessage()
    mail["To"], mail["Subject"] = address, "Guard report"
    mail.set_content("Text")
    mail.add_alternative("<img src='cid:one'>", subtype="html")
    _, html = mail.iter_parts()
    assert isinstance(html, EmailMessage)
    html.add_related(picture, "image", "png", cid=f"<{content_id}>")
    return mail


def test_every_sample_is_sent_and_one_file_is_broken_and_one_fails_twice() -> None:
    planned = uploads([], [1, 2, 3])
    sent = [path.name for upload in planned for _, path in upload.files]
    samples = {path.name for path in SAMPLES.iterdir() if path.name != "README.md"}

    assert len(planned) >= MIN_REPORTS
    assert set(sent) == samples
    assert sent.count("truncated.jpg") == sent.count("floor-plan.svg") == 1
    assert len([name for upload in planned for name, _ in upload.files if MARK in name]) == 1
    assert [upload.files[0][0].startswith(refusal.MARK) for upload in planned].index(True) == 0
    assert {upload.guard_id for upload in planned} == {1, 2, 3}


def test_nothing_is_refused_where_no_execution_can_be_redriven() -> None:
    planned = uploads([], [1], refused=False)

    assert len(planned) == len(uploads([], [1])) - 1
    assert not [name for upload in planned for name, _ in upload.files if name.startswith(refusal.MARK)]


def test_a_refused_upload_is_told_at_once_and_by_its_files(tmp_path: Path) -> None:
    own = tmp_path / "empty.jpg"
    own.touch()
    refusal = b'{"files": {"0": ["The submitted file is empty."]}}'

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(400)
            self.end_headers()
            self.wfile.write(refusal)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Refuse) as server, ThreadPoolExecutor(2) as pool:
        pool.submit(server.handle_request)
        sending = pool.submit(
            send_report, f"http://127.0.0.1:{server.server_port}", "key", uploads([own], [1], refused=False)[0]
        )
        with pytest.raises(UploadRefused):
            sending.result()

    with pytest.raises(UploadRefused, match=r"^empty\.jpg: POST .* answered 400: .*The submitted file is empty"):
        _answers([Future(), sending])


def test_a_second_demo_is_told_that_there_is_one(tmp_path: Path) -> None:
    second = only_one(tmp_path, "A demo")

    with only_one(tmp_path, "A demo"), pytest.raises(AlreadyRunning, match=r"^A demo is already running\."):
        second.__enter__()


def test_own_files_take_the_place_of_the_samples_but_not_of_the_trouble(tmp_path: Path) -> None:
    own = tmp_path / "door.jpg"
    own.write_bytes(b"x")

    planned = uploads([own], [1])
    names = [name for upload in planned for name, _ in upload.files]

    assert names.count("door.jpg") == MIN_REPORTS
    assert {name for name in names if name != "door.jpg"} == {
        "truncated.jpg",
        "brick-wall.jpg",
        "cat.png",
        "floor-plan.svg",
        "patrol-log.pdf",
        f"{MARK}.jpg",
        f"{refusal.MARK}.jpg",
    }


def test_a_report_with_everything_in_place_has_no_problem() -> None:
    assert list(_problems_of_report(report_of(["coffee.jpg"]))) == []


@pytest.mark.parametrize(
    ("row", "path", "problem"),
    [
        (replace(GOOD_FILE, status="pending"), COFFEE, "has no verdict"),
        (GOOD_FILE, SAMPLES / "truncated.jpg", "should have been rejected as UnreadableImage"),
        (GOOD_FILE, SAMPLES / "floor-plan.svg", "should have been rejected as ActiveContent"),
        (replace(GOOD_FILE, status="rejected"), COFFEE, "without a reason"),
        (replace(GOOD_FILE, sha256="0" * 64), COFFEE, "another digest"),
        (replace(GOOD_FILE, thumbnails=0), COFFEE, "has 0 thumbnails"),
        (replace(GOOD_FILE, kind="other"), COFFEE, "has 4 thumbnails"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_told(row: FileRow, path: Path, problem: str) -> None:
    assert problem in " ".join(_problems_of_file(row, path))


def test_a_file_of_the_readers_may_have_the_name_of_the_broken_one(tmp_path: Path) -> None:
    own = tmp_path / "truncated.jpg"
    own.write_bytes(COFFEE.read_bytes())

    assert list(_problems_of_file(GOOD_FILE, own)) == []


def test_an_execution_that_failed_or_was_not_recorded_is_told() -> None:
    failed = report_of(["coffee.jpg"], replace(GOOD_EXECUTION, status="FAILED"), "FAILED")
    unrecorded = report_of(["coffee.jpg"], status="RUNNING")

    assert "the execution is FAILED" in " ".join(_problems_of_report(failed))
    assert "its record RUNNING" in " ".join(_problems_of_report(unrecorded))


def test_a_step_that_should_have_failed_twice_and_has_not_is_told() -> None:
    report = report_of([(f"{MARK}.jpg", "coffee.jpg")])

    assert "2 tries should have failed" in " ".join(_problems_of_report(report))


@pytest.mark.parametrize(
    ("mail", "problem"),
    [
        (mail_to("other@example.com"), "it is for other@example.com"),
        (mail_to("one@example.com", content_id="two"), "a picture that it does not show"),
        (mail_to("one@example.com", picture=b"no"), "one of its pictures is none"),
    ],
)
def test_a_mail_that_is_not_as_it_should_be_is_told(mail: EmailMessage, problem: str) -> None:
    report = report_of(["coffee.jpg"])

    assert list(_problems_of_mail(mail_to("one@example.com"), "one@example.com", report)) == []
    assert problem in " ".join(_problems_of_mail(mail, "one@example.com", report))


def test_a_dead_letter_too_few_too_many_or_received_otherwise_is_told() -> None:
    letter = DeadLetter("poison", "body", "reason", [1, 2, 3])

    assert list(_problems_of_dead_letters([letter], "poison")) == []
    assert "holds 0 messages" in " ".join(_problems_of_dead_letters([], "poison"))
    assert "holds 2 messages" in " ".join(_problems_of_dead_letters([letter, letter], "poison"))
    assert "received [1]" in " ".join(_problems_of_dead_letters([replace(letter, receives=[1])], "poison"))


def test_the_summary_counts_what_was_found() -> None:
    reports = [report_of(["coffee.jpg"]), report_of(["coffee.jpg"], status="FAILED")]
    evidence = Evidence(reports, [DeadLetter("poison", "body", "reason", [1])], [], FIRED, [COFFEE])

    assert summary(evidence, 12.34) == {
        "reports": 2,
        "succeeded": 1,
        "failed": 1,
        "thumbnails": 8,
        "emails": 1,
        "dead_lettered": 1,
        "redriven": 0,
        "scheduled": 1,
        "seconds": 12.3,
    }


def test_the_table_has_a_column_for_each_state_that_takes_time() -> None:
    head, names, row = table([report_of(["coffee.jpg"])])

    assert head.split() == ["Load", "thumb-"]
    assert names.split() == ["report", "execution", "status", "Report", "nails", "mails", "files"]
    assert row.split() == ["1", "task", "SUCCEEDED", "0.10", "4", "0", "coffee.jpg"]


def test_the_columns_are_in_the_workflows_order_though_the_first_report_skipped_a_state() -> None:
    seconds = {"Inspect File": 0.1, "Make Thumbnails": 0.2, "Record Report": 0.3}
    whole = report_of(["coffee.jpg"], replace(GOOD_EXECUTION, seconds=seconds))
    rejected = {name: took for name, took in seconds.items() if name != "Make Thumbnails"}
    short = report_of(["truncated.jpg"], replace(GOOD_EXECUTION, seconds=rejected))

    head, *_ = table([short, whole])

    assert head.split() == ["Inspect", "Make", "Record", "thumb-"]


@pytest.mark.parametrize(
    ("redriven", "problem"),
    [
        (replace(REDRIVEN, before=GOOD_EXECUTION), "should have FAILED"),
        (replace(REDRIVEN, before=replace(REDRIVEN.before, failed_tries=["ValueError"])), "should have FAILED"),
        (replace(REDRIVEN, after=replace(REDRIVEN.after, redrives=0)), "redriven 0 times"),
        (replace(REDRIVEN, after=REDRIVEN.before), "it is FAILED"),
        (replace(REDRIVEN, done_before=DONE | {"make_thumbnails": 0}), "its last step alone"),
        (replace(REDRIVEN, done_after=DONE | {"load_report": 2, "record_report": 1}), "more than the last step"),
    ],
)
def test_a_redrive_that_is_not_as_it_should_be_is_told(redriven: Redriven, problem: str) -> None:
    assert list(REDRIVEN.problems()) == []
    assert problem in " ".join(redriven.problems())


@pytest.mark.parametrize(
    ("fired", "problem"),
    [
        (replace(FIRED, execution=None), "there is no execution"),
        (replace(FIRED, execution=replace(GOOD_EXECUTION, status="FAILED")), "the execution is FAILED"),
        (replace(FIRED, mail_keys=[]), "it has written to nobody"),
    ],
)
def test_a_schedule_that_did_not_do_its_work_is_told(fired: Fired, problem: str) -> None:
    assert list(FIRED.problems()) == []
    assert problem in " ".join(fired.problems())


def test_the_table_tells_what_was_redriven() -> None:
    report = report_of(["coffee.jpg"], REDRIVEN.after)

    assert "a step failed 4 times (ProgrammingError), and worked once redriven" in "\n".join(table([report]))
