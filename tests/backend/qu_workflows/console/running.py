"""The project's workflows on a served engine, with test functions and task records."""

import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from asl_engine.adapters.status_events import detail_of
from asl_engine.jsontext import Json
from asl_engine.store.records import ExecutionRecord
from qu_workflows.aws import clients as aws
from qu_workflows.protocol.catalog import RUN_TASK
from qu_workflows.protocol.execution_names import new_task_id
from qu_workflows.records.models import WAITING, TaskRecord, TaskStatus
from qu_workflows.tasks.status import apply_status_change
from tests.workflows.engine.server.served import ROLE, Server
from workflows.contracts.guard_report import FileFacts, FileKind
from workflows.project import PROJECT

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

PREFIX = "qu-dev"
PATIENCE_SECONDS = 20.0
_STATE_MACHINES = Path(__file__).parents[4] / "state_machines"
_FUNCTION_ARN = f"arn:aws:lambda:us-east-2:000000000000:function:{PREFIX}-"
_WAITS = 0.005  # of a retrier's interval: a test waits for no backoff

type Fault = Callable[[Any], None]


class DatabaseUnavailable(Exception):
    """A step cannot reach PostgreSQL."""


class UnreadableImage(Exception):
    """A step cannot read a file."""


def raising(error: Exception) -> Fault:
    """Return a fault that fails every call."""

    def fault(_event: Any) -> None:
        raise error

    return fault


class Functions:
    """The functions of the workflows by name. Faults run before them and may raise."""

    def __init__(self) -> None:
        self.faults: dict[str, Fault] = {}
        self.reports: dict[int, dict[str, Any]] = {}

    def by_name(self) -> dict[str, Callable[[Json], Json]]:
        """Return them as they are deployed: ``<prefix>-load_report``."""
        names = [name.removesuffix("_function") for name in dir(self) if name.endswith("_function")]
        return {f"{PREFIX}-{name}": self._function(name) for name in names}

    def _function(self, name: str) -> Callable[[Json], Json]:
        def function(event: Any) -> Any:
            if fault := self.faults.get(name):
                fault(event)
            return getattr(self, f"{name}_function")(event)

        return function

    def load_report_function(self, event: Any) -> Any:
        given = self.reports.get(event["report_id"], {"files": ["front-door.jpg"], "people": 1})
        files = [
            {"file_id": number, "key": f"media/{name}", "name": name}
            for number, name in enumerate(given["files"], start=1)
        ]
        people = [
            {"user_id": number, "role": "supervisor" if number > 1 else "client"}
            for number in range(1, given["people"] + 1)
        ]
        return {"report_id": event["report_id"], "files": files, "recipients": people}

    def inspect_file_function(self, event: Any) -> Any:
        name = event["file"]["name"]
        if name.startswith("broken"):
            raise UnreadableImage(f"{name}: no decoder reads it. Take the picture again.")
        kind = "pdf" if name.endswith(".pdf") else "image"
        media_type = "application/pdf" if kind == "pdf" else "image/jpeg"
        facts = FileFacts(kind=FileKind(kind), media_type=media_type, size_bytes=2_202_009, sha256="0" * 64)
        return facts.model_copy(update={"width": 4032, "height": 3024}).model_dump(mode="json")

    def make_thumbnails_function(self, event: Any) -> Any:
        key = f"thumbnails/{event['file']['file_id']}/small.webp"
        small = {"size": "small", "key": key, "media_type": "image/webp", "width": 160, "height": 120}
        return {"thumbnails": [{**small, "size_bytes": 4096}], "reason": None}

    def record_report_function(self, event: Any) -> Any:
        accepted = sum(result["status"] == "accepted" for result in event["results"])
        return {"accepted": accepted, "rejected": len(event["results"]) - accepted, "thumbnails": accepted}

    def render_email_function(self, event: Any) -> Any:
        return {"email_key": f"emails/{event['task_id']}.json", "send_once_key": event["task_id"]}

    def send_email_function(self, _event: Any) -> Any:
        return {"status": "sent", "message_id": "0100018f-000000"}

    def run_task_function(self, event: Any) -> Any:
        return {"return_value": {"done": event["input"]["task"]}}

    def list_digests_function(self, event: Any) -> Any:
        return {"date": event["payload"].get("date") or "2026-11-23", "digests": [], "skipped": None}

    def choose_person_function(self, _event: Any) -> Any:
        person = {"user_id": 1, "role": "supervisor"}
        times = {"timeout_seconds": 900, "heartbeat_seconds": 300}
        return {"number": 1, "is_acknowledged": False, "inquiry_id": 1, "recipient": person, **times}

    def await_acknowledgement_function(self, _event: Any) -> Any:
        return {"is_acknowledged": False}

    def record_acknowledgement_function(self, event: Any) -> Any:
        return event["acknowledgement"]


