"""Whether the demo did what it should: looked up where each effect is, not where it was asked for."""

import hashlib
import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.aws.mailbox import message_id_of
from deploy.local.demo.executions import Execution, read_execution
from deploy.local.demo.flaky import FAILURES, MARK
from deploy.local.demo.operations import Fired, Redriven, arn_of
from deploy.local.demo.uploads import SAMPLES, Upload, read_report
from deploy.local.function_log import entries
from deploy.local.stack import LocalStack
from qu_workflows.protocol.message import MessageRejected, read_message
from workflows.contracts.guard_report import DRAWN_KINDS

TRANSIENT_ERROR = "StorageUnavailable"
MAX_RECEIVES = 3
# The samples, and no file of the reader's that has their names.
REFUSED_FILES = {SAMPLES / "truncated.jpg": "UnreadableImage", SAMPLES / "floor-plan.svg": "ActiveContent"}
_IMAGE_STARTS = (b"RIFF", b"\xff\xd8\xff", b"\x89PNG")

_FILES_SQL = """
SELECT f.report_id, f.name, f.status, f.error, f.reason, f.kind, f.sha256, f.size_bytes, count(t.id)
FROM reports_reportfile f LEFT JOIN reports_thumbnail t ON t.report_file_id = f.id
GROUP BY f.id ORDER BY f.report_id, f.position
"""
_TASKS_SQL = "SELECT report_id, id, status, execution_arn FROM executions_taskrecord WHERE report_id IS NOT NULL"
_RECIPIENTS_SQL = """
SELECT r.id, u.id, u.email FROM reports_guardreport r JOIN core_property p ON p.id = r.property_id
JOIN core_client c ON c.id = p.owner_id JOIN auth_user u ON u.id = c.user_id
UNION
SELECT r.id, u.id, u.email FROM reports_guardreport r JOIN core_propertysupervisor s ON s.property_id = r.property_id
JOIN auth_user u ON u.id = s.user_id
"""


@dataclass(frozen=True)
class FileRow:
    """One file as PostgreSQL has it."""

    report_id: int
    name: str
    status: str
    error: str
    reason: str
    kind: str
    sha256: str
    size_bytes: int
    thumbnails: int


@dataclass(frozen=True)
class DeadLetter:
    """One message of the dead-letter queue, and why it could not be dispatched."""

    message_id: str
    body: str
    reason: str
    receives: list[int]


@dataclass
class Report:
    """One report, with what was found of it."""

    upload: Upload
    report_id: int
    task_id: str
    task_status: str = ""
    execution: Execution | None = None
    files: list[FileRow] = field(default_factory=list)
    mails: list[Path] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Both the execution and Django's record of it say so."""
        return self.task_status == "SUCCEEDED" and self.execution is not None and self.execution.status == "SUCCEEDED"


@dataclass
class Evidence:
    """Everything that was found, and what of it is not as it should be."""

    reports: list[Report]
    dead_letters: list[DeadLetter]
    problems: list[str]
    fired: Fired
    digests: list[Path] = field(default_factory=list)

    @property
    def thumbnails(self) -> int:
        """Thumbnails that PostgreSQL has; each was also fetched over its signed address."""
        return sum(file.thumbnails for report in self.reports for file in report.files)

    @property
    def mails(self) -> int:
        """Mails that SES took."""
        return sum(len(report.mails) for report in self.reports) + len(self.digests)


