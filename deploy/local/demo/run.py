"""``make demo``: guard reports from upload to mail, on a separate stack.

One report fails and is redriven; a schedule fires, and its digest is mailed.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from deploy import DeployError
from deploy.local.aws.deployment import Overlay
from deploy.local.demo.evidence import Evidence, Played, gather
from deploy.local.demo.operations import FINAL_STATUSES, fire, redrive, write_word
from deploy.local.demo.uploads import Upload, send_report, uploads
from deploy.local.progress import Progress, short_path
from deploy.local.stack import LocalStack, StackOptions, only_one
from deploy.packages.functions import FUNCTIONS

# More would start dozens of functions on two cores.
UPLOADS_AT_A_TIME = 2
DONE_WITHIN_SECONDS = 150
# A typing error such as a producer might make: the dispatcher finds no such task, three times.
POISON = json.dumps({"task": "process_guard_reprot", "payload": {"report_id": 1}})
FLAKY = Overlay(
    "flaky_make_thumbnails.lambda_handler",
    {"flaky_make_thumbnails.py": Path(__file__).with_name("flaky.py").read_bytes()},
)
# Steps of a Map start with two instances; the demo has no incidents.
_ONE = ("list_digests", "run_task")
_NONE = ("await_acknowledgement", "choose_person", "record_acknowledgement")
WARM = {function.name: 1 if function.name in _ONE else 2 for function in FUNCTIONS if function.name not in _NONE}
WAIT_SCALE = 0.2  # retries without waits of seconds


class FilesNotFound(DeployError):
    """A named file does not exist."""


def run_demo(local_dir: Path, own_files: Sequence[Path], progress: Progress) -> int:
    """Run the demo and return its exit code: 0 only if all checks pass."""
    missing = [str(path) for path in own_files if not path.is_file()]
    if missing:
        raise FilesNotFound(f'There is no file {", ".join(missing)}. Name files that exist: make demo FILES="a.jpg"')
    started = time.monotonic()
    options = StackOptions(
        overlays={"make_thumbnails": FLAKY}, warm=WARM, mail_folder=local_dir / "mails", wait_scale=WAIT_SCALE
    )
    with only_one(local_dir / "demo-lock", "A demo"):
        stack = LocalStack(local_dir / "demo", options, progress)
        progress.say("Starting the local stack")
        try:
            stack.start()
            progress.say(f"\nUp after {time.monotonic() - started:.0f} s. Uploading to {stack.django_url}")
            evidence = gather(stack, _play(stack, own_files, progress))
            seconds = time.monotonic() - started
        finally:
            stack.stop()
    numbers = summary(evidence, seconds)
    (local_dir / "demo.json").write_text(json.dumps(numbers, indent=2) + "\n")
    for line in lines_of(evidence):
        progress.say(line)
    progress.say("\n" + ", ".join(f"{name.replace('_', ' ')}: {number}" for name, number in numbers.items()))
    progress.say(f"Mails {short_path(local_dir)}/mails/*.eml   logs {short_path(stack.logs)}/")
    for problem in evidence.problems:
        progress.say(f"  WRONG: {problem}")
    progress.say("" if evidence.problems else "Everything is as it should be. The stack has ended.")
    return 1 if evidence.problems else 0


def summary(evidence: Evidence, seconds: float) -> dict[str, int | float]:
    """Return the contents of ``demo.json``."""
    succeeded = sum(report.record_status == "SUCCEEDED" for report in evidence.reports)
    return {
        "reports": len(evidence.reports),
        "succeeded": succeeded,
        "failed": len(evidence.reports) - succeeded,
        "thumbnails": sum(report.thumbnails for report in evidence.reports),
        "emails": evidence.mails,
        "dead_lettered": len(evidence.dead_letters),
        "redriven": sum(report.execution.redrives for report in evidence.reports),
        "scheduled": evidence.scheduled,
        "seconds": round(seconds, 1),
    }


def lines_of(evidence: Evidence) -> Iterator[str]:
    """Yield a line for each report and each dead letter."""
    row = "{:>6}  {:36}  {:9}  {:>7}  {:>10}  {:>5}  {}".format
    yield row("report", "execution", "status", "seconds", "thumbnails", "mails", "files")
    for report in evidence.reports:
        files = [f"{file['name']} ({file['error']})" if file["error"] else file["name"] for file in report.files]
        rejections = {file["error"] for file in report.files}
        if failed := [error for error in report.execution.failed_tries if error not in rejections]:
            files.append(f"after {len(failed)} failed attempts ({', '.join(dict.fromkeys(failed))})")
        execution, seconds = report.execution, f"{report.execution.seconds:.1f}"
        cells = (report.report_id, report.task_id, execution.status, seconds, report.thumbnails, len(report.mails))
        yield row(*cells, ", ".join(files))
    for message_id, body in evidence.dead_letters.items():
        yield f"dead letter {message_id}: {body}"


def _play(stack: LocalStack, own_files: Sequence[Path], progress: Progress) -> Played:
    poison = stack.aws.sqs.send_message(QueueUrl=stack.outputs["TasksQueueUrl"], MessageBody=POISON)
    planned = uploads(own_files, stack.people["guard_ids"], fails=stack.can_redrive)
    write_word(stack)
    answers = _send(stack, planned, progress)
    _wait(stack, progress, len(planned), dead_letters=0)
    repeated = redrive(stack, answers[0]["async_processing"]["task_id"], progress) if stack.can_redrive else None
    digest = fire(stack, progress)
    progress.say()
    _wait(stack, progress, len(planned), dead_letters=1)
    return Played([*zip(planned, answers, strict=True)], poison["MessageId"], digest, repeated)


def _send(stack: LocalStack, planned: Sequence[Upload], progress: Progress) -> list[Mapping[str, Any]]:
    answers: list[Mapping[str, Any]] = []
    with ThreadPoolExecutor(UPLOADS_AT_A_TIME) as pool:
        for answer in pool.map(partial(send_report, stack.django_url, stack.people["api_key"]), planned):
            answers.append(answer)
            progress.live(f"  {len(answers)} of {len(planned)} uploaded")
    return answers


def _wait(stack: LocalStack, progress: Progress, total: int, dead_letters: int) -> None:
    """Print the progress until everything has ended or time is up."""
    url = stack.outputs["TasksDeadLetterQueueUrl"]
    query = "SELECT status, count(*) FROM executions_taskrecord WHERE schedule = '' GROUP BY status"
    since = time.monotonic()
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        while True:
            stack.check()
            counts: dict[str, int] = dict(connection.execute(query).fetchall())
            done = sum(count for status, count in counts.items() if status in FINAL_STATUSES)
            mails = len([*stack.mailbox.folder.glob("*.eml")])
            queue = stack.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            dead = int(queue["Attributes"]["ApproximateNumberOfMessages"])
            seconds = time.monotonic() - since
            line = f"  {done} of {total} done, {mails} mails, {dead} of {dead_letters} dead-lettered, {seconds:.0f} s"
            if (done >= total and dead >= dead_letters) or seconds > DONE_WITHIN_SECONDS:
                progress.say(line)
                return
            progress.live(line)
            time.sleep(0.5)
