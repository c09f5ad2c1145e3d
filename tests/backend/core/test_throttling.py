"""Limits of sign-ins and uploads."""

from typing import Any

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework.test import APIClient

from core.throttling import FAILURES_PER_CLIENT, FAILURES_PER_NAME, client_of
from tests.backend.people import make_user, photo

pytestmark = pytest.mark.django_db
REPORTS = "/api/mobile/guard-reports/"


def sign_in(password: str, username: str = "ana", **headers: str) -> Any:
    return APIClient(headers=headers).post("/api/token/", {"username": username, "password": password}, format="json")


def form(password: str) -> Any:
    return Client().post("/admin/login/", {"username": "ana", "password": password})


def make_ana() -> None:
    user = make_user(is_staff=True, password="correct horse")
    user.username = "ana"
    user.save()


def test_passwords_cannot_be_guessed_by_one_client() -> None:
    make_ana()

    statuses = [sign_in("wrong").status_code for _ in range(FAILURES_PER_CLIENT + 5)]
    right = sign_in("correct horse")

    assert statuses == [401] * FAILURES_PER_CLIENT + [429] * 5
    assert (right.status_code, right["Retry-After"]) == (429, "900")
    assert form("correct horse").status_code == 200  # the form again, not a redirect into the admin


def test_failures_in_the_form_of_the_admin_count_too() -> None:
    make_ana()

    for _ in range(FAILURES_PER_CLIENT):
        form("wrong")

    assert form("correct horse").status_code == 200
    assert sign_in("correct horse").status_code == 429


def test_a_user_name_has_a_limit_over_all_clients(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    make_ana()

    for number in range(FAILURES_PER_NAME):
        assert sign_in("wrong", **{"X-Forwarded-For": f"10.0.0.{number}"}).status_code == 401

    assert sign_in("correct horse", **{"X-Forwarded-For": "10.0.1.1"}).status_code == 429


def test_fewer_failures_do_not_stop_a_sign_in() -> None:
    make_ana()
    for _ in range(FAILURES_PER_CLIENT - 1):
        sign_in("wrong")

    assert sign_in("correct horse").status_code == 200
    assert form("correct horse").status_code == 302


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (0, "10.9.9.9", "127.0.0.1"),
        (1, "10.9.9.9, 10.0.0.1", "10.0.0.1"),
        (2, "10.9.9.9, 10.0.0.1, 10.0.0.2", "10.0.0.1"),
        (2, "10.0.0.2", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_a_client_cannot_choose_its_address(
    rf: RequestFactory, settings: Settings, proxies: int, forwarded: str, client: str
) -> None:
    settings.TRUSTED_PROXIES = proxies

    assert client_of(rf.get("/", headers={"X-Forwarded-For": forwarded})) == client


def test_a_guard_sends_a_limited_number_of_reports(app: APIClient, settings: Settings) -> None:
    settings.UPLOADS_PER_MINUTE = 2

    answers = [app.post(REPORTS, {"file": photo()}, format="multipart") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert app.get(REPORTS).status_code == 200
