import pytest
from django.db import OperationalError, connection
from django.test import Client

from config import errors

pytestmark = pytest.mark.django_db


def test_the_front_door_leads_to_the_back_office():
    response = Client().get("/")

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_health_is_that_of_the_database(monkeypatch):
    assert Client().get("/healthz/").json() == {"status": "ok"}

    def refuse():
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", refuse)
    response = Client().get("/healthz/")

    assert (response.status_code, response.json()["database"]) == (503, "OperationalError")


def test_errors_are_json_for_programs_and_pages_for_people(rf):
    for answer in (errors.page_not_found, errors.bad_request):
        assert answer(rf.get("/api/x/"), Exception())["Content-Type"] == "application/json"
        assert answer(rf.get("/x/"), Exception())["Content-Type"].startswith("text/html")
    assert errors.server_error(rf.get("/api/x/"))["Content-Type"] == "application/json"
    assert errors.server_error(rf.get("/x/"))["Content-Type"].startswith("text/html")


def test_a_host_that_is_not_ours_is_refused_in_json():
    response = Client(headers={"Host": "evil.example.com"}).get("/api/guards/")

    assert (response.status_code, response["Content-Type"]) == (400, "application/json")


def test_the_docs_need_nothing_from_elsewhere():
    page = Client().get("/api/docs/").content.decode()

    assert "/static/drf_spectacular_sidecar/" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
