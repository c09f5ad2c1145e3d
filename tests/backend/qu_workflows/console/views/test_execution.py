"""One execution's page, on the project's own workflows."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from qu_workflows.aws import clients as aws
from qu_workflows.console.templatetags.console import started_url
from qu_workflows.executions.queries import clear_snapshots, snapshot_of
from qu_workflows.executions.services import expire_snapshot
from qu_workflows.records.models import AuditEntry, ExecutionSample, TaskRecord, TaskStatus
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import ROLE, Server, machine_of

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = machine_of(Later={"Type": "Wait", "Seconds": 3600}, Done={"Type": "Pass"})


@pytest.fixture(scope="module")
def _served() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def operated(_served: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operated]:
    """A Step Functions that can redrive."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", _served.url)
    aws.forget_clients()
    clear_snapshots()
    yield Operated(_served)
    aws.forget_clients()
    clear_snapshots()


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Step Functions is unreachable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    aws.forget_clients()
    clear_snapshots()
    yield
    aws.forget_clients()


def signed_in(client: Client, *rights: str) -> Client:
    user = User.objects.create_user("ana", is_staff=True)
    codenames = {"view_console", *rights}
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


@pytest.fixture
def staff(client: Client) -> Client:
    return signed_in(client, "redrive_execution", "stop_execution")


def address(record: TaskRecord, rest: str = "") -> str:
    return f"/console/tasks/{record.pk}/{rest}"


