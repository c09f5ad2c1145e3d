"""Every test of the reports has a folder of its own for files, and clients for both sides of the API."""

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from core.api_keys import issue_api_key
from core.models import Guard
from tests.backend.people import make_guard, make_user


@pytest.fixture(autouse=True)
def media_root(settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "files" / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def guard(db) -> Guard:
    return make_guard()


@pytest.fixture
def api_key(db) -> str:
    _key, text = issue_api_key("Mobile app")
    return text


@pytest.fixture
def app(guard: Guard, api_key: str) -> APIClient:
    """The mobile app, acting for the guard."""
    return APIClient(headers={"X-Api-Key": api_key, "X-Guard-ID": str(guard.pk)})


@pytest.fixture
def staff(db) -> APIClient:
    """Somebody of the back office."""
    client = APIClient()
    client.force_authenticate(make_user("staff", is_staff=True))
    return client
