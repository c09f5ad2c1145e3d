import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.test import Client
from moto import mock_aws

from config import secrets
from config.secrets import read_secret

BACKEND = Path(__file__).parents[3] / "backend"
NAME = "qu-security/dev/database-url"


@pytest.fixture(autouse=True)
def _moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_SQS_REGION", "us-east-2")
    for name in ("DATABASE_URL", "DATABASE_URL_SECRET"):
        monkeypatch.delenv(name, raising=False)
    secrets._fetch.cache_clear()
    with mock_aws():
        boto3.client("secretsmanager", "us-east-2").create_secret(Name=NAME, SecretString="postgresql://there\n")
        yield
    secrets._fetch.cache_clear()


def test_a_secret_that_is_neither_set_nor_named_is_empty() -> None:
    assert read_secret("DATABASE_URL") == ""


def test_a_named_secret_is_read_from_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_SECRET", NAME)

    assert read_secret("DATABASE_URL") == "postgresql://there"


def test_a_set_one_wins_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_SECRET", "no-such-secret")
    monkeypatch.setenv("DATABASE_URL", "sqlite://here")

    assert read_secret("DATABASE_URL") == "sqlite://here"


def test_a_process_is_live_whatever_its_database_does() -> None:
    assert Client().get("/livez/").json() == {"status": "ok"}  # without the mark, a query would fail this test


def test_in_production_liveness_is_asked_without_tls_and_static_files_can_be_served_here() -> None:
    program = (
        "from config import settings as s; "
        "print(s.SECURE_REDIRECT_EXEMPT, s.STATIC_ROOT, s.MIDDLEWARE.index(s.WHITE_NOISE))"
    )
    environment = {
        "STAGE": "production",
        "DJANGO_SECRET_KEY": "k" * 40,
        "DJANGO_SERVE_STATIC": "True",
        "DJANGO_STATIC_ROOT": "/srv/static",
        "PYTHONPATH": f"{BACKEND.parent}:{BACKEND}",
    }
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["['^livez/$']", "/srv/static", "2"]
