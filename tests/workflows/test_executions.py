"""The rendered state machines, executed by ministack with faked functions: data flow, retries, catchers."""

import io
import json
import os
import re
import shlex
import sys
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from deploy.local.aws.stand_in import CREDENTIALS, REGION, wait_until_it_answers
from deploy.local.processes import Processes, free_port
from tests.workflows.fake_steps import CRASHING_CLIENT, SKIPPED_DAY, UNREACHABLE_USER
from tests.workflows.test_state_machines import DEFINITIONS, STEPS
from workflows.contracts.daily_report_digest import SentDigests
from workflows.contracts.guard_report import ProcessedReport
from workflows.contracts.incident_escalation import EscalatedIncident
from workflows.contracts.notification_email import SentEmail
from workflows.project import resource_name

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient

CONTRACT_OF = {resource_name(state): given for state, (given, _) in STEPS.items()}
ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/state-machine"
SECONDS_AT_MOST = 40


@dataclass(frozen=True)
class Ended:
    """An execution that ended. ``output`` is None when it failed."""

    name: str
    status: str
    output: Any
    error: str | None


@dataclass(frozen=True)
class Machines:
    """The deployed state machines, and the folder where fake functions record their inputs."""

    client: "SFNClient"
    seen: Path
    arns: dict[str, str]

    def run(self, workflow: str, given: dict[str, Any]) -> Ended:
        """Run an execution to its end."""
        name = str(uuid.uuid4())
        started = self.client.start_execution(stateMachineArn=self.arns[workflow], name=name, input=json.dumps(given))
        return self.ended(name, started["executionArn"])

    def ended(self, name: str, arn: str) -> Ended:
        """Wait for an execution's end."""
        deadline = time.monotonic() + SECONDS_AT_MOST
        while time.monotonic() < deadline:
            found = self.client.describe_execution(executionArn=arn)
            if found["status"] != "RUNNING":
                output = json.loads(found["output"]) if found["status"] == "SUCCEEDED" else None
                return Ended(name, found["status"], output, found.get("error"))
            time.sleep(0.1)
        raise AssertionError(f"{arn} still runs after {SECONDS_AT_MOST} s")

    def token(self, name: str, inquiry_id: int) -> str:
        """Wait for the task token that "Await Acknowledgement" was given for an inquiry."""
        deadline = time.monotonic() + SECONDS_AT_MOST
        while time.monotonic() < deadline:
            for path in (self.seen / "AwaitAcknowledgementFunction").glob("*.json"):
                event = json.loads(path.read_text())
                if (event["task_id"], event["inquiry_id"]) == (name, inquiry_id):
                    return str(event["task_token"])
            time.sleep(0.05)
        raise AssertionError(f"No token came within {SECONDS_AT_MOST} s")

    def run_report(self, *files: str, recipients: tuple[int, ...] = ()) -> Ended:
        """Run guard_report for a report that has these files and concerns these people."""
        report_id = uuid.uuid4().int >> 70
        stored = [{"file_id": n, "key": f"media/{name}", "name": name} for n, name in enumerate(files, start=1)]
        people = [{"user_id": user_id, "role": "client"} for user_id in recipients]
        report = {"report_id": report_id, "files": stored, "recipients": people}
        (self.seen / f"report-{report_id}.json").write_text(json.dumps(report))
        return self.run("guard_report", {"report_id": report_id})

    def events(self, ended: Ended, function: str) -> list[dict[str, Any]]:
        """Return a function's inputs in an execution, validated against its contract."""
        found = [json.loads(path.read_text()) for path in (self.seen / function).glob("*.json")]
        ours = [event for event in found if event["task_id"] == ended.name]
        for event in ours:
            CONTRACT_OF[function].model_validate(event)
        return ours


def package() -> bytes:
    runtime = (
        ROOT / "deploy" / "local" / "aws" / "lambda_runtime.py"
    )  # ministack's own Python hides the error's class name
    bootstrap = zipfile.ZipInfo("bootstrap")
    bootstrap.external_attr = 0o100755 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(Path(__file__).with_name("fake_steps.py"), "fake_steps.py")
        archive.writestr(bootstrap, f"#!/bin/sh\nexec {shlex.join([sys.executable, '-I', '-S', str(runtime)])}\n")
    return packed.getvalue()


