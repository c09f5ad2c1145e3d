import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client, RequestFactory

from config import views

BACKEND = Path(__file__).parents[3] / "backend"

pytestmark = pytest.mark.django_db


def test_the_front_door_leads_to_the_back_office() -> None:
    response = Client().get("/")

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_health_is_that_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().get("/healthz/").json() == {"status": "ok"}

    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", refuse)
    response = Client().get("/healthz/")

    assert (response.status_code, response.json()["database"]) == (503, "OperationalError")


def test_a_process_is_live_whatever_its_database_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "cursor", lambda: pytest.fail("The database is asked."))

    assert Client().get("/livez/").json() == {"status": "ok"}


def test_production_serves_liveness_without_tls_and_static_files() -> None:
    program = (
        "from config import settings as s; "
        "print(s.SECURE_REDIRECT_EXEMPT, s.STATIC_ROOT, s.MIDDLEWARE.index(s.WHITE_NOISE))"
    )
    environment = {
        "STAGE": "production",
        "DJANGO_SECRET_KEY": "k" * 40,
        "DJANGO_SERVE_STATIC": "True",
        "PUBLIC_URL": "https://reports.example.com",
        "DJANGO_STATIC_ROOT": "/srv/static",
        "PYTHONPATH": f"{BACKEND.parent}:{BACKEND}",
    }
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["['^livez/$']", "/srv/static", "3"]


def test_errors_are_json_for_programs_and_pages_for_people(rf: RequestFactory) -> None:
    for answer in (views.page_not_found, views.bad_request):
        assert answer(rf.get("/api/x/"), Exception())["Content-Type"] == "application/json"
        assert answer(rf.get("/x/"), Exception())["Content-Type"].startswith("text/html")
    assert views.server_error(rf.get("/api/x/"))["Content-Type"] == "application/json"
    assert views.server_error(rf.get("/x/"))["Content-Type"].startswith("text/html")


def test_a_host_that_is_not_ours_is_refused_in_json() -> None:
    response = Client(headers={"Host": "evil.example.com"}).get("/api/guards/")

    assert (response.status_code, response["Content-Type"]) == (400, "application/json")


def test_the_docs_need_nothing_from_elsewhere() -> None:
    page = Client().get("/api/docs/").content.decode()

    assert "/static/drf_spectacular_sidecar/" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/", "/api/guards/"])
def test_every_page_has_a_policy_without_inline_scripts(path: str) -> None:
    response = Client().get(path)

    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in response.content.decode()


@pytest.mark.parametrize(("url", "is_secure"), [("https://dev.example.com", True), ("http://127.0.0.1:8000", False)])
def test_cookies_are_secure_where_the_site_has_https(url: str, is_secure: bool) -> None:
    program = "from config import settings as s; print(getattr(s, 'SESSION_COOKIE_SECURE', False))"
    environment = {"STAGE": "dev", "PUBLIC_URL": url, "PYTHONPATH": f"{BACKEND.parent}:{BACKEND}"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert found.stdout.strip() == str(is_secure)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/token/", "/api/token/refresh/"])
def test_deep_json_is_refused(path: str) -> None:
    response = Client().post(path, "[" * 100_000, content_type="application/json")

    assert response.status_code == 400


def test_the_openapi_document_is_valid_and_complete(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_the_migrations_are_those_of_the_models() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
