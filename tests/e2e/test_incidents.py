"""An incident from upload to the mail's link and the execution's end."""

import json
import re
from typing import Any

import pytest
import urllib3

from deploy.local.aws.stand_in import ENGINE, chosen_step_functions
from tests.e2e.browser import Browser
from tests.e2e.conftest import WholePath, eventually

FIRST, SECOND = "supervisor-1@example.com", "supervisor-2@example.com"
_INQUIRIES = (
    "SELECT i.turn, u.email, i.status FROM reports_incidentinquiry i JOIN auth_user u ON u.id = i.user_id"
    " WHERE i.report_id = %s ORDER BY i.turn"
)
_REPORT = (
    "SELECT u.email, r.acknowledged_at IS NOT NULL FROM reports_guardreport r"
    " LEFT JOIN auth_user u ON u.id = r.acknowledged_by_id WHERE r.id = %s"
)
_ESCALATION = "SELECT id FROM executions_taskrecord WHERE task = 'escalate_incident' AND report_id = %s"


def incident(path: WholePath) -> tuple[int, str]:
    """Upload an incident; its report's id, and the id of its escalation."""
    report_id = path.send_report("photographer.jpg", is_incident=True)["id"]
    [(task_id,)] = eventually(lambda: path.rows(_ESCALATION, report_id), "the escalation to be recorded")
    return int(report_id), str(task_id)


def skip_time(path: WholePath, seconds: float) -> None:
    """Move the engine's time forward."""
    body = json.dumps({"seconds": seconds}).encode()
    headers = {"X-Amz-Target": "AWSStepFunctions.SkipTime"}
    with urllib3.PoolManager() as http:
        assert http.request("POST", path.stack.aws.sfn_endpoint, body=body, headers=headers).status == 200


def link_of(path: WholePath, report_id: int, address: str) -> str:
    """Return the link in a person's mail, once the execution waits for them."""
    inquiry = (
        "SELECT i.id FROM reports_incidentinquiry i JOIN auth_user u ON u.id = i.user_id"
        " WHERE i.report_id = %s AND u.email = %s AND i.task_token != ''"
    )
    [(inquiry_id,)] = eventually(lambda: path.rows(inquiry, report_id, address), f"{address} to be waited for")
    mail = path.stack.mailbox.sent_under(f"incident/{inquiry_id}")
    assert mail is not None
    assert mail["To"] == address
    body = mail.get_body(("plain",))
    assert body is not None
    [link] = re.findall(r"http://\S+/incidents/\S+/", body.get_content())
    return str(link)


def output_of(path: WholePath, task_id: str) -> dict[str, Any]:
    execution = path.finished(task_id, "incident_escalation")
    assert execution.status == "SUCCEEDED", execution
    assert path.recorded(task_id) == "SUCCEEDED"
    return dict(json.loads(execution.output))


def test_an_incident_is_acknowledged_from_the_mail_and_its_execution_ends(path: WholePath) -> None:
    report_id, task_id = incident(path)
    link, browser = link_of(path, report_id, FIRST), Browser()

    asked = browser.open(link)
    path.stack.check()
    assert asked.status == 200
    assert path.rows(_REPORT, report_id) == [(None, False)], "opening the link changes nothing: mail scanners do it"
    shown = path.manage("executions", "show", task_id)
    assert shown.code == 0, shown
    assert "Await Acknowledgement" in shown.out
    assert "heartbeat" in shown.out.lower()
    assert "timeout" in shown.out.lower()
    answered = browser.press(asked, "acknowledge")

    assert answered.status == 200
    assert not answered.buttons
    output = output_of(path, task_id)
    assert (output["report_id"], output["turns"]) == (report_id, 1)
    assert path.rows(_REPORT, report_id) == [(FIRST, True)]
    assert path.rows(_INQUIRIES, report_id) == [(1, FIRST, "acknowledged")]
    again = Browser().open(link)
    assert not again.buttons, "the link is of one use"


def test_a_mails_link_works_without_cookies_and_a_guessed_one_fails(path: WholePath) -> None:
    report_id, task_id = incident(path)
    link = link_of(path, report_id, FIRST)

    guessed = Browser().open(f"{link[:-3]}xx/", {"answer": "acknowledge"})
    assert guessed.status == 404
    assert path.rows(_REPORT, report_id) == [(None, False)]
    answered = Browser().open(link, {"answer": "acknowledge"})

    assert answered.status == 200
    assert output_of(path, task_id)["turns"] == 1
    assert path.rows(_REPORT, report_id) == [(FIRST, True)]


@pytest.mark.skipif(chosen_step_functions() != ENGINE, reason="only the engine's time can be moved")
def test_who_does_not_answer_in_time_is_followed_by_the_next_person(path: WholePath) -> None:
    report_id, task_id = incident(path)
    first = link_of(path, report_id, FIRST)

    skip_time(path, 3600)
    second, browser = link_of(path, report_id, SECOND), Browser()

    assert path.rows(_INQUIRIES, report_id) == [(1, FIRST, "unanswered"), (2, SECOND, "asked")]
    late = Browser().open(first)
    assert (late.status, late.buttons) == (410, [])
    browser.press(browser.open(second), "acknowledge")
    output = output_of(path, task_id)
    assert output["turns"] == 2
    assert path.rows(_REPORT, report_id) == [(SECOND, True)]
    errors = {
        event["taskTimedOutEventDetails"]["error"]
        for event in path.history(path.arn(task_id, "incident_escalation"))
        if "taskTimedOutEventDetails" in event
    }
    assert errors <= {"States.HeartbeatTimeout", "States.Timeout"}
    assert errors