class Follower:
    """Has the task records follow the executions, as the function for EventBridge's events does."""

    def __init__(self) -> None:
        self._changed: queue.Queue[ExecutionRecord | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def on_change(self, record: ExecutionRecord) -> None:
        """Take a change of status. A listener of the engine."""
        if self._thread is not None:
            self._changed.put(record)

    def start(self) -> None:
        """Begin to write to the database."""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write the received changes, then stop."""
        thread, self._thread = self._thread, None
        self._changed.put(None)
        if thread is not None:
            thread.join(PATIENCE_SECONDS)

    def _follow(self) -> None:
        while (record := self._changed.get()) is not None:
            apply_status_change(detail_of(record))
        connection.close()


class Workflows:
    """Step Functions with the project's state machines. ``functions`` says what their steps do."""

    def __init__(self) -> None:
        self.functions, self._follower = Functions(), Follower()
        self.server = Server(draw=lambda: _WAITS, listeners=[self._follower.on_change])
        self.server.functions.update(self.functions.by_name())
        self._machines: dict[str, str] = {}

    def begin(self) -> None:
        """Have a test's records follow its executions."""
        self.functions.faults.clear()
        self.functions.reports.clear()
        self._follower.start()
        for workflow in PROJECT.workflows:
            self.machine(workflow)

    def end(self) -> None:
        """Let the executions of a test be."""
        self._follower.stop()

    @property
    def sfn(self) -> "SFNClient":
        return aws.step_functions()

    def machine(self, workflow: str) -> str:
        """Return the ARN of a workflow's state machine."""
        if workflow not in self._machines:
            text = (_STATE_MACHINES / f"{workflow}.asl.json").read_text(encoding="utf-8")
            self.define(workflow, _with_arns(text))
        return self._machines[workflow]

    def define(self, name: str, definition: str) -> str:
        """Make the state machine ``<prefix>-<name>`` and return its ARN; ``<anything>-guard_report`` is one of ours."""
        if name not in self._machines:
            made = self.sfn.create_state_machine(name=f"{PREFIX}-{name}", definition=definition, roleArn=ROLE)
            self._machines[name] = made["stateMachineArn"]
        return self._machines[name]

    def start(self, task: str, payload: dict[str, Any], machine: str = "", **record: Any) -> TaskRecord:
        """Start a task's execution, and return its record."""
        entry = PROJECT.catalog.get(task)
        workflow = entry.workflow if entry else RUN_TASK
        task_id, now = new_task_id(), timezone.now()
        values = {"task": task, "workflow": workflow, "payload": payload, "enqueued_at": now, "sent_at": now}
        made = TaskRecord.objects.create(
            pk=task_id,
            **values | {"status": TaskStatus.SENT, "subject_id": payload.get("report_id")} | record,
        )
        given = {"task": task, "payload": payload} if workflow == RUN_TASK else payload
        self.sfn.start_execution(
            stateMachineArn=machine or self.machine(workflow), name=task_id, input=json.dumps(given)
        )
        return made

    def started(self, record: TaskRecord) -> TaskRecord:
        """Return a record once its execution runs."""
        return self._once(record, lambda: record.status not in WAITING)

    def ended(self, record: TaskRecord, patience_seconds: float = PATIENCE_SECONDS) -> TaskRecord:
        """Return a record once its execution has ended."""
        return self._once(record, lambda: record.finished_at is not None, patience_seconds)

    def _once(
        self, record: TaskRecord, is_so: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS
    ) -> TaskRecord:
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            record.refresh_from_db()
            if is_so():
                return record
            time.sleep(0.02)
        raise TimeoutError(f"{record} is still {record.status}.")


def _with_arns(text: str) -> str:
    """Return a definition that names functions as a deployed one does."""
    words = {name: "".join(part.capitalize() for part in name.split("_")) for name in _function_names()}
    for name, word in words.items():
        text = text.replace(f"${{{word}FunctionArn}}", f"{_FUNCTION_ARN}{name}")
    return text


def _function_names() -> list[str]:
    return [name.removeprefix(f"{PREFIX}-") for name in Functions().by_name()]
