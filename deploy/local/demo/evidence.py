"""Check the effects of the demo: compare each finding with its expected value."""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import psycopg

from deploy.local.aws.mailbox import message_id_of
from deploy.local.demo import flaky
from deploy.local.demo.operations import STEPS, ExecutionEnd, arn_of, digests_of, read_execution, record_status
from deploy.local.demo.uploads import REPORTS_PATH, SAMPLES, Upload
from deploy.local.stack import LocalStack
from workflows.contracts.guard_report import DRAWN_KINDS

MAX_RECEIVES = 3
# The samples, not the user's files of the same names.
REFUSED_FILES = {SAMPLES / "truncated.jpg": "UnreadableImage", SAMPLES / "floor-plan.svg": "ActiveContent"}
_IMAGE_STARTS = (b"RIFF", b"\xff\xd8\xff", b"\x89PNG")
_ERRORS_SQL = "SELECT error FROM reports_reportfile WHERE report_id = %s ORDER BY position"
_RECIPIENTS_SQL = """
SELECT u.id, u.email FROM reports_guardreport r JOIN core_property p ON p.id = r.property_id
JOIN core_client c ON c.id = p.owner_id JOIN auth_user u ON u.id = c.user_id WHERE r.id = %(id)s
UNION
SELECT u.id, u.email FROM reports_guardreport r JOIN core_propertysupervisor s ON s.property_id = r.property_id
JOIN auth_user u ON u.id = s.user_id WHERE r.id = %(id)s
"""

# Subject, finding, expected value.
type Check = tuple[str, object, object]


@dataclass
class Report:
    """One report and its effects.

    ``files``: as in the API, each with the "error" of its row. ``wrong_addresses``: signed URLs with other content than
    the file or a picture. ``recipients``: addresses by user id.
    """

    upload: Upload
    report_id: int
    task_id: str
    record_status: str
    execution: ExecutionEnd
    files: Sequence[Mapping[str, Any]]
    wrong_addresses: Sequence[str]
    recipients: Mapping[int, str]
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def thumbnails(self) -> int:
        """Number of thumbnails of all files."""
        return sum(len(file["thumbnails"]) for file in self.files)


@dataclass(frozen=True)
class Played:
    """Actions of the demo. ``sent``: uploads with the API's answers."""

    sent: Sequence[tuple[Upload, Mapping[str, Any]]]
    poison_id: str
    digest: ExecutionEnd | None
    repeated: Sequence[str] | None  # None without redrive


@dataclass(frozen=True)
class Evidence:
    """All findings, and a sentence for each wrong one."""

    reports: Sequence[Report]
    dead_letters: Mapping[str, str]
    mails: int
    scheduled: int
    problems: Sequence[str]


def gather(stack: LocalStack, played: Played) -> Evidence:
    """Read all effects and check them."""
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda sent: _report(stack, *sent), played.sent))
    mails, dead_letters = stack.mailbox.messages(), _dead_letters(stack)
    receives = [entry.get("receive_count") for entry in stack.log_entries("dispatch_tasks", played.poison_id)]
    checks = [check for report in reports for check in of_report(report)]
    checks += [
        *of_mails(mails, reports, digests_of(played.digest) if played.digest else []),
        ("the digest's execution", played.digest and played.digest.status, "SUCCEEDED"),
        ("the dead-letter queue", list(dead_letters), [played.poison_id]),
        ("receives of the dead letter", [one for one in receives if one], [*range(1, MAX_RECEIVES + 1)]),
        ("steps that the redrive ran again", played.repeated, played.repeated and [*STEPS[2:]]),
    ]
    return Evidence(reports, dead_letters, len(mails), int(played.digest is not None), problems_of(checks))


def problems_of(checks: Sequence[Check]) -> list[str]:
    """Return a sentence for each check whose finding is not the expected value."""
    return [f"{what}: {found!r}, not {expected!r}." for what, found, expected in checks if found != expected]


