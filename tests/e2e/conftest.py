"""One local stack for all tests of the whole path."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from deploy import ROOT
from deploy.local.demo.operations import ExecutionEnd, read_execution
from deploy.local.demo.run import FLAKY
from deploy.local.demo.uploads import SAMPLES, Upload, send_report
from deploy.local.progress import Progress
from deploy.local.stack import LocalStack, StackOptions

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

PATIENCE_SECONDS = 60.0
GOOD = json.dumps({"task": "custom_processing", "payload": {"data": "example"}})
POISON = {
    "NotJson": "no json at all",
    "NoTask": json.dumps({"payload": {}}),
    "UnknownTask": json.dumps({"task": "os.system", "payload": {"command": "true"}}),
    "PayloadDoesNotFit": json.dumps({"task": "process_guard_report", "payload": {"report_id": "one"}}),
}
# A task of the next release: see next_release.py.
TASK_TO_COME = json.dumps({"task": "count_shifts", "payload": {"guard_id": 1}})
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class Ran:
    """The result of a management command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class WholePath:
    """The whole path from a client's view."""

    stack: LocalStack

    def send_report(self, *files: str | tuple[str, str], guard: int = 0, is_incident: bool = False) -> dict[str, Any]:
        """Upload samples; a pair is an upload name and a sample. Returns the API's answer."""
        named = [(file, SAMPLES / file) if isinstance(file, str) else (file[0], SAMPLES / file[1]) for file in files]
        upload = Upload(self.stack.people["guard_ids"][guard], "A note of the guard", named, is_incident)
        return send_report(self.stack.django_url, self.stack.people["api_key"], upload)

    def send_messages(self, *bodies: str) -> list[str]:
        """Put messages on the task queue in one batch and return their MessageIds."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)
        ]
        answer = self.stack.aws.sqs.send_message_batch(QueueUrl=self.stack.outputs["TasksQueueUrl"], Entries=entries)
        assert not answer.get("Failed")
        return [sent["MessageId"] for sent in answer["Successful"]]

    def manage(self, *arguments: str, root: Path = ROOT) -> Ran:
        """Run a management command as an operator does, of the project below ``root``."""
        done = subprocess.run(
            [sys.executable, str(root / "backend" / "manage.py"), *arguments],
            env={"PATH": "/usr/bin:/bin", "USER": "operator", **self.stack.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def in_django(self, code: str) -> Any:
        """Run code in the backend's own process and return what it printed last, as JSON."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "backend" / "manage.py"), "shell", "--no-imports", "-c", code],
            env={"PATH": "/usr/bin:/bin", **self.stack.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.stack.database_url) as connection:
            return connection.execute(query, parameters).fetchall()

    def finished(self, task_id: str, workflow: str = "guard_report") -> ExecutionEnd:
        """Return an execution once it and its task record have ended."""
        arn = self.arn(task_id, workflow)
        eventually(lambda: self.has_started(task_id, workflow), f"{task_id} to start")
        eventually(lambda: self.execution(arn).status in FINISHED, f"{task_id} to end")
        return self.execution(arn)

    def recorded(self, task_id: str) -> str:
        """Return the status of a task record once it is final."""
        query = "SELECT status FROM executions_taskrecord WHERE id = %s AND status = ANY(%s)"
        return str(eventually(lambda: self.rows(query, task_id, list(FINISHED)), f"{task_id} to be recorded")[0][0])

    def execution(self, arn: str) -> ExecutionEnd:
        """Return an execution as it is."""
        return read_execution(self.stack.aws.step_functions, arn)

    def arn(self, task_id: str, workflow: str) -> str:
        """Return the ARN of a task's execution."""
        name = "".join(word.capitalize() for word in workflow.split("_"))
        machine = self.stack.outputs[f"{name}StateMachineArn"]
        return f"{machine.replace(':stateMachine:', ':execution:')}:{task_id}"

    def history(self, arn: str) -> list[dict[str, Any]]:
        """Return every event of an execution."""
        pages = self.stack.aws.step_functions.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [dict(event) for page in pages for event in page["events"]]

    def causes(self, arn: str) -> list[str]:
        """Return why an execution, its states or their tries have failed."""
        details = [value for event in self.history(arn) for name, value in event.items() if name.endswith("Details")]
        return [f"{one.get('error')}: {one['cause']}" for one in details if isinstance(one, dict) and "cause" in one]

    def steps_done(self, function: str, task_id: str) -> int:
        """Return how often a function has done its work for a task."""
        return self.stack.steps_done(function, task_id)

    def has_started(self, task_id: str, workflow: str) -> bool:
        """Return whether a task's execution exists."""
        step_functions = self.stack.aws.step_functions
        try:
            step_functions.describe_execution(executionArn=self.arn(task_id, workflow))
        except step_functions.exceptions.ExecutionDoesNotExist:
            return False
        return True

    def log(self, function: str, *words: str) -> list[dict[str, Any]]:
        """Return a function's log lines that have all the words."""
        return self.stack.log_entries(function, *words)

    def dead_letters(self) -> dict[str, str]:
        """Return the bodies in the dead-letter queue by MessageId."""
        found: dict[str, str] = {}
        for _ in range(3):
            received = self.stack.aws.sqs.receive_message(
                QueueUrl=self.stack.outputs["TasksDeadLetterQueueUrl"], MaxNumberOfMessages=10, VisibilityTimeout=0
            )
            found |= {message["MessageId"]: message["Body"] for message in received.get("Messages", [])}
        return found


def eventually[Found](look: Callable[[], Found], what: str, within_seconds: float = PATIENCE_SECONDS) -> Found:
    """Return the first true result of ``look``."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"Waited {within_seconds:.0f} s for {what}.")


@pytest.fixture(scope="session")
def path() -> Iterator[WholePath]:
    """The running stack. Its logs are printed when it does not start.

    It has its own folder: another run of pytest closes pytest's temporary folders to PostgreSQL's account.
    """
    with tempfile.TemporaryDirectory(prefix="qu-test-stack-", ignore_cleanup_errors=True) as name:
        yield from _running_stack(Path(name))


def _running_stack(folder: Path) -> Iterator[WholePath]:
    with (folder / "progress.txt").open("w+") as progress:
        stack = LocalStack(
            folder / "stack",
            StackOptions(overlays={"make_thumbnails": FLAKY}, wait_scale=0.1, skippable=True),
            Progress(progress),
        )
        try:
            stack.start()
        except BaseException:
            progress.seek(0)
            sys.stderr.write(progress.read())
            stack.stop()
            raise
        try:
            yield WholePath(stack)
        finally:
            stack.stop()


@pytest.fixture(scope="session")
def batch(path: WholePath) -> dict[str, str]:
    """MessageIds of a batch with a good message, bad ones and an early one."""
    bodies = {"good": GOOD, "TaskToCome": TASK_TO_COME, **POISON}
    return dict(zip(bodies, path.send_messages(*bodies.values()), strict=True))


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All of them share the stack, and so a worker; all of them are e2e."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group("local-stack"))