def shown(client: Client, record: TaskRecord, query: str = "") -> Any:
    """Return the twin."""
    answer = client.get(f"/console/tasks/{record.pk}.json{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def html(client: Client, record: TaskRecord, query: str = "", **headers: str) -> str:
    answer = client.get(address(record, query), headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def recorded(**values: Any) -> TaskRecord:
    now = timezone.now()
    usual = {
        "task": "process_guard_report",
        "workflow": "guard_report",
        "payload": {"report_id": 7},
        "enqueued_at": now,
    }
    return TaskRecord.objects.create(**usual | {"payload": {"report_id": 7}} | values)


def waiting_machine(operated: Operated, name: str) -> str:
    """Return the ARN of a state machine that waits an hour."""
    made = operated.sfn.create_state_machine(name=name, definition=WAIT, roleArn=ROLE)
    return made["stateMachineArn"]


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="(\w+)"', page)
    assert found
    return found[1]


def test_the_state_that_failed_is_shown_without_being_asked_for(staff: Client, operated: Operated) -> None:
    record = operated.run(2)

    data = shown(staff, record)

    assert (data["head"]["status"], data["head"]["error"]) == ("FAILED", "Broken")
    assert data["head"]["cause_words"] == "item 2"
    assert (data["selected"]["name"], data["selected"]["place"]) == ("Work", "Process 1")
    assert (data["selected"]["status"], json.loads(data["selected"]["input"])) == ("FAILED", {"item": 2})
    assert data["selected"]["runs_again"]
    page = html(staff, record)
    assert "item 2" in page
    assert 'aria-current="true"' in page


def test_an_iteration_is_found_by_its_number_and_what_failed_comes_first(staff: Client, operated: Operated) -> None:
    record = operated.run(3, machine=operated.machine(in_turn=True))  # side by side, the failure may end the others

    of_map = shown(staff, record, "?state=Process")["selected"]
    picked = shown(staff, record, "?state=Work&iteration=0")["selected"]

    assert of_map["iterations"]["shown"][0]["label"] == "2"
    assert of_map["iterations"]["shown"][0]["status"] == "FAILED"
    assert sum(of_map["iterations"]["counts"].values()) == of_map["iterations"]["length"] == 3
    assert (picked["status"], json.loads(picked["output"])) == ("SUCCEEDED", {"item": 1})


def test_a_state_that_was_not_entered_is_shown_by_its_definition(staff: Client, operated: Operated) -> None:
    selected = shown(staff, operated.run(1), "?state=Finish")["selected"]

    assert (selected["status"], selected["definition"]["Type"]) == ("NOT_RUN", "Task")


def test_every_event_has_its_details_and_its_state(staff: Client, operated: Operated) -> None:
    record = operated.run(2)

    listed = shown(staff, record, "?view=events")["events"]

    assert [event["id"] for event in listed["rows"]] == list(range(1, listed["total"] + 1))
    failed = next(event for event in listed["rows"] if event["type"] == "LambdaFunctionFailed")
    assert (failed["state"], failed["details"]["error"]) == ("Work", "Broken")


def test_what_is_secret_in_a_payload_is_on_no_view(staff: Client, operated: Operated) -> None:
    started = operated.sfn.start_execution(
        stateMachineArn=operated.machine(),
        name="secretive",
        input='{"items": [1], "password": "hunter2", "note": "<script>alert(1)</script>"}',
    )
    record = recorded(pk="secretive", status=TaskStatus.RUNNING, execution_arn=started["executionArn"])
    operated.followed(record)

    pages = [html(staff, record, query) for query in ("", "?view=events", "?view=input", "?state=Load")]
    twins = [json.dumps(shown(staff, record, query)) for query in ("", "?view=events", "?view=input", "?state=Load")]
    history = staff.get(address(record, "history.json")).content.decode()

    assert not [text for text in (*pages, *twins, history) if "hunter2" in text]
    assert not [text for text in pages if "<script>alert" in text]
    assert "&lt;script&gt;alert" in pages[2]


def test_it_is_redriven_once_however_often_the_form_is_sent(staff: Client, operated: Operated) -> None:
    record = operated.run(2)
    token = token_of(html(staff, record))
    operated.broken.clear()

    for _click in range(2):
        answer = staff.post(address(record, "redrive/"), {"token": token}, follow=True)
        operated.followed(record)

    assert "second click does nothing" in answer.content.decode()
    assert (record.status, record.redrive_count) == (TaskStatus.SUCCEEDED, 1)
    assert AuditEntry.objects.filter(action="redrive_execution", actor__startswith="ana (user ").count() == 1
    assert shown(staff, record)["head"]["status"] == "SUCCEEDED"


def test_a_page_that_is_out_of_date_redrives_nothing(staff: Client, operated: Operated) -> None:
    record = operated.run(2)

    answer = staff.post(address(record, "redrive/"), {"token": "0" * 64}, follow=True)

    assert "has changed since" in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_a_redriven_state_shows_its_tries(staff: Client, operated: Operated) -> None:
    record = operated.run(2)
    staff.post(address(record, "redrive/"), {"token": token_of(html(staff, record))})
    operated.followed(record)

    selected = shown(staff, record)["selected"]

    assert [one["status"] for one in selected["tries"]] == ["FAILED", "FAILED"]
    assert selected["redrives"] == 1


def test_a_running_execution_is_stopped_with_a_reason_and_not_without(staff: Client, operated: Operated) -> None:
    machine = waiting_machine(operated, "waits")
    record = operated.start(machine)

    without = staff.post(address(record, "stop/"), {"reason": " "}, follow=True).content.decode()
    record.refresh_from_db()
    assert "give a reason" in without
    assert record.status == TaskStatus.RUNNING

    staff.post(address(record, "stop/"), {"reason": "not wanted"})
    operated.followed(record)
    data = shown(staff, record)
    assert (data["head"]["status"], data["head"]["cause"]) == (
        "ABORTED",
        f"not wanted (ana (user {staff.session['_auth_user_id']}))",
    )
    assert data["selected"]["name"] == "Later"


def test_what_runs_is_asked_for_again_and_what_has_ended_is_not(staff: Client, operated: Operated) -> None:
    machine = waiting_machine(operated, "polls")
    record = operated.start(machine)

    page = html(staff, record)
    polled = re.search(r'hx-get="[^"]*\?([^"]*)" hx-trigger="every 3s"', page)
    assert polled
    query = polled[1].replace("&amp;", "&")
    again = staff.get(address(record, f"?{query}"), headers={"HX-Request": "true"})
    if again.headers.get("HX-Reswap") != "none":  # the durations were redrawn
        assert 'id="live"' in again.content.decode()
    operated.sfn.stop_execution(executionArn=record.execution_arn)
    operated.followed(record)
    ended = staff.get(address(record, f"?{query}"), headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in ended
    assert "hx-trigger" not in ended
    assert 'id="acts"' in ended  # what can be done has changed
    assert 'id="head"' in ended


def test_while_nothing_is_new_only_the_time_is_sent(staff: Client, operated: Operated) -> None:
    record = operated.run()
    html(staff, record)
    first = staff.get(address(record))
    seen = first.context["poll_query"]

    answer = staff.get(address(record, f"?{seen}"), headers={"HX-Request": "true"})

    assert answer.headers["HX-Reswap"] == "none"
    assert 'id="as-of"' in answer.content.decode()
    assert len(answer.content) < 400


def test_a_restart_leads_to_the_new_attempt(staff: Client, operated: Operated) -> None:
    record = operated.run(2)

    answer = staff.post(address(record, "restart/"))

    assert answer["Location"] == f"/console/tasks/{record.pk}-attempt-2/"
    new = shown(staff, TaskRecord.objects.get(attempt_of=record.pk))
    assert (new["head"]["attempt"], len(new["head"]["attempts"])) == (2, 2)


def test_what_succeeded_is_restarted_only_when_that_was_ticked(staff: Client, operated: Operated) -> None:
    record = operated.run()

    assert staff.post(address(record, "restart/"))["Location"] == address(record)
    assert staff.post(address(record, "restart/"), {"even_succeeded": "1"})["Location"] != address(record)


@pytest.mark.parametrize(("act", "form"), [("redrive", {"token": ""}), ("restart", {}), ("stop", {"reason": "no"})])
def test_without_the_right_an_act_is_neither_seen_nor_done(
    client: Client, operated: Operated, act: str, form: dict[str, str]
) -> None:
    record = operated.run(2)
    viewer = signed_in(client)

    assert f"/{act}/" not in html(viewer, record)
    assert viewer.post(address(record, f"{act}/"), form).status_code == 403
    assert not AuditEntry.objects.exists()


def test_a_waiting_task_shows_its_payload_and_the_graph(staff: Client) -> None:
    record = recorded(payload={"report_id": 7, "token": "hunter2"})

    data, page = shown(staff, record, "?view=input"), html(staff, record)

    assert data["head"]["status"] == "READY"
    assert data["input"]["token"] != "hunter2"
    assert "Load Report" in page
    assert data["is_live"]
    assert "/redrive/" not in page


def test_what_ran_in_this_process_has_a_page(staff: Client) -> None:
    arn = "arn:aws:states:local:000000000000:execution:guard_report:x"
    record = recorded(status=TaskStatus.SUCCEEDED, execution_arn=arn, ran_inline=True, result={"accepted": 1})

    data = shown(staff, record, "?view=input")

    assert data["head"]["ran_in_process"]
    assert "own process" in data["unanswered"]
    assert data["output"] == {"accepted": 1}
    assert "Load Report" in html(staff, record)


@pytest.mark.usefixtures("nowhere")
def test_without_step_functions_the_page_shows_the_record(staff: Client) -> None:
    arn = "arn:aws:states:us-east-2:123456789012:execution:m:x"
    record = recorded(status=TaskStatus.FAILED, error="Boom", execution_arn=arn, finished_at=timezone.now())

    page = html(staff, record)

    assert "was not reached" in page
    assert "The data is from the task record." in page
    assert "Boom" in page
    assert "Load Report" in page  # the definition of the files


@pytest.mark.usefixtures("operated")
def test_an_execution_that_was_deleted_is_said_to_be(staff: Client) -> None:
    arn = "arn:aws:states:us-east-2:000000000000:execution:m:gone"
    record = recorded(status=TaskStatus.FAILED, execution_arn=arn, finished_at=timezone.now() - timedelta(days=100))

    data = shown(staff, record)

    assert "no such execution" in data["unanswered"]
    assert (data["selected"], data["table"]) == (None, None)
    assert not data["acts"]["redrive"]["possible"]


def test_after_a_failure_to_ask_what_was_known_stays(
    staff: Client, operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = waiting_machine(operated, "stays")
    record = operated.start(machine)
    before = shown(staff, record)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    aws.forget_clients()
    expire_snapshot(record)

    after = shown(staff, record)

    assert "was not reached" in after["unanswered"]
    assert after["table"]["rows"][0]["name"] == "Later"
    assert after["as_of"] == before["as_of"]


def test_ten_who_look_cost_one_call_of_each_kind(staff: Client, operated: Operated) -> None:
    record = operated.run(2)
    asked: Counter[str] = Counter()
    operated.sfn.meta.events.register("before-call.stepfunctions", lambda model, **_given: asked.update([model.name]))

    for _viewer in range(10):
        html(staff, record)

    assert asked == {"DescribeExecution": 1, "GetExecutionHistory": 1, "DescribeStateMachineForExecution": 1}


def test_a_snapshot_of_what_has_ended_keeps_its_sample(staff: Client, operated: Operated) -> None:
    record = operated.run(2)

    html(staff, record)

    assert ExecutionSample.objects.get(pk=record.pk).workflow == "guard_report"


def test_the_number_of_queries_does_not_grow_with_the_history(
    staff: Client, operated: Operated, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    record = operated.run(2)
    html(staff, record)

    with django_assert_max_num_queries(9):
        html(staff, record)


def test_the_graph_is_a_file_with_its_styles_inside(staff: Client, operated: Operated) -> None:
    answer = staff.get(address(operated.run(2), "graph.svg"))

    assert answer["Content-Type"] == "image/svg+xml"
    assert "<style>" in answer.content.decode()
    assert "sandbox" in answer["Content-Security-Policy"]


def test_a_graph_that_can_not_be_drawn_is_no_file(
    staff: Client, operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"StartAt": "<b>", "States": {}}
    monkeypatch.setattr(
        "qu_workflows.executions.queries.snapshot_of",
        lambda record: replace(snapshot_of(record), definition=broken),
    )

    answer = staff.get(address(operated.run(2), "graph.svg"))

    assert answer.status_code == 404
    assert "The graph cannot be drawn: StartAt leads to “&lt;b&gt;”" in answer.content.decode()


def test_of_a_task_that_there_is_not_the_page_says_that(staff: Client) -> None:
    assert staff.get("/console/tasks/nothing/").status_code == 404
    assert staff.get("/console/tasks/nothing.json").json()["detail"].startswith("There is no task nothing")


def test_log_lines_come_from_the_file_that_is_set_and_are_masked(
    staff: Client, operated: Operated, settings: Settings, tmp_path: Any
) -> None:
    record = operated.run(2)
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S,000+0000")
    line = {"level": "INFO", "message": "step done", "timestamp": at, "task_id": record.pk, "password": "hunter2"}
    other = line | {"task_id": "another", "message": "not mine"}
    log = tmp_path / "functions.log"
    log.write_text("".join(f"qu-dev-work {json.dumps(each)}\n" for each in (line, other)), encoding="utf-8")
    settings.FUNCTIONS_LOG_FILE = str(log)

    page = html(staff, record, "?logs=1")

    assert "step done" in page
    assert "not mine" not in page
    assert "hunter2" not in page


def test_without_cloudwatch_the_page_says_that_there_are_no_log_lines(
    staff: Client, operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = operated.run(2)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LOGS", "http://127.0.0.1:9")
    aws.forget_clients()

    assert "CloudWatch Logs was not reached" in html(staff, record, "?logs=1")


@pytest.mark.parametrize(
    ("arn", "page"),
    [
        ("arn:aws:states:us-east-2:123456789012:execution:m:x", "/console/tasks/arn:aws:states:"),
        ("arn:aws:states:us-east-2:123456789012:execution:m/label:x", "https://us-east-2.console.aws.amazon.com/"),
        ("arn:aws:states:us-east-2:123456789012:mapRun:m/label:x", "https://us-east-2.console.aws.amazon.com/"),
    ],
)
def test_what_a_state_began_has_its_page_here_or_at_aws(arn: str, page: str) -> None:
    aws.forget_clients()
    assert started_url(arn).startswith(page)


def test_an_arn_in_an_output_that_is_no_tasks_breaks_no_page(staff: Client, operated: Operated) -> None:
    nested = "arn:aws:states:us-east-2:123456789012:execution:m/label:x"
    operated.server.functions["finish"] = lambda _event: {"said": nested}

    page = html(staff, operated.run(), "?state=Finish")

    assert nested in page
    assert f'href="/console/tasks/{nested}' not in page