def gather(
    stack: LocalStack,
    sent: Sequence[tuple[Upload, Mapping[str, Any]]],
    poison_id: str,
    redriven: Redriven | None,
    fired: Fired,
) -> Evidence:
    """Look everything up. ``sent`` are the uploads with the API's answers, ``poison_id`` the poison's MessageId."""
    reports = [Report(upload, answer["id"], answer["async_processing"]["task_id"]) for upload, answer in sent]
    problems: list[str] = []
    with psycopg.connect(stack.database_url) as connection:
        _add_rows(connection, reports)
        recipients = connection.execute(_RECIPIENTS_SQL).fetchall()
    for report in reports:
        report.execution = read_execution(stack.aws.step_functions, arn_of(stack, "GuardReport", report.task_id))
        problems += _problems_of_report(report)
    problems += _problems_of_objects(stack, reports)
    problems += redriven.problems() if redriven else []
    problems += fired.problems()
    digests: list[Path] = []
    problems += _match_mails(stack, reports, recipients, fired, digests)
    dead_letters = _dead_letters(stack)
    problems += _problems_of_dead_letters(dead_letters, poison_id)
    return Evidence(reports, dead_letters, problems, fired, digests)


def _add_rows(connection: "psycopg.Connection[Any]", reports: Sequence[Report]) -> None:
    by_id = {report.report_id: report for report in reports}
    for row in connection.execute(_FILES_SQL):
        if row[0] in by_id:
            by_id[row[0]].files.append(FileRow(*row))
    for report_id, task_id, status, _arn in connection.execute(_TASKS_SQL):
        if report_id in by_id and task_id == by_id[report_id].task_id:
            by_id[report_id].task_status = status


def _problems_of_report(report: Report) -> Iterator[str]:
    name = f"report {report.report_id}"
    status = report.execution.status if report.execution else "missing"
    if not report.succeeded:
        yield f"{name}: the execution is {status}, its record {report.task_status or 'missing'}."
    if len(report.files) != len(report.upload.files):
        yield f"{name}: {len(report.files)} files in PostgreSQL, {len(report.upload.files)} were uploaded."
    for file, (sent_as, path) in zip(report.files, report.upload.files, strict=False):
        yield from (f"{name}, {sent_as}: {problem}" for problem in _problems_of_file(file, path))
    failed = report.execution.failed_tries if report.execution else []
    if any(MARK in sent_as for sent_as, _ in report.upload.files) and failed != [TRANSIENT_ERROR] * FAILURES:
        yield f"{name}: {FAILURES} tries should have failed with {TRANSIENT_ERROR}; the history has {failed}."


def _problems_of_file(file: FileRow, path: Path) -> Iterator[str]:
    if file.status == "pending":
        yield "has no verdict."
    refused_as = REFUSED_FILES.get(path)
    if refused_as and (file.status, file.error) != ("rejected", refused_as):
        yield f"should have been rejected as {refused_as}; it is {file.status} {file.error}."
    if file.status == "rejected" and not file.reason:
        yield "is rejected without a reason."
    if file.status == "accepted" and file.sha256 != hashlib.sha256(path.read_bytes()).hexdigest():
        yield "has another digest than the file that was uploaded."
    if file.status == "accepted" and (file.kind in DRAWN_KINDS) != (file.thumbnails > 0):
        yield f"is of kind {file.kind} and has {file.thumbnails} thumbnails."


def _problems_of_objects(stack: LocalStack, reports: Sequence[Report]) -> list[str]:
    """Fetch every file and thumbnail over its signed address, as the mobile app would."""
    with ThreadPoolExecutor(4) as pool:
        return [problem for found in pool.map(lambda report: list(_fetch(stack, report)), reports) for problem in found]


def _fetch(stack: LocalStack, report: Report) -> Iterator[str]:
    seen = read_report(stack.django_url, stack.people["api_key"], report.upload.guard_id, report.report_id)
    for file, (sent_as, path) in zip(seen["files"], report.upload.files, strict=True):
        if _get(file["file_url"]) != path.read_bytes():
            yield f"report {report.report_id}, {sent_as}: its signed address gives something else."
        for thumbnail in file["thumbnails"]:
            if not _get(thumbnail["url"]).startswith(_IMAGE_STARTS):
                yield f"report {report.report_id}, {sent_as}: its {thumbnail['size']} thumbnail is no picture."
    shown = [len(file["thumbnails"]) for file in seen["files"]]
    if shown != [file.thumbnails for file in report.files]:
        yield f"report {report.report_id}: the API shows {shown} thumbnails, not those of PostgreSQL."


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310  our own http://127.0.0.1
        content: bytes = response.read()
        return content


