"""One local stack for all tests of the whole path, started once and ended with the run."""

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

from deploy.closure import ROOT
from deploy.local.demo import FLAKY
from deploy.local.demo_uploads import SAMPLES, Upload, send_report
from deploy.local.executions import Execution, read_execution
from deploy.local.progress import Progress
from deploy.local.stack import LocalStack, Options

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
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass(frozen=True)
class WholePath:
    """The whole path, from where a client stands."""

    stack: LocalStack

    def send_report(self, *files: str | tuple[str, str], guard: int = 0) -> dict[str, Any]:
        """Upload a report of samples; a pair is a name to send a sample under. Returns the API's answer."""
        named = [(file, SAMPLES / file) if isinstance(file, str) else (file[0], SAMPLES / file[1]) for file in files]
        upload = Upload(self.stack.people["guard_ids"][guard], "A note of the guard", named)
        return send_report(self.stack.django_url, self.stack.people["api_key"], upload)

    def send_messages(self, *bodies: str) -> list[str]:
        """Put messages on the task queue in one batch and return their MessageIds."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)
        ]
        answer = self.stack.aws.sqs.send_message_batch(QueueUrl=self.stack.outputs["TasksQueueUrl"], Entries=entries)
        assert not answer.get("Failed")
        return [sent["MessageId"] for sent in answer["Successful"]]

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
        """Return what PostgreSQL has."""
        with psycopg.connect(self.stack.database_url) as connection:
            return connection.execute(query, parameters).fetchall()

    def finished(self, task_id: str, workflow: str = "guard_report") -> Execution:
        """Return an execution once it and its task record have ended."""
        arn = self.arn(task_id, workflow)
        eventually(lambda: self.has_started(task_id, workflow), f"{task_id} to start")
        eventually(lambda: self.execution(arn).status in FINISHED, f"{task_id} to end")
        return self.execution(arn)

    def recorded(self, task_id: str) -> str:
        """Return the status of a task record once it is final."""
        query = "SELECT status FROM executions_taskrecord WHERE id = %s AND status = ANY(%s)"
        return str(eventually(lambda: self.rows(query, task_id, list(FINISHED)), f"{task_id} to be recorded")[0][0])

    def execution(self, arn: str) -> Execution:
        """Return an execution as it is."""
        return read_execution(self.stack.aws.step_functions, arn)

    def arn(self, task_id: str, workflow: str) -> str:
        """Return the ARN of a task's execution."""
        names = {"guard_report": "GuardReport", "notification_email": "NotificationEmail", "run_task": "RunTask"}
        machine = self.stack.outputs[f"{names[workflow]}StateMachineArn"]
        return f"{machine.replace(':stateMachine:', ':execution:')}:{task_id}"

    def has_started(self, task_id: str, workflow: str) -> bool:
        """Tell whether a task's execution is there."""
        step_functions = self.stack.aws.step_functions
        try:
            step_functions.describe_execution(executionArn=self.arn(task_id, workflow))
        except step_functions.exceptions.ExecutionDoesNotExist:
            return False
        return True

    def log(self, function: str, *words: str) -> list[dict[str, Any]]:
        """Return a function's log lines that have all the words."""
        lines = (self.stack.logs / "functions.log").read_text().splitlines()
        found = [line.partition(" ")[2] for line in lines if line.partition(" ")[0].endswith(f"-{function}")]
        return [json.loads(line) for line in found if line.startswith("{") and all(word in line for word in words)]

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
    """Return what is found as soon as it is something."""
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

    It has a folder of its own: pytest's temporary folders are closed to PostgreSQL's user each time
    another run of pytest begins.
    """
    with tempfile.TemporaryDirectory(prefix="qu-test-stack-", ignore_cleanup_errors=True) as name:
        yield from _running_stack(Path(name))


def _running_stack(folder: Path) -> Iterator[WholePath]:
    with (folder / "progress.txt").open("w+") as progress:
        stack = LocalStack(
            folder / "stack",
            Options(overlays={"make_thumbnails": FLAKY}, wait_scale=0.1),
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
    """One batch with a good message among the bad ones: MessageIds by what they are."""
    return dict(zip(["good", *POISON], path.send_messages(GOOD, *POISON.values()), strict=True))


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """All of them share the stack, and so a worker; all of them are e2e."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group("local-stack"))
