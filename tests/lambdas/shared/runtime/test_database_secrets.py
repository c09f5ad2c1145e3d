"""The settings that functions read from Secrets Manager."""

import os

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.shared.runtime.database import read_secrets


@pytest.fixture(autouse=True)
def no_secret_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DJANGO_SECRET_KEY", "DATABASE_URL_SECRET", "DJANGO_SECRET_KEY_SECRET"):
        monkeypatch.setenv(name, "")


@mock_aws
def test_a_setting_is_read_from_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("secretsmanager").create_secret(Name="dev/database-url", SecretString="postgresql://one")
    monkeypatch.setenv("DATABASE_URL_SECRET", "dev/database-url")

    read_secrets()

    assert os.environ["DATABASE_URL"] == "postgresql://one"


@mock_aws
def test_a_setting_without_a_secret_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("secretsmanager").create_secret(Name="dev/django-secret-key", SecretString="key")
    monkeypatch.setenv("DATABASE_URL", "postgresql://two")
    monkeypatch.setenv("DJANGO_SECRET_KEY_SECRET", "dev/django-secret-key")

    read_secrets()

    assert (os.environ["DATABASE_URL"], os.environ["DJANGO_SECRET_KEY"]) == ("postgresql://two", "key")


def test_without_a_secret_there_is_no_request() -> None:
    class NoSecrets:
        def get_secret_value(self, **request: str) -> dict[str, str]:
            raise AssertionError(request)

    read_secrets(NoSecrets())  # type: ignore[arg-type]  # a client that must not be called


@mock_aws
def test_a_missing_secret_fails_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_SECRET", "missing/secret")

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        read_secrets()
