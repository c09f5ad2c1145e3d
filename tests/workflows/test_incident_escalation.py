"""Incidents end to end: real steps, the real page, the engine, skipped time."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from asl_engine.adapters.functions import FunctionPerformer
from asl_engine.clock import SkippingClock
from asl_engine.errors import InvalidToken, TaskDoesNotExist, TaskTimedOut
from asl_engine.in_process import Result, result_of
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner import Runner
from asl_engine.store.memory import MemoryStore
from asl_engine.store.records import ExecutionRecord
from incidents.services import acknowledge_for_staff
from lambdas.await_acknowledgement.handler import lambda_handler as await_acknowledgement
from lambdas.choose_person.handler import lambda_handler as choose_person
from lambdas.record_acknowledgement.handler import lambda_handler as record_acknowledgement
from lambdas.render_email.handler import lambda_handler as render_email
from qu_workflows.protocol.definitions import definition_of
from reports.models import GuardReport, IncidentInquiry
from reports.services import SUPERVISORS_GROUP
from tests.backend.people import make_property, make_report, make_user
from workflows.contracts.incident_escalation import EscalatedIncident
from workflows.errors import EmailRefused

pytestmark = pytest.mark.django_db
TASK_ID = "escalation-1"
MACHINE_ARN = "arn:aws:states:us-east-2:000000000000:stateMachine:incident_escalation"
EXECUTION_ARN = f"{MACHINE_ARN.replace('stateMachine', 'execution')}:{TASK_ID}"


class Agenda(SkippingClock):
    """A clock that skips to the next planned action or timer."""

    def __init__(self) -> None:
        super().__init__()
        self._began_ms = self.now_ms()
        self._acts: list[tuple[int, Callable[[], object]]] = []

    def at(self, seconds: int, act: Callable[[], object]) -> None:
        """Plan an action some seconds after the start. Plan earlier ones first."""
        self._acts.append((self._began_ms + seconds * 1000, act))

    def seconds(self) -> int:
        return (self.now_ms() - self._began_ms) // 1000

    def wait(self, woken: threading.Event, until_ms: int | None, *, busy: bool) -> None:
        if self._acts and until_ms is not None and self._acts[0][0] <= until_ms:
            at_ms, act = self._acts.pop(0)
            self.skip_to(at_ms)
            act()
        else:
            super().wait(woken, until_ms, busy=busy)


class Escalation:
    """An execution on the engine, its mails, and a Step Functions client for Django."""

    def __init__(self, files: Path) -> None:
        self.clock, self.mails, self._files = Agenda(), list[dict[str, Any]](), files
        self.unreachable: set[str] = set()
        self.when_sent: Callable[[], object] = lambda: None
        steps = {
            "choose_person": lambda event: choose_person(event, None),
            "render_email": lambda event: render_email(event, None),
            "send_email": self._send_email,
            "await_acknowledgement": lambda event: await_acknowledgement(event, None),
            "record_acknowledgement": lambda event: record_acknowledgement(event, None),
        }
        self.runner = Runner(MemoryStore(), FunctionPerformer(steps), clock=self.clock, workers=0)

    def run(self, report: GuardReport) -> Result:
        text = dumps(dict(definition_of("incident_escalation")))
        given = dumps({"report_id": report.pk})
        record = ExecutionRecord(
            arn=EXECUTION_ARN,
            state_machine_arn=MACHINE_ARN,
            name=TASK_ID,
            input=given,
            definition="",
            start_ms=self.clock.now_ms(),
        )
        self.runner.start(record, text)
        return self._ended()

    def redrive(self) -> Result:
        self.runner.redrive(EXECUTION_ARN)
        return self._ended()

    def _ended(self) -> Result:
        return result_of(self.runner, self.runner.closed(EXECUTION_ARN))

    def asked(self) -> list[str]:
        return [mail["to"] for mail in self.mails]

    def press(self, number: int, answer: str) -> int:
        """Press a button on the page behind a mail's link, and return the status."""
        link = re.search(r"http://127\.0\.0\.1:8000(/incidents/\S+/)", self.mails[number]["text"])
        assert link is not None
        browser = Client()
        assert browser.get(link[1]).status_code in {200, 410}
        return browser.post(link[1], {"answer": answer}).status_code

    def _send_email(self, event: Json) -> Json:
        mail = json.loads((self._files / event["email"]["email_key"]).read_text())
        if mail["to"] in self.unreachable:
            raise EmailRefused("mail", "was refused.", "Correct the address.")
        self.mails.append(mail)
        self.when_sent()
        return {"status": "sent", "message_id": None}

    # As boto3's client.

    def send_task_success(self, *, taskToken: str, output: str) -> None:  # noqa: N803  boto3's own names
        self._send("SendTaskSuccess", lambda: self.runner.succeed_task(taskToken, loads(output)))

    def send_task_heartbeat(self, *, taskToken: str) -> None:  # noqa: N803
        self._send("SendTaskHeartbeat", lambda: self.runner.beat(taskToken))

    def _send(self, operation: str, send: Callable[[], None]) -> None:
        try:
            send()
        except (InvalidToken, TaskDoesNotExist, TaskTimedOut) as error:
            raise ClientError({"Error": {"Code": type(error).__name__, "Message": ""}}, operation) from error


