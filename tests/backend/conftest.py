"""Fixtures: a folder of files per test, and clients of both sides of the API."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from core.authentication import issue_api_key
from core.models import Guard
from tests.backend.incidents.making import FakeStepFunctions
from tests.backend.people import make_guard, make_user


@pytest.fixture(autouse=True)
def media_root(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "files" / "media"
    settings.MEDIA_ROOT = folder
    return folder


@pytest.fixture
def guard(db: None) -> Guard:  # noqa: ARG001  it has the database ready
    return make_guard()


@pytest.fixture
def api_key(guard: Guard) -> str:
    _key, text = issue_api_key("Mobile app", guard)
    return text


@pytest.fixture
def app(guard: Guard, api_key: str) -> APIClient:
    """The mobile app, acting for the guard."""
    return APIClient(headers={"X-Api-Key": api_key, "X-Guard-ID": str(guard.pk)})


@pytest.fixture
def staff(db: None) -> APIClient:  # noqa: ARG001  it has the database ready
    """A client of a user of the back office."""
    client = APIClient()
    client.force_authenticate(make_user("staff", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Noon in New York: 15 minutes later it is the same day."""
    moment = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)
    return moment


@pytest.fixture
def step_functions(monkeypatch: pytest.MonkeyPatch) -> FakeStepFunctions:
    """Step Functions as Django's client reaches it."""
    fake = FakeStepFunctions()
    monkeypatch.setattr("qu_workflows.aws.task_tokens.step_functions", lambda: fake)
    return fake
