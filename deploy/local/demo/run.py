"""``make demo``: guard reports travel from an HTTP upload to thumbnails, rows and mails, and the stack ends again.

One of them fails and is redriven; a schedule fires, and its digest is mailed.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.aws.deployment import Overlay
from deploy.local.demo.evidence import Evidence, gather
from deploy.local.demo.operations import fire, redrive
from deploy.local.demo.refusal import refuse_files
from deploy.local.demo.table import dead_letter_lines, summary, table
from deploy.local.demo.uploads import send_report, uploads
from deploy.local.progress import Progress, short_path
from deploy.local.stack import LocalStack, Options
from deploy.local.up import only_one
from deploy.packages.functions import FUNCTIONS

# Two at a time: a phone here and there, not a stampede that starts forty functions on two cores.
UPLOADS_AT_A_TIME = 2
DONE_WITHIN_SECONDS = 150
POLL_SECONDS = 0.5
# A typing error such as a producer might make; the dispatcher finds no such task, three times over.
POISON = json.dumps({"task": "process_guard_reprot", "payload": {"report_id": 1}})
FLAKY = Overlay(
    "flaky_make_thumbnails.lambda_handler",
    {"flaky_make_thumbnails.py": Path(__file__).with_name("flaky.py").read_bytes()},
)
# The steps of many files or many people at a time start with two instances; those of an incident are not needed.
_ONE = ("list_digests", "run_task")
_NONE = ("await_acknowledgement", "choose_person", "record_acknowledgement")
WARM = {function.name: 1 if function.name in _ONE else 2 for function in FUNCTIONS if function.name not in _NONE}
# A step that is refused is tried four times in vain, and nobody wants to watch that for half a minute.
WAIT_SCALE = 0.2


class FilesNotFound(Exception):
    """A file that was named does not exist."""


@dataclass(frozen=True)
class Counts:
    """How far everything is."""

    running: int
    done: int
    thumbnails: int
    mails: int
    dead_letters: int

    def __str__(self) -> str:
        return (
            f"{self.running} executions running, {self.done} done, {self.thumbnails} thumbnails, "
            f"{self.mails} mails, {self.dead_letters} dead-lettered"
        )


def run_demo(local_dir: Path, own_files: Sequence[Path], progress: Progress) -> int:
    """Run the demo and return its exit code: 0 only when everything is as it must be."""
    missing = [str(path) for path in own_files if not path.is_file()]
    if missing:
        raise FilesNotFound(f'There is no file {", ".join(missing)}. Name files that exist: make demo FILES="a.jpg"')
    started = time.monotonic()
    folder = local_dir / "demo"
    options = Options(
        overlays={"make_thumbnails": FLAKY}, warm=WARM, mail_folder=local_dir / "mails", wait_scale=WAIT_SCALE
    )
    with only_one(local_dir / "demo-lock", "A demo"):
        stack = LocalStack(folder, options, progress)
        progress.say("Starting the local stack")
        try:
            stack.start()
            progress.say(f"\nUp after {time.monotonic() - started:.0f} s. Uploading to {stack.django_url}")
            evidence = _play(stack, own_files, progress)
            seconds = time.monotonic() - started
        finally:
            progress.live("Stopping")
            stack.stop()
    return _tell(evidence, seconds, stack, local_dir / "demo.json", progress)


def _play(stack: LocalStack, own_files: Sequence[Path], progress: Progress) -> Evidence:
    poison_id = stack.aws.sqs.send_message(QueueUrl=stack.outputs["TasksQueueUrl"], MessageBody=POISON)["MessageId"]
    planned = uploads(own_files, stack.people["guard_ids"], refused=stack.can_redrive)
    if stack.can_redrive:
        refuse_files(stack.database_url)
    watch = partial(_watch, stack, progress, len(planned), time.monotonic())
    with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as pool:
        sending = [pool.submit(send_report, stack.django_url, stack.people["api_key"], upload) for upload in planned]
        try:
            watch(lambda: len(_answers(sending)))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # else what was not sent yet is sent first
            raise
        answers = [future.result() for future in sending]
    redriven = None
    if stack.can_redrive:
        refused = answers[0]
        redriven = redrive(stack, refused["id"], refused["async_processing"]["task_id"], progress)
    fired = fire(stack, progress)
    progress.say()
    watch(lambda: len(planned), dead_letters=1)
    return gather(stack, list(zip(planned, answers, strict=True)), poison_id, redriven, fired)


def _answers(sending: Sequence[Future[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what the API has answered so far. Raises UploadRefused as soon as one report was refused."""
    return [future.result() for future in sending if future.done()]


def _watch(
    stack: LocalStack,
    progress: Progress,
    total: int,
    since: float,
    uploaded: Callable[[], int],
    dead_letters: int = 0,
) -> None:
    """Show how far it is, until everything has ended and so many messages are dead, or the time is over."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        while True:
            stack.check()
            counts = _count(stack, connection)
            seconds = time.monotonic() - since
            waits = "; the poison message has to be received three times" if counts.done == total else ""
            line = f"  {uploaded()} of {total} uploaded, {counts}, {seconds:.0f} s"
            if (counts.done == total and counts.dead_letters >= dead_letters) or seconds > DONE_WITHIN_SECONDS:
                progress.settle(line)
                return
            progress.live(line + waits)
            time.sleep(POLL_SECONDS)


def _count(stack: LocalStack, connection: "psycopg.Connection[Any]") -> Counts:
    query = "SELECT status, count(*) FROM executions_taskrecord WHERE schedule = '' GROUP BY status"
    by_status: Mapping[str, int] = dict(connection.execute(query).fetchall())
    thumbnails = connection.execute("SELECT count(*) FROM reports_thumbnail").fetchone()
    queue = stack.aws.sqs.get_queue_attributes(
        QueueUrl=stack.outputs["TasksDeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    running = sum(by_status.get(status, 0) for status in ("READY", "SENT", "RUNNING"))
    return Counts(
        running=by_status.get("RUNNING", 0),
        done=sum(by_status.values()) - running,
        thumbnails=thumbnails[0] if thumbnails else 0,
        mails=sum(1 for _ in stack.mailbox.folder.glob("*.eml")),
        dead_letters=int(queue["Attributes"]["ApproximateNumberOfMessages"]),
    )


def _tell(evidence: Evidence, seconds: float, stack: LocalStack, json_file: Path, progress: Progress) -> int:
    counted = summary(evidence, seconds)
    json_file.write_text(json.dumps(counted, indent=2) + "\n")
    progress.settle("")
    for line in table(evidence.reports):
        progress.say(line)
    progress.say("\nDead-letter queue")
    for line in dead_letter_lines(evidence.dead_letters):
        progress.say(line)
    progress.say(
        f"\n{counted['reports']} reports: {counted['succeeded']} succeeded, {counted['redriven']} of them redriven; "
        f"{counted['failed']} failed. {counted['scheduled']} schedule fired. "
        f"{counted['thumbnails']} thumbnails, {counted['emails']} mails, {counted['dead_lettered']} dead-lettered. "
        f"{seconds:.0f} s."
    )
    progress.say(
        f"Mails {short_path(stack.mailbox.folder)}/*.eml   logs {short_path(stack.logs)}/   {short_path(json_file)}"
    )
    if evidence.problems:
        progress.say("\nNot as it should be:")
        for problem in evidence.problems:
            progress.say(f"  - {problem}")
        return 1
    progress.say(
        "Everything is as it should be: rows, files, thumbnails, mails, retries, redrive, schedule, digest. "
        "The stack has ended."
    )
    return 0
