"""The list of tasks: search, filters, pages and bulk actions."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote, unquote

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from qu_workflows.console.access import Right
from qu_workflows.console.pages import tasks
from qu_workflows.executions import search, services
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from tests.backend.people import make_guard, make_report, make_user
from tests.backend.qu_workflows.console.running import PATIENCE_SECONDS, Workflows, raising
from tests.backend.qu_workflows.console.test_access import person, signed_in
from tests.backend.qu_workflows.executions.test_redriving import failed

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def client() -> Client:
    return signed_in(person(*Right))


def listed(client: Client, query: str = "") -> Any:
    response = client.get(f"/console/tasks.json{query}")
    assert response.status_code == 200, response.content
    return response.json()


def ids(client: Client, query: str = "") -> list[str]:
    return [task["id"] for task in listed(client, query)["tasks"]]


def html(client: Client, path: str, status: int = 200, *, by_htmx: bool = False) -> str:
    response = client.get(path, headers={"HX-Request": "true"} if by_htmx else {})
    assert response.status_code == status, response.content
    return str(response.content.decode())


def links(page: str, words: str) -> list[str]:
    return [unescape(url) for url in re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>{words}</a>', page)]


def order_in(page: str) -> str:
    [order] = re.findall(r'name="order" value="([^"]+)"', page)
    return str(order)


def test_a_task_is_found_by_report_guard_id_error_and_arn(client: Client) -> None:
    guard = make_guard(user=make_user("g", first_name="Ana", last_name="Luz"))
    report = make_report(guard)
    other = make_report()
    one = failed(pk="019ab1cd-1", subject_id=report.pk)
    failed(pk="019ab2cd-2", subject_id=other.pk, error="TaskStillRunning")

    for text in (
        str(report.pk),
        f"report:{report.pk}",
        f"guard:{guard.pk}",
        "ana luz",
        "guard:Luz",
        "019ab1",
        "task:019ab1cd-1",
        "ReportNotFound",
        "reportnot",
        "error:*notfound*",
        one.execution_arn,
    ):
        assert ids(client, f"?q={quote(text)}") == [one.pk], text
    assert ids(client, f"?report={report.pk}") == ids(client, "?error=ReportNotFound") == [one.pk]


def test_a_number_is_a_report_and_other_meanings_are_linked(client: Client) -> None:
    guard = make_guard()
    report = make_report(guard)
    failed(pk="of-the-guard", subject_id=report.pk)
    failed(pk="of-the-report", subject_id=guard.pk + 10_000)
    failed(pk="of-both", subject_id=guard.pk)

    page = html(client, f"/console/tasks/?q={guard.pk}")

    assert ids(client, f"?q={guard.pk}")[0] == "of-both"
    assert f"Searched for: report {guard.pk}." in page
    if report.pk != guard.pk:
        [link] = links(page, rf"reports of guard [^<]*\({guard.pk}\)")
        assert f"q=guard%3A{guard.pk}" in link


@pytest.mark.parametrize("text", ["an unknown name", "999999999999999999", "9" * 40, "task:", "error:x", "☃", "a\x00b"])
def test_what_is_nothing_finds_nothing_and_the_page_says_what_to_give(client: Client, text: str) -> None:
    failed()

    page = html(client, f"/console/tasks/?q={quote(text)}")

    assert "No task matches these filters." in page or "No task has a report, task id, error or guard" in page
    assert ids(client, f"?q={quote(text)}") == []


def test_filters_are_in_the_address_and_the_form_shows_them(client: Client) -> None:
    now = timezone.now()
    failed(pk="fits", enqueued_at=now - timedelta(hours=2), schedule="watch_stuck")
    failed(pk="late", enqueued_at=now, schedule="watch_stuck")
    failed(pk="stopped", enqueued_at=now - timedelta(hours=2), status=TaskStatus.ABORTED)
    failed(pk="done", enqueued_at=now - timedelta(hours=2), status=TaskStatus.SUCCEEDED)
    query = (
        "?workflow=guard_report&task=process_guard_report&status=FAILED&status=TIMED_OUT"
        "&since=1d&until=1h&schedule=watch_stuck&redrivable=1"
    )

    page = html(client, f"/console/tasks/{query}")

    assert ids(client, query) == ["fits"]
    assert set(ids(client, "?status=aborted&status=SUCCEEDED")) == {"stopped", "done"}
    assert "<option selected>guard_report</option>" in page
    assert re.search(r'value="FAILED" checked', page)
    assert re.search(r'value="SUCCEEDED">', page)
    assert 'name="since" value="1d"' in page
    assert 'name="redrivable" value="1" checked' in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?workflow=x", "workflow: &#x27;x&#x27; does not exist. Use one of"),
        ("?task=x", "task: &#x27;x&#x27; does not exist."),
        ("?status=x", "status: &#x27;X&#x27; does not exist."),
        ("?schedule=x", "schedule: &#x27;x&#x27; does not exist."),
        ("?since=yesterday", "since: &#x27;yesterday&#x27; is not a time. Use a time such as 2026-11-24T08:00"),
        ("?since=1h&until=2h", "since: is not before until."),
        ("?after=x", "page: &#x27;x&#x27; is not a page of the list. Start at the first page."),
        ("?before=x", "page: &#x27;x&#x27; is not a page of the list."),
    ],
)
def test_a_filter_that_is_none_is_refused_with_what_to_do(client: Client, query: str, said: str) -> None:
    failed()

    assert said in html(client, f"/console/tasks/{query}", 400)
    assert client.get(f"/console/tasks.json{query}").status_code == 400
    # htmx shows no answer with an error's status.
    assert said in html(client, f"/console/tasks/{query}", by_htmx=True)


def test_pages_are_linked_and_the_twin_has_cursors(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    for number in range(search.PAGE_ROWS * 2 + 1):
        failed(pk=f"t-{number:03}", enqueued_at=now - timedelta(seconds=number))
    monkeypatch.setattr(search, "COUNTED", 60)

    first = html(client, "/console/tasks/?status=FAILED")
    [older] = links(first, "Older")
    second = html(client, older)
    [newer] = links(second, "Newer")

    assert "More than " in first
    assert "status=FAILED" in older
    assert html(client, newer).count('name="id"') == search.PAGE_ROWS
    twin = listed(client)
    assert (twin["count"], twin["is_more"], twin["newer"]) == (60, True, "")
    last = listed(client, f"?after={quote(listed(client, f'?after={quote(twin["older"])}')['older'])}")
    assert [task["id"] for task in last["tasks"]] == ["t-100"]
    assert last["older"] == ""
    assert ids(client, f"?before={quote(last['newer'])}")[0] == "t-050"


def test_scheduled_runs_that_succeeded_are_left_out_until_they_are_asked_for(client: Client) -> None:
    failed(pk="run", schedule="send_outbox", status=TaskStatus.SUCCEEDED)
    failed(pk="task")

    [link] = links(html(client, "/console/tasks/"), "show them")

    assert ids(client) == ["task"]
    assert set(re.findall(r'name="id" value="([^"]+)"', html(client, link))) == {"run", "task"}
    assert links(html(client, "/console/tasks/?status=FAILED"), "show them") == []


def test_an_empty_list_says_what_to_do(client: Client) -> None:
    assert "No task is recorded here." in html(client, "/console/tasks/")
    failed()
    page = html(client, "/console/tasks/?status=ABORTED&workflow=run_task")
    assert "No task matches these filters." in page
    assert "/console/tasks/?status=ABORTED" in links(page, "workflow: run_task")


def test_nothing_that_is_recorded_or_typed_becomes_html(client: Client) -> None:
    failed(pk="hostile", task=HOSTILE, error=HOSTILE[:200], schedule="x")
    paths = [
        "/console/tasks/",
        f"/console/tasks/?q={quote(HOSTILE)}",
        f"/console/tasks/?since={quote(HOSTILE)}",
        f"/console/tasks/?task={quote(HOSTILE)}",
        f"/console/tasks/?schedule={quote(HOSTILE)}",
        "/console/tasks/preview/?act=redrive&id=hostile",
        "/console/tasks/preview/?act=restart&id=hostile",
        f"/console/tasks/preview/?act=stop&which=all&workflow={quote(HOSTILE)}",
        f"/console/tasks/preview/?act={quote(HOSTILE)}",
    ]

    for path in paths:
        page = client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
    assert unescape(html(client, paths[0])).count(HOSTILE) == 3  # as text: the task, its choice, its error


def test_a_masked_error_is_no_link(client: Client) -> None:
    failed(pk="secret", error="password=hunter2")
    failed(pk="plain", error="ReportNotFound")

    page = html(client, "/console/tasks/")

    assert "hunter2" not in page
    assert "<td>password=•••</td>" in page
    assert re.findall(r"\?q=error:([^\"]*)", page) == ["ReportNotFound"]


def test_the_query_of_an_error_s_link_finds_it_again(client: Client) -> None:
    failed(pk="odd", error="A&B=1#x/?%+")

    [link] = links(html(client, "/console/tasks/"), "A&amp;B=1#x/\\?%\\+")

    assert re.findall(r'name="id" value="([^"]+)"', html(client, link)) == ["odd"]


def test_a_page_asks_the_database_as_often_whatever_it_shows(client: Client) -> None:
    asked = []
    for number in range(30):
        failed(pk=f"t-{number}", subject_id=number)
        if number in (0, 29):
            client.get("/console/tasks/")
            with CaptureQueriesContext(connection) as queries:
                client.get("/console/tasks/")
            asked.append(len(queries))

    assert asked[0] == asked[1] <= 8


def test_htmx_gets_what_was_found_and_nothing_around_it(client: Client) -> None:
    failed(pk="one")

    part = html(client, "/console/tasks/?status=FAILED", by_htmx=True)

    assert part.lstrip().startswith('<section id="found"')
    assert 'value="one"' in part
    assert '<form class="filters"' not in part


def test_who_may_not_act_sees_neither_boxes_of_acts_nor_their_previews() -> None:
    record = failed()
    viewer, stopper = signed_in(person(Right.VIEW)), signed_in(person(Right.VIEW, Right.STOP))

    assert 'name="act"' not in html(viewer, "/console/tasks/")
    assert re.findall(r'name="act" value="(\w+)"', html(stopper, "/console/tasks/")) == ["stop"]
    for act in ("redrive", "restart"):
        assert html(stopper, f"/console/tasks/preview/?act={act}&id={record.pk}", 403)
    assert html(viewer, f"/console/tasks/preview/?act=stop&id={record.pk}", 403)
    assert "There is no such action." in html(viewer, "/console/tasks/preview/?act=delete", 400)


def test_a_preview_says_who_is_left_out_and_why(client: Client) -> None:
    failed(pk="done", status=TaskStatus.SUCCEEDED)
    failed(pk="old", finished_at=timezone.now() - timedelta(days=15))

    page = html(client, "/console/tasks/preview/?act=redrive&id=done&id=old")

    assert "The action is not possible for any of them." in page
    assert "it SUCCEEDED, and AWS redrives only failed executions." in page
    assert "AWS redrives for 14 days." in page
    assert 'name="order"' not in page
    assert "tasks: none is selected." in html(client, "/console/tasks/preview/?act=redrive", 400)


def test_too_many_tasks_for_a_page_need_the_command(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COUNTED", 2)
    for number in range(3):
        failed(pk=f"t-{number}", error="It's")

    page = html(client, "/console/tasks/preview/?act=redrive&which=all&workflow=guard_report&q=it%27s")
    stops = html(client, "/console/tasks/preview/?act=redrive&which=all&redrivable=1")

    assert "manage.py executions redrive --workflow guard_report --error " in page
    assert unescape(page).count("'It'\"'\"'s'") == 1
    assert "manage.py" not in stops
    assert 'name="order"' not in page + stops


@pytest.fixture
def _down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_down")
def test_an_order_is_bound_to_user_action_and_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    failed(pk="one")
    order = order_in(html(client, "/console/tasks/preview/?act=redrive&id=one"))
    others = signed_in(person(*Right))
    refused = [
        others.post("/console/tasks/act/redrive/", {"order": order}),
        client.post("/console/tasks/act/stop/", {"order": order, "reason": "x"}),
        client.post("/console/tasks/act/redrive/", {"order": f"{order}x"}),
        client.post("/console/tasks/act/redrive/"),
    ]
    monkeypatch.setattr(tasks, "VALID_SECONDS", -1)
    refused.append(client.post("/console/tasks/act/redrive/", {"order": order}))

    assert [response.status_code for response in refused] == [400] * 5
    assert "Nothing was changed." in refused[0].content.decode()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_down")
def test_without_step_functions_a_bulk_action_halts(client: Client) -> None:
    failed(pk="one")
    failed(pk="two", enqueued_at=timezone.now() - timedelta(seconds=1))
    order = order_in(html(client, "/console/tasks/preview/?act=redrive&which=all&status=FAILED"))

    page = client.post("/console/tasks/act/redrive/", {"order": order}).content.decode()

    assert "Halted: see the reason below" in page
    assert "0 redriven, 1 failed, 1 remaining" in page
    assert 'hx-trigger="submit"' in page
    assert list(AuditEntry.objects.values_list("target", "outcome")) == [("one", "failed")]


def test_a_stop_asks_for_a_reason(client: Client) -> None:
    failed(pk="one", status=TaskStatus.RUNNING, finished_at=None)
    order = order_in(html(client, "/console/tasks/preview/?act=stop&id=one"))

    response = client.post("/console/tasks/act/stop/", {"order": order, "reason": " "})

    assert response.status_code == 400
    assert "reason: is empty" in response.content.decode()
    assert order_in(response.content.decode())


@pytest.mark.usefixtures("transactional_db")
def test_all_that_fit_a_filter_are_redriven_one_portion_after_the_other(
    workflows: Workflows, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PORTION", 2)
    workflows.functions.faults["load_report"] = raising(RuntimeError("broken"))
    started = [workflows.start("process_guard_report", {"report_id": number}) for number in (1, 2, 3)]
    records = [workflows.ended(record) for record in started]
    [error] = {record.error for record in records}
    workflows.functions.faults.clear()

    page = html(client, f"/console/tasks/preview/?act=redrive&which=all&q={quote(error[:-2])}")
    assert "3 executions would be redriven" in page
    signed = signing.loads(order_in(page), salt=f"console.bulk.{client.session['_auth_user_id']}")
    assert unquote(signed["query"]) == f"q=error:*{error[:-2]}*"
    first = client.post("/console/tasks/act/redrive/", {"order": order_in(page)}).content.decode()
    assert "2 redriven, 1 remaining" in first
    assert 'hx-trigger="load delay:300ms, submit"' in first
    rest = client.post(
        "/console/tasks/act/redrive/", {"order": order_in(first)}, headers={"HX-Request": "true"}
    ).content.decode()

    assert "3 redriven" in rest
    assert "remaining" not in rest
    assert rest.lstrip().startswith('<section id="portion"')
    ids_of_all = [record.pk for record in records]
    deadline = time.monotonic() + PATIENCE_SECONDS  # a record follows its execution's events, some later
    while TaskRecord.objects.filter(pk__in=ids_of_all).exclude(status=TaskStatus.SUCCEEDED).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert AuditEntry.objects.values("batch", "actor", "action").distinct().count() == 1
    assert TaskRecord.objects.filter(redrive_count=1).count() == 3