def create_functions(client: "LambdaClient", seen: Path) -> dict[str, str]:
    code = package()
    created = (
        client.create_function(
            FunctionName=name,
            Runtime="provided.al2023",
            Role=ROLE,
            Handler="fake_steps.lambda_handler",
            Code={"ZipFile": code},
            Timeout=2,
            Environment={"Variables": {"SEEN": str(seen)}},
        )
        for name in CONTRACT_OF
    )
    return {f"{function['FunctionName']}Arn": function["FunctionArn"] for function in created}


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder, port = tmp_path_factory.mktemp("ministack"), free_port()
    seen = folder / "seen"
    seen.mkdir()
    environment = {
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "GATEWAY_PORT": str(port),
        "HOME": str(folder),
        "MINISTACK_REGION": REGION,
        "QU_OVERLAY": "",
        "QU_RUNTIME_PACKAGES": "",
        "PATH": os.environ.get("PATH", os.defpath),
        "SFN_WAIT_SCALE": "0.01",  # a retrier's seconds become hundredths
        "SFTP_ENABLED": "0",
        "TMPDIR": str(folder),
    }
    processes = Processes()
    try:
        processes.start("ministack", [sys.executable, "-m", "ministack"], folder / "ministack.log", environment)
        wait_until_it_answers(f"http://127.0.0.1:{port}/_ministack/health", processes.check)
        session = boto3.Session(
            CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION
        )
        functions = session.client("lambda", endpoint_url=f"http://127.0.0.1:{port}")
        step_functions = session.client("stepfunctions", endpoint_url=f"http://127.0.0.1:{port}")
        substitutions = create_functions(functions, seen)
        yield Machines(step_functions, seen, create_machines(step_functions, substitutions))
    finally:
        processes.stop()


def create_machines(client: "SFNClient", substitutions: dict[str, str]) -> dict[str, str]:
    return {
        workflow: client.create_state_machine(
            name=workflow,
            roleArn=ROLE,
            definition=re.sub(r"\$\{(\w+)\}", lambda found: substitutions[found[1]], json.dumps(definition)),
        )["stateMachineArn"]
        for workflow, definition in DEFINITIONS.items()
    }


def test_a_report_goes_from_its_files_to_the_mails(machines: Machines) -> None:
    ended = machines.run_report("door.jpg", "log.pdf", "note.txt", recipients=(7, 8))

    assert ended.status == "SUCCEEDED"
    output = ProcessedReport.model_validate(ended.output)
    assert (output.accepted, output.rejected, output.thumbnails) == (3, 0, 2)
    assert [(email.user_id, email.status) for email in output.emails] == [(7, "sent"), (8, "sent")]
    assert {event["file"]["name"] for event in machines.events(ended, "MakeThumbnailsFunction")} == {
        "door.jpg",
        "log.pdf",
    }
    assert len(machines.events(ended, "SendEmailFunction")) == 2


def test_a_report_without_files_or_people_ends_well_too(machines: Machines) -> None:
    ended = machines.run_report()

    assert ended.status == "SUCCEEDED"
    assert ended.output["emails"] == []
    assert machines.events(ended, "RecordReportFunction")[0]["results"] == []


def test_a_bad_file_is_recorded_with_its_reason(machines: Machines) -> None:
    ended = machines.run_report("broken.jpg", "door.jpg", recipients=(7,))

    assert (ended.status, ended.output["accepted"], ended.output["rejected"]) == ("SUCCEEDED", 1, 1)
    [recorded] = machines.events(ended, "RecordReportFunction")
    rejected, accepted = recorded["results"]
    assert (rejected["file_id"], rejected["status"], rejected["error"]) == (1, "rejected", "UnreadableImage")
    assert "No decoder reads it." in rejected["cause"]
    assert rejected["facts"] is None
    assert accepted["facts"]["kind"] == "image"
    assert len(machines.events(ended, "InspectFileFunction")) == 2  # a permanent error is not tried again


def test_a_file_that_makes_the_function_crash_is_rejected_after_its_retries(machines: Machines) -> None:
    ended = machines.run_report("heavy.jpg")

    [result] = machines.events(ended, "RecordReportFunction")[0]["results"]
    assert (ended.status, result["status"], result["error"]) == ("SUCCEEDED", "rejected", "Runtime.OutOfMemory")
    assert result["facts"]["kind"] == "image"  # what was found before the crash is kept
    assert len(machines.events(ended, "MakeThumbnailsFunction")) == 4


@pytest.mark.parametrize(("file", "error"), [("slow.jpg", "Sandbox.Timedout"), ("crash.jpg", "Runtime.ExitError")])
def test_a_file_that_ends_the_function_itself_is_rejected_after_its_retries(
    machines: Machines, file: str, error: str
) -> None:
    ended = machines.run_report(file, "door.jpg")

    result, other = machines.events(ended, "RecordReportFunction")[0]["results"]
    assert (ended.status, result["status"], result["error"]) == ("SUCCEEDED", "rejected", error)
    assert other["status"] == "accepted"
    assert len(machines.events(ended, "InspectFileFunction")) == 1 + 4


def test_a_step_that_fails_twice_then_succeeds(machines: Machines) -> None:
    ended = machines.run_report("flaky.jpg", recipients=(7,))

    assert (ended.status, ended.output["accepted"]) == ("SUCCEEDED", 1)
    assert len(machines.events(ended, "InspectFileFunction")) == 3


@pytest.mark.parametrize(("file", "error"), [("outage.jpg", "StorageUnavailable"), ("bug.jpg", "KeyError")])
def test_an_error_after_all_retries_fails_the_execution(machines: Machines, file: str, error: str) -> None:
    ended = machines.run_report(file)

    assert (ended.status, ended.error) == ("FAILED", error)
    assert len(machines.events(ended, "InspectFileFunction")) == (7 if error == "StorageUnavailable" else 4)
    assert machines.events(ended, "RecordReportFunction") == []


