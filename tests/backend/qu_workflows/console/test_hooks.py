"""The console with the hooks of a product, and without."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from qu_workflows.console import hooks
from qu_workflows.console.access import Right
from qu_workflows.console.hooks import ConsoleHooks, Link, Need, SearchKind, Subjects, SubjectsFound, register
from qu_workflows.console.masking import MASK, mask
from qu_workflows.records.models import TaskRecord, TaskStatus
from tests.backend.qu_workflows.console.test_access import person, signed_in

pytestmark = pytest.mark.django_db

PAGES = ["", "tasks/", "tasks/?q=Ana", "tasks/?q=7", "tasks/?q=Broken", "dead-letters/", "audit/"]
ORDER = re.compile(r"order=(\d+)")


@pytest.fixture(autouse=True)
def _without_product() -> Iterator[None]:
    before = hooks.registered_hooks()
    register(ConsoleHooks())
    yield
    register(before)


@pytest.fixture
def viewer() -> Client:
    return signed_in(person(Right.VIEW))


@pytest.fixture
def failed() -> TaskRecord:
    at = timezone.now() - timedelta(hours=1)
    values = {"task": "ship_order", "workflow": "guard_report", "status": TaskStatus.FAILED, "error": "Broken"}
    return TaskRecord.objects.create(subject_id=7, enqueued_at=at, finished_at=at, **values)


def orders() -> ConsoleHooks:
    """Return the hooks of a shop, whose tasks are about orders."""
    return ConsoleHooks(
        site_name="The Shop",
        links=lambda: [Link("Back to the shop", "/shop/")],
        subjects=Subjects("order", "Order", "/orders/{}/".format, "auth.view_user", "The order", "Order no. {}".format),
        search_kinds=[
            SearchKind("order", lambda text: SubjectsFound(f"order {text}", (int(text),)) if text == "7" else None)
        ],
        needs=lambda: [Need("unpaid", "error", 3, "3 orders are unpaid", "Not asked for.", "/unpaid/", "See them")],
        secret_patterns=[ORDER],
        masked_keys=["coupon"],
    )


@pytest.mark.parametrize("path", PAGES)
def test_without_a_product_no_page_knows_reports_or_guards(viewer: Client, failed: TaskRecord, path: str) -> None:
    answer = viewer.get(f"/console/{path}")

    text = answer.content.decode().replace(failed.workflow, "")
    assert answer.status_code == 200
    assert not re.search(r"\breports?\b|\bguards?\b|\bincidents?\b", text, re.IGNORECASE)


def test_without_a_product_a_task_has_a_page_and_no_subject(viewer: Client, failed: TaskRecord) -> None:
    page = viewer.get(f"/console/tasks/{failed.pk}/").content.decode()

    assert "ship_order" in page
    assert "<dt>Report</dt>" not in page


def test_without_a_product_a_search_is_for_tasks_and_errors(viewer: Client, failed: TaskRecord) -> None:
    assert viewer.get("/console/tasks.json?q=Broken").json()["count"] == 1
    assert viewer.get(f"/console/tasks.json?q=task:{failed.pk[:8]}").json()["count"] == 1
    assert "No task has an id or error “order:7”" in viewer.get("/console/tasks/?q=order:7").content.decode()


def test_a_products_subjects_are_searched_named_and_linked(
    viewer: Client, admin_client: Client, failed: TaskRecord
) -> None:
    register(orders())

    found = viewer.get("/console/tasks/?q=order:7").content.decode()
    page = viewer.get(f"/console/tasks/{failed.pk}/").content.decode()

    assert "Searched for: order 7." in found
    assert '<a href="/console/tasks/?q=order%3A7">7</a>' in found  # the user may not see orders
    assert "Order no. 7" in page
    assert '<a href="/orders/7/" title="The order">7</a>' in admin_client.get("/console/tasks/").content.decode()


@pytest.mark.usefixtures("failed")
def test_a_products_needs_name_and_links_are_on_the_overview(viewer: Client) -> None:
    register(orders())

    page = viewer.get("/console/").content.decode()

    assert "3 orders are unpaid" in page
    assert ">The Shop<" in page
    assert '<a href="/shop/">Back to the shop</a>' in page


def test_a_products_secrets_are_masked_beside_the_usual_ones() -> None:
    given = {"coupon": "X1", "password": "hunter2", "note": "see /pay?order=42"}
    assert mask(given)["coupon"] == "X1"

    register(orders())

    assert mask(given) == {"coupon": MASK, "password": MASK, "note": f"see /pay?{MASK}"}