def _match_mails(
    stack: LocalStack,
    reports: Sequence[Report],
    recipients: Sequence[tuple[int, int, str]],
    fired: Fired,
    digests: list[Path],
) -> list[str]:
    """Give each report its mails and the schedule its digests; say which are missing, too many, or not right."""
    mails = stack.mailbox.messages()
    counted = len(json.loads(_get(f"{stack.aws.endpoint}/_ministack/ses/messages"))["messages"].get("000000000000", []))
    problems = [] if counted == len(mails) else [f"SES took {counted} mails, {len(mails)} were kept."]
    by_message_id = {str(mail["Message-ID"]): (path, mail) for path, mail in mails.items()}
    for report in reports:
        for _, user_id, address in (row for row in recipients if row[0] == report.report_id):
            found = by_message_id.pop(message_id_of(f"guard_report/{report.report_id}/{user_id}"), None)
            if found is None:
                problems.append(f"report {report.report_id}: no mail to {address}.")
                continue
            report.mails.append(found[0])
            problems += (f"{found[0].name}: {said}" for said in _problems_of_mail(found[1], address, report))
    for key in fired.mail_keys:
        found = by_message_id.pop(message_id_of(key), None)
        problems += [] if found else [f"{fired.task_id}: its mail {key} has not come."]
        digests += [found[0]] if found else []
    return problems + [f"{path.name}: nobody should have got it." for path, _ in by_message_id.values()]


def _problems_of_mail(mail: EmailMessage, address: str, report: Report) -> Iterator[str]:
    if str(mail["To"]) != address:
        yield f"it is for {mail['To']}, not {address}."
    if not str(mail["Subject"]).strip():
        yield "it has no subject."
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    if html is None or text is None:
        yield "it has no HTML or no text."
        return
    pictures = {str(part["Content-ID"]).strip("<>"): part for part in mail.walk() if part["Content-ID"]}
    content = str(html.get_content())
    if any(f"cid:{content_id}" not in content for content_id in pictures):
        yield "it carries a picture that it does not show."
    if not pictures and any(file.thumbnails for file in report.files):
        yield "it shows no picture."
    if any(not part.get_content().startswith(_IMAGE_STARTS) for part in pictures.values()):
        yield "one of its pictures is none."


def _dead_letters(stack: LocalStack) -> list[DeadLetter]:
    received = stack.aws.sqs.receive_message(
        QueueUrl=stack.outputs["TasksDeadLetterQueueUrl"], MaxNumberOfMessages=10, VisibilityTimeout=1
    )
    return [
        DeadLetter(
            message["MessageId"],
            message["Body"],
            _reason(message["Body"], message["MessageId"]),
            [
                int(entry["receive_count"])
                for entry in entries(stack.logs, "dispatch_tasks", message["MessageId"])
                if "receive_count" in entry
            ],
        )
        for message in received.get("Messages", [])
    ]


def _reason(body: str, message_id: str) -> str:
    try:
        read_message(body, message_id)
    except MessageRejected as error:
        return f"{type(error).__name__}: {error}"
    return "It can be dispatched: it was not because of Step Functions, or of the dispatcher itself."


def _problems_of_dead_letters(dead_letters: Sequence[DeadLetter], poison_id: str) -> Iterator[str]:
    if [letter.message_id for letter in dead_letters] != [poison_id]:
        yield f"the dead-letter queue holds {len(dead_letters)} messages, not the poison message alone."
    for letter in dead_letters:
        if letter.receives != list(range(1, MAX_RECEIVES + 1)):
            yield f"the poison message was received {letter.receives}, not {MAX_RECEIVES} times."