def test_an_unreachable_person_does_not_stop_other_mails(machines: Machines) -> None:
    ended = machines.run_report("door.jpg", recipients=(UNREACHABLE_USER, 8))

    assert ended.status == "SUCCEEDED"
    assert ended.output["emails"] == [
        {"user_id": UNREACHABLE_USER, "role": "client", "status": "not_notified", "error": "RecipientNotFound"},
        {"user_id": 8, "role": "client", "status": "sent"},
    ]


def test_one_failed_digest_does_not_stop_the_others(machines: Machines) -> None:
    ended = machines.run("daily_report_digest", {})

    assert ended.status == "SUCCEEDED"
    output = SentDigests.model_validate(ended.output)
    assert (output.date, output.skipped) == ("2026-11-23", None)
    assert [(digest.client_id, digest.status, digest.error) for digest in output.digests] == [
        (7, "sent", None),
        (UNREACHABLE_USER, "not_sent", "RecipientNotFound"),
        (CRASHING_CLIENT, "not_sent", "Runtime.ExitError"),
        (8, "sent", None),
    ]
    rendered = machines.events(ended, "RenderEmailFunction")
    assert Counter(event["digest"]["client_id"] for event in rendered) == {
        7: 1,
        UNREACHABLE_USER: 1,
        CRASHING_CLIENT: 4,  # what crashes is tried again
        8: 1,
    }
    assert len(machines.events(ended, "SendEmailFunction")) == 2


def test_a_skipped_digest_gives_its_reason_and_sends_no_mail(machines: Machines) -> None:
    ended = machines.run("daily_report_digest", {"date": SKIPPED_DAY})

    assert ended.status == "SUCCEEDED"
    assert ended.output == {"date": SKIPPED_DAY, "skipped": "The run before has not ended.", "digests": []}
    assert machines.events(ended, "RenderEmailFunction") == []


def test_a_notification_is_rendered_from_the_whole_input_and_sent(machines: Machines) -> None:
    given = {"user_id": 7, "subject": "Hello", "template_name": "emails/welcome.html", "context": {"a": [1]}}

    ended = machines.run("notification_email", given)

    assert SentEmail.model_validate(ended.output).status == "sent"
    [rendered] = machines.events(ended, "RenderEmailFunction")
    assert rendered == {"task_id": ended.name, "payload": given}


def test_a_payload_in_s3_reaches_the_step_as_its_key(machines: Machines) -> None:
    ended = machines.run("notification_email", {"payload_key": "payloads/a.json"})

    [rendered] = machines.events(ended, "RenderEmailFunction")
    assert rendered["payload"] == {"payload_key": "payloads/a.json"}


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ({"task": "add", "payload": {"a": 1}}, {"attempt": 0, "payload": {"a": 1}}),
        ({"task": "add", "payload_key": "payloads/a.json"}, {"attempt": 0, "payload": None}),
        ({"task": "flaky", "payload": {}}, {"attempt": 2, "payload": {}}),
        ({"task": "nothing", "payload": {}}, None),
    ],
)
def test_a_django_task_ends_with_what_its_function_returns(
    machines: Machines, given: dict[str, Any], output: Any
) -> None:
    ended = machines.run("run_task", given)

    assert (ended.status, ended.output) == ("SUCCEEDED", output)
    assert all(event["input"] == given for event in machines.events(ended, "RunTaskFunction"))


def test_an_unknown_task_is_not_retried(machines: Machines) -> None:
    ended = machines.run("run_task", {"task": "unknown", "payload": {}})

    assert (ended.status, ended.error) == ("FAILED", "TaskNotRegistered")
    assert len(machines.events(ended, "RunTaskFunction")) == 1


def test_an_incident_skips_unreachable_people_and_ends_with_the_callback(
    machines: Machines,
) -> None:
    name = str(uuid.uuid4())
    given = json.dumps({"report_id": int(f"{UNREACHABLE_USER}777")})

    started = machines.client.start_execution(
        stateMachineArn=machines.arns["incident_escalation"], name=name, input=given
    )
    token = machines.token(name, inquiry_id=2)
    answer = {"inquiry_id": 2, "user_id": 777, "acknowledged_at": "2026-11-24T08:00:00Z"}
    machines.client.send_task_success(taskToken=token, output=json.dumps(answer))
    ended = machines.ended(name, started["executionArn"])

    assert ended.status == "SUCCEEDED"
    output = EscalatedIncident.model_validate(ended.output)
    assert (output.turns, output.user_id) == (2, 777)
    assert [event["inquiry_id"] for event in machines.events(ended, "AwaitAcknowledgementFunction")] == [2]
    [recorded] = machines.events(ended, "RecordAcknowledgementFunction")
    assert recorded["acknowledgement"] == answer


def test_an_incident_without_supervisors_fails(machines: Machines) -> None:
    ended = machines.run("incident_escalation", {"report_id": UNREACHABLE_USER})

    assert (ended.status, ended.error) == ("FAILED", "NobodyAcknowledged")
    assert len(machines.events(ended, "ChoosePersonFunction")) == 2
