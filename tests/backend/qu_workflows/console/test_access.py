"""Access control: every address of the console against every right."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, reverse

from qu_workflows.console import urls
from qu_workflows.console.access import Right, actor_of, rights_of
from qu_workflows.console.responses import CONTENT_SECURITY_POLICY
from tests.backend.people import make_user

pytestmark = pytest.mark.django_db

ARGUMENTS = {
    "task_id": "no-such-task",
    "workflow": "guard_report",
    "message_id": "no-such-message",
    "name": "watch_stuck",
}
PATTERNS = [pattern for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)]
PAGES = [pattern for pattern in PATTERNS if rights_of(pattern.callback) == (Right.VIEW,)]
ACTS = [pattern for pattern in PATTERNS if len(rights_of(pattern.callback)) > 1]
# Files for download, and the preview of a choice: what they show is in the JSON of the page they belong to.
WITHOUT_TWIN = {"tasks-graph", "tasks-history", "tasks-preview", "machines-definition", "machines-graph"}


def address_of(pattern: URLPattern) -> str:
    names = pattern.pattern.converters
    return reverse(f"console:{pattern.name}", kwargs={name: ARGUMENTS[name] for name in names})


def named(patterns: list[URLPattern]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pattern", patterns, ids=[str(pattern.name) for pattern in patterns])


def person(*rights: Right, is_staff: bool = True) -> User:
    user = make_user("person", is_staff=is_staff)
    for right in rights:
        app, _dot, codename = right.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def signed_in(user: User, **kwargs: Any) -> Client:
    client = Client(**kwargs)
    client.force_login(user)
    return client


def test_the_audit_names_a_user_by_its_id() -> None:
    first, second = make_user(), make_user()
    request = HttpRequest()

    request.user = first
    before = actor_of(request)
    first.username, second.username = second.username, first.username
    request.user = second

    assert before == f"{second.username} (user {first.pk})"
    assert actor_of(request) == f"{second.username} (user {second.pk})"
    second.username = "x" * 150
    assert actor_of(request).endswith(f"x (user {second.pk})")
    assert len(actor_of(request)) == 150


def secured_responses(client: Client) -> Iterator[tuple[str, Any]]:
    yield "page", client.get("/console/patterns/")
    yield "twin", client.get("/console/patterns.json")
    yield "not found", client.get("/console/no-such-page/")
    yield "wrong method", client.post("/console/patterns/")
    yield "redirect", client.get("/console/patterns")


def test_every_address_asks_for_rights() -> None:
    assert [pattern.name for pattern in PATTERNS if not rights_of(pattern.callback)] == []


def test_every_page_has_a_twin() -> None:
    names = {pattern.name for pattern in PAGES}
    pages = {name for name in names if name and not name.endswith("-json")} - WITHOUT_TWIN

    assert {f"{name}-json" for name in pages} <= names
    assert len(pages) >= 10


@named(PAGES)
def test_a_page_is_refused_without_the_right_to_view(pattern: URLPattern) -> None:
    others = [right for right in Right if right is not Right.VIEW]

    response = signed_in(person(*others)).get(address_of(pattern))

    assert response.status_code == 403
    assert Right.VIEW in response.content.decode()


@named(PAGES)
def test_a_page_is_refused_to_people_who_are_not_staff(pattern: URLPattern) -> None:
    response = signed_in(person(*Right, is_staff=False)).get(address_of(pattern))

    assert response.status_code == 403


@named([*PAGES, *ACTS])
def test_every_address_requires_signing_in(pattern: URLPattern) -> None:
    method = "post" if pattern in ACTS else "get"

    response = getattr(Client(), method)(address_of(pattern))

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/?next=/console/")


@named(ACTS)
def test_an_action_is_refused_without_its_own_right(pattern: URLPattern) -> None:
    for right in rights_of(pattern.callback):
        response = signed_in(person(*[other for other in Right if other is not right])).post(address_of(pattern))

        assert response.status_code == 403
        assert right in response.content.decode()


@named(ACTS)
def test_an_act_is_refused_to_people_who_are_not_staff(pattern: URLPattern) -> None:
    response = signed_in(person(*Right, is_staff=False)).post(address_of(pattern))

    assert response.status_code == 403


@named(ACTS)
def test_an_act_is_no_address_to_open(pattern: URLPattern) -> None:
    response = signed_in(person(*Right)).get(address_of(pattern))

    assert response.status_code == 405


@named(ACTS)
def test_an_act_takes_the_token_of_a_form(pattern: URLPattern) -> None:
    response = signed_in(person(*Right), enforce_csrf_checks=True).post(address_of(pattern))

    assert response.status_code == 403
    assert "This form is not from a page of this session." in response.content.decode()


def test_signing_in_returns_to_the_page() -> None:
    user = make_user("returning", is_staff=True, is_superuser=True)
    user.set_password("a long password")
    user.save()
    client = Client()

    sign_in = client.get("/console/patterns/?a=1").headers["Location"]
    response = client.post(sign_in, {"username": user.username, "password": "a long password"})

    assert response.headers["Location"] == "/console/patterns/?a=1"


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("http://testserver/console/tasks/?q=a", "/console/tasks/%3Fq%3Da"),
        ("http://elsewhere.example/console/tasks/", "/console/"),
        ("http://testserver/admin/", "/console/"),
        ("", "/console/"),
    ],
)
def test_signing_in_after_a_form_returns_to_its_page(came_from: str, back: str) -> None:
    response = Client().post("/console/schedules/watch_stuck/pause/", headers={"referer": came_from})

    assert response.headers["Location"] == f"/admin/login/?next={back}"


def test_a_partial_request_after_the_session_redirects_the_page() -> None:
    page = "http://testserver/console/patterns/"

    response = Client().get("/console/patterns/", headers={"hx-request": "true", "hx-current-url": page})

    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/admin/login/?next=/console/patterns/"


@pytest.mark.parametrize("who", ["anonymous", "visitor", "viewer"])
def test_every_response_has_the_policies(who: str) -> None:
    clients = {
        "anonymous": Client(),
        "visitor": signed_in(person(is_staff=False)),
        "viewer": signed_in(person(Right.VIEW)),
    }
    for what, response in secured_responses(clients[who]):
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, what
        assert "no-store" in response.headers["Cache-Control"], what
        assert {"HX-Request", "Cookie"} <= set(response.headers["Vary"].split(", ")), what


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")


def test_pages_elsewhere_keep_their_own_policies() -> None:
    policy = Client().get("/admin/login/").headers.get("Content-Security-Policy")

    assert policy != CONTENT_SECURITY_POLICY


def test_a_missing_page_is_an_error_page_of_the_console() -> None:
    response = signed_in(person(Right.VIEW)).get("/console/<b>no</b>/")

    assert response.status_code == 404
    assert "console/console.css" in response.content.decode()
    assert "<b>" not in response.content.decode()


def test_a_missing_twin_is_an_error_in_json() -> None:
    response = signed_in(person(Right.VIEW)).get("/console/no-such-page.json")

    assert response.status_code == 404
    assert "no page at this address" in json.loads(response.content)["detail"]


def test_a_twin_is_refused_as_json() -> None:
    response = signed_in(person()).get("/console/patterns.json")

    assert response.status_code == 403
    assert Right.VIEW in json.loads(response.content)["detail"]


def test_an_exception_is_an_error_page_of_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: HttpRequest, given: object, *, as_json: bool) -> None:  # noqa: ARG001  as what it stands for
        raise ZeroDivisionError

    monkeypatch.setattr("qu_workflows.console.access.answer", broken)
    client = signed_in(person(Right.VIEW), raise_request_exception=False)

    page, twin = client.get("/console/patterns/"), client.get("/console/patterns.json")

    assert (page.status_code, twin.status_code) == (500, 500)
    assert "console/console.css" in page.content.decode()
    assert "An unexpected error occurred" in json.loads(twin.content)["detail"]
    assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
