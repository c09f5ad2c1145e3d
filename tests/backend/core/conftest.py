"""A signed-in user of the back office."""

import pytest
from rest_framework.test import APIClient

from tests.backend.people import make_user


@pytest.fixture
def staff(db: None) -> APIClient:  # noqa: ARG001  it has the database ready
    client = APIClient()
    client.force_authenticate(make_user("staff", is_staff=True, is_superuser=True))
    return client
