"""The pages of the state machines."""

import json
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from qu_workflows.aws import clients as aws
from qu_workflows.executions.queries import clear_state_machines
from qu_workflows.records.models import ExecutionSample, TaskRecord, TaskStatus
from tests.backend.people import make_user
from tests.backend.qu_workflows.console.graph.definitions import line_of
from tests.backend.qu_workflows.console.running import Workflows
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db
PAGE = "/console/machines/guard_report/"


@pytest.fixture(autouse=True)
def _empty_caches() -> Iterator[None]:
    clear_state_machines()
    yield
    clear_state_machines()


@pytest.fixture
def client() -> Client:
    user = make_user("looking", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_console"))
    client = Client()
    client.force_login(user)
    return client


def record(number: int = 0, **values: Any) -> TaskRecord:
    at = timezone.now() - timedelta(minutes=number + 1)
    given: dict[str, Any] = {
        "task": "process_guard_report",
        "workflow": "guard_report",
        "status": TaskStatus.SUCCEEDED,
        "enqueued_at": at,
        "started_at": at,
        "finished_at": at + timedelta(seconds=4),
    }
    return TaskRecord.objects.create(**given | values)


def sampled(count: int, edges: dict[str, dict[str, int]], *, states: tuple[str, ...] = ("Make Thumbnails",)) -> None:
    """Save ``count`` samples of guard_report; the first failed."""
    for number in range(count):
        entries = [
            {
                "state": state,
                "kind": "Task",
                "seconds": 1.0 + number,
                "tries": 2,
                "outcome": "SUCCEEDED" if number else "FAILED",
                "waits": False,
            }
            for state in states
        ]
        made = record(number)
        assert made.finished_at is not None
        ExecutionSample.objects.create(
            record=made, workflow="guard_report", finished_at=made.finished_at, entries=entries, edges=edges
        )


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_the_list_names_every_workflow_and_what_became_of_its_tasks(client: Client) -> None:
    record()
    record(status=TaskStatus.FAILED)
    record(status=TaskStatus.RUNNING, finished_at=None)

    page = text_of(client.get("/console/machines/"))

    assert all(f"/console/machines/{workflow}/" in page for workflow in PROJECT.workflows)
    assert "50 %" in page
    assert "4.00 s" in page
    assert "?workflow=guard_report&amp;status=RUNNING" in page


def test_a_page_draws_the_ways_as_often_as_they_were_taken(client: Client) -> None:
    sampled(4, {"By Kind": {"Make Thumbnails": 3, "Keep Original": 1}, "Gone": {"Away": 9}})

    page = text_of(client.get(PAGE))

    assert "12 × · 75%" in page  # noqa: RUF001  the sign for times
    assert "newest 4 sampled executions" in page
    assert '<a href="#state-' in page
    twin = client.get("/console/machines/guard_report.json").json()
    taken = {(each["source"], each["target"]): each for each in twin["transitions"]}
    assert taken["By Kind", "Make Thumbnails"]["taken"] == 12
    assert taken["By Kind", "Make Thumbnails"]["condition"] == "$.facts.kind is image or video or audio or pdf"
    assert twin["samples"] == 4


def test_a_page_shows_the_statistics_of_its_states(client: Client) -> None:
    sampled(4, {})

    [row] = [
        each
        for each in client.get("/console/machines/guard_report.json").json()["states"]
        if each["name"] == "Make Thumbnails"
    ]

    assert (row["figures"]["entries"], row["figures"]["p50_seconds"], row["figures"]["failed_share"]) == (4, 2.5, 0.25)
    page = text_of(client.get(PAGE))
    assert f'<tr id="{row["anchor"]}"> <th scope="row">Make Thumbnails</th>' in page
    assert "25 %" in page


def test_a_page_without_any_execution_says_what_it_does_not_know(client: Client) -> None:
    page = text_of(client.get(PAGE))

    assert "Step Functions has not run it yet" in page
    assert "No history was sampled yet" in page
    assert "Unknown." in page
    assert page.count("<svg") == 1
    assert "report_id" in page


def test_a_page_shows_versions_and_weights_and_the_live_definition(client: Client, workflows: Workflows) -> None:
    arn = workflows.define("shifted", json.dumps(line_of(3)))
    version = workflows.sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    workflows.sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )
    record(execution_arn=f"{arn.replace(':stateMachine:', ':execution:')}:one")

    page = text_of(client.get(PAGE))

    assert "From Step Functions." in page
    assert "100 %" in page
    assert ">State 001</text>" in page
    assert arn in page
    assert "console.aws.amazon.com" not in page


def test_a_step_functions_that_is_not_reached_leaves_the_rest(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    aws.forget_clients()
    record(execution_arn="arn:aws:states:us-east-2:123456789012:execution:qu-dev-guard_report:one")

    response = client.get(PAGE)
    page = text_of(response)

    assert response.status_code == 200
    assert "was not reached" in page
    assert "From this project's files." in page
    assert ">Load Report</text>" in page
    assert "4.00 s" in page


def test_the_definition_and_the_graph_are_files(client: Client) -> None:
    definition = client.get(f"{PAGE}definition.json")
    graph = client.get(f"{PAGE}graph.svg")

    assert definition.json()["StartAt"] == "Load Report"
    assert definition["Content-Disposition"] == 'attachment; filename="guard_report.asl.json"'
    assert graph["Content-Type"] == "image/svg+xml"
    assert "script-src" not in graph["Content-Security-Policy"]
    assert ElementTree.fromstring(graph.content).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  our own drawing


def test_a_graph_that_can_not_be_drawn_is_no_file(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    record()
    monkeypatch.setattr(
        "qu_workflows.console.views.machines.definition_of", lambda _workflow: {"StartAt": "<b>", "States": {}}
    )

    answer = client.get(f"{PAGE}graph.svg")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "cannot be drawn" in answer.content.decode()
    assert "<b>" not in answer.content.decode()


@pytest.mark.parametrize("address", ["", "definition.json", "graph.svg"])
def test_an_unknown_workflow_is_not_found(client: Client, address: str) -> None:
    assert client.get(f"/console/machines/no_such/{address}").status_code == 404


def test_a_page_takes_as_many_queries_for_many_samples_as_for_one(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sampled(30, {"By Kind": {"Make Thumbnails": 3}}, states=("Load Report", "Inspect File", "Make Thumbnails"))
    client.get(PAGE)  # the session and the permissions

    with django_assert_num_queries(10):
        client.get(PAGE)
    with django_assert_num_queries(7):
        client.get("/console/machines/")


def test_two_hundred_states_are_a_page_in_300_ms(client: Client, workflows: Workflows) -> None:
    definition = line_of(199)
    arn = workflows.define("long", json.dumps(definition))
    names = tuple(definition["States"])
    edges = {one: {other: 5} for one, other in pairwise(names)}
    sampled(20, edges, states=names)
    record(execution_arn=f"{arn.replace(':stateMachine:', ':execution:')}:one")
    taken = []

    for _ in range(7):
        begin = time.process_time()
        response = client.get(PAGE)
        taken.append(time.process_time() - begin)

    assert response.content.count(b'<a href="#state-') == 200
    assert statistics.median(taken) < 0.3