@pytest.fixture
def escalation(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Iterator[Escalation]:
    monkeypatch.setenv("DJANGO_MEDIA_ROOT", str(tmp_path / "media"))
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.INCIDENT_ANSWER_SECONDS, settings.INCIDENT_HEARTBEAT_SECONDS = 900, 300
    escalation = Escalation(tmp_path)
    monkeypatch.setattr("qu_workflows.aws.task_tokens.step_functions", lambda: escalation)
    yield escalation
    escalation.runner.close()


def incident(*supervisors: User) -> GuardReport:
    return make_report(property=make_property(*supervisors), is_incident=True)


def statuses(report: GuardReport) -> list[str]:
    return [inquiry.status for inquiry in IncidentInquiry.objects.filter(report=report).order_by("turn")]


def test_the_first_supervisor_acknowledges_and_no_other_is_asked(escalation: Escalation) -> None:
    first, second = make_user("first"), make_user("second")
    report = incident(first, second)
    escalation.clock.at(60, lambda: escalation.press(0, "acknowledge"))

    result = escalation.run(report)

    report.refresh_from_db()
    assert (result.status, escalation.asked()) == ("SUCCEEDED", [first.email])
    output = EscalatedIncident.model_validate(result.output)
    assert (output.turns, output.user_id, output.acknowledged_at) == (1, first.pk, report.acknowledged_at)
    assert (report.acknowledged_by, statuses(report)) == (first, ["acknowledged"])
    assert result.path[-2:] == ["Record Acknowledgement", "Summarize"]


def test_without_a_heartbeat_the_next_supervisor_is_asked(escalation: Escalation) -> None:
    first, second = make_user("first"), make_user("second")
    report = incident(first, second)
    pressed: list[int] = []
    escalation.clock.at(310, lambda: pressed.append(escalation.press(0, "acknowledge")))
    escalation.clock.at(320, lambda: pressed.append(escalation.press(1, "acknowledge")))

    result = escalation.run(report)

    report.refresh_from_db()
    assert escalation.asked() == [first.email, second.email]
    assert pressed == [410, 302]  # too late, and in time
    assert (result.status, result.output["turns"], report.acknowledged_by) == ("SUCCEEDED", 2, second)
    assert statuses(report) == ["unanswered", "acknowledged"]


def test_heartbeats_extend_the_turn_up_to_its_timeout(escalation: Escalation) -> None:
    first, second = make_user("first"), make_user("second")
    report = incident(first, second)
    for seconds in (250, 500, 750):
        escalation.clock.at(seconds, lambda: escalation.press(0, "sign"))
    asked_at: list[int] = []
    escalation.clock.at(901, lambda: asked_at.append(len(escalation.mails)))
    escalation.clock.at(902, lambda: escalation.press(1, "acknowledge"))

    result = escalation.run(report)

    assert (result.status, asked_at) == ("SUCCEEDED", [2])
    assert statuses(report) == ["unanswered", "acknowledged"]
    ends = [event for event in result.history if event.type == "TaskTimedOut"]
    assert [event.details["error"] for event in ends] == ["States.Timeout"]


def test_a_heartbeat_leaves_time_to_acknowledge(escalation: Escalation) -> None:
    first, second = make_user("first"), make_user("second")
    escalation.clock.at(250, lambda: escalation.press(0, "sign"))
    escalation.clock.at(500, lambda: escalation.press(0, "acknowledge"))

    result = escalation.run(incident(first, second))

    assert (result.status, result.output["turns"], escalation.asked()) == ("SUCCEEDED", 1, [first.email])


def test_a_redrive_asks_a_supervisor_added_after_the_failure(escalation: Escalation) -> None:
    first, second = make_user("first"), make_user("second")
    report = incident(first)

    failed = escalation.run(report)

    assert (failed.status, failed.error) == ("FAILED", "NobodyAcknowledged")
    assert "redrive this execution" in (failed.cause or "")
    assert statuses(report) == ["unanswered"]

    assert report.property is not None
    second.supervisor_links.create(property=report.property, position=1)
    escalation.clock.at(escalation.clock.seconds() + 60, lambda: escalation.press(1, "acknowledge"))
    redriven = escalation.redrive()

    assert (redriven.status, escalation.asked()) == ("SUCCEEDED", [first.email, second.email])
    assert statuses(report) == ["unanswered", "acknowledged"]


def test_a_person_whom_no_mail_reaches_costs_no_time(escalation: Escalation) -> None:
    first, second = make_user("first"), make_user("second")
    report = incident(first, second)
    escalation.unreachable = {first.email}
    escalation.clock.at(10, lambda: escalation.press(0, "acknowledge"))

    result = escalation.run(report)

    assert (result.status, escalation.asked()) == ("SUCCEEDED", [second.email])
    assert statuses(report) == ["unreachable", "acknowledged"]


def test_after_the_property_s_supervisors_the_group_is_asked(escalation: Escalation) -> None:
    of_place, of_group = make_user("place"), make_user("group")
    of_group.groups.add(Group.objects.create(name=SUPERVISORS_GROUP))
    of_place.groups.add(Group.objects.get(name=SUPERVISORS_GROUP))
    make_user("inactive", is_active=False).groups.add(Group.objects.get(name=SUPERVISORS_GROUP))

    result = escalation.run(incident(of_place))

    assert result.error == "NobodyAcknowledged"
    assert escalation.asked() == [of_place.email, of_group.email]


def test_an_answer_before_the_token_still_ends_the_state(escalation: Escalation) -> None:
    first = make_user("first")
    pressed: list[int] = []
    escalation.when_sent = lambda: pressed.append(escalation.press(0, "acknowledge"))

    result = escalation.run(incident(first))

    assert (pressed, result.status, result.output["user_id"]) == ([302], "SUCCEEDED", first.pk)
    assert escalation.clock.seconds() == 0


def test_staff_who_acknowledge_end_the_wait(escalation: Escalation) -> None:
    first, staff = make_user("first"), make_user("staff", is_staff=True)
    report = incident(first)
    escalation.clock.at(30, lambda: acknowledge_for_staff(report.pk, staff))

    result = escalation.run(report)

    report.refresh_from_db()
    assert (result.status, result.output["user_id"], report.acknowledged_by) == ("SUCCEEDED", staff.pk, staff)
    assert escalation.clock.seconds() == 30


def test_no_person_is_asked_about_an_acknowledged_incident(escalation: Escalation) -> None:
    report = incident(make_user())
    acknowledge_for_staff(report.pk, make_user("staff"))

    result = escalation.run(report)

    assert (result.status, escalation.mails) == ("SUCCEEDED", [])
    assert EscalatedIncident.model_validate(result.output).turns == 0