def of_report(report: Report) -> Iterator[Check]:
    """Check a report's execution and the verdicts on its files."""
    name, sent = f"report {report.report_id}", report.upload.files
    yield f"{name}, record and execution", (report.record_status, report.execution.status), ("SUCCEEDED", "SUCCEEDED")
    failed = report.execution.failed_tries
    if any(flaky.MARK in sent_as for sent_as, _ in sent):
        yield f"{name}, failed attempts", failed, ["StorageUnavailable"] * flaky.FAILURES
    if any(flaky.WAITS_MARK in sent_as for sent_as, _ in sent):
        yield f"{name}, redrives and errors", (report.execution.redrives, failed), (1, ["PayloadInvalid"])
    yield f"{name}, its files", [file["name"] for file in report.files], [sent_as for sent_as, _ in sent]
    yield f"{name}, wrong addresses", report.wrong_addresses, []
    for file, (sent_as, path) in zip(report.files, sent, strict=False):
        accepted = file["status"] == "accepted"
        yield f"{name}, {sent_as}, has a verdict", accepted or file["status"] == "rejected", True
        if path.parent == SAMPLES:
            yield f"{name}, {sent_as}, error", file["error"], REFUSED_FILES.get(path, "")
        yield f"{name}, {sent_as}, has a reason", bool(file["reason"]), not accepted
        yield f"{name}, {sent_as}, has thumbnails", bool(file["thumbnails"]), accepted and file["kind"] in DRAWN_KINDS


def of_mails(mails: Sequence[EmailMessage], reports: Sequence[Report], digests: Sequence[str]) -> Iterator[Check]:
    """Check one mail per recipient, the digests, and no other mail; assign reports their mails."""
    by_id = {str(mail["Message-ID"]): mail for mail in mails}
    for report in reports:
        for user_id, address in report.recipients.items():
            what = f"report {report.report_id}, mail to {address}"
            mail = by_id.pop(message_id_of(f"guard_report/{report.report_id}/{user_id}"), None)
            yield what, mail and str(mail["To"]), address
            if mail:
                report.mails.append(mail)
                yield from _of_mail(what, mail, has_pictures=report.thumbnails > 0)
    yield "digests sent", len([key for key in digests if by_id.pop(message_id_of(key), None)]), max(1, len(digests))
    yield "other mails", [f"{mail['To']}: {mail['Subject']}" for mail in by_id.values()], []


def _of_mail(what: str, mail: EmailMessage, *, has_pictures: bool) -> Iterator[Check]:
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    yield f"{what}, has a subject, HTML and text", bool(str(mail["Subject"]).strip() and html and text), True
    pictures = {str(part["Content-ID"]).strip("<>"): part.get_content() for part in mail.walk() if part["Content-ID"]}
    content = str(html.get_content()) if html else ""
    yield f"{what}, pictures not shown", [one for one in pictures if f"cid:{one}" not in content], []
    yield f"{what}, shows pictures", bool(pictures), has_pictures
    yield f"{what}, are pictures", all(picture.startswith(_IMAGE_STARTS) for picture in pictures.values()), True


def _report(stack: LocalStack, upload: Upload, answer: Mapping[str, Any]) -> Report:
    """Read a report from the API, its signed URLs and the database."""
    report_id, task_id = answer["id"], answer["async_processing"]["task_id"]
    headers = {"X-Api-Key": stack.people["api_key"], "X-Guard-ID": str(upload.guard_id)}
    url = f"{stack.django_url}{REPORTS_PATH}{report_id}/"
    shown = json.loads(_get(urllib.request.Request(url, headers=headers)))["files"]  # noqa: S310  our own http://127.0.0.1
    with psycopg.connect(stack.database_url) as connection:
        errors = [error for (error,) in connection.execute(_ERRORS_SQL, [report_id])]
        recipients: dict[int, str] = dict(connection.execute(_RECIPIENTS_SQL, {"id": report_id}).fetchall())
    wrong = [
        file["file_url"]
        for file, (_, path) in zip(shown, upload.files, strict=True)
        if _get(file["file_url"]) != path.read_bytes()
    ]
    thumbnails = (one["url"] for file in shown for one in file["thumbnails"])
    wrong += [address for address in thumbnails if not _get(address).startswith(_IMAGE_STARTS)]
    files = [file | {"error": error} for file, error in zip(shown, errors, strict=True)]
    execution = read_execution(stack.aws.step_functions, arn_of(stack, "GuardReport", task_id))
    return Report(upload, report_id, task_id, record_status(stack, task_id), execution, files, wrong, recipients)


def _get(address: str | urllib.request.Request) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as response:  # noqa: S310  our own http://127.0.0.1
        content: bytes = response.read()
        return content


def _dead_letters(stack: LocalStack) -> dict[str, str]:
    queue = stack.outputs["TasksDeadLetterQueueUrl"]
    received = stack.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=1)
    return {message["MessageId"]: message["Body"] for message in received.get("Messages", [])}
