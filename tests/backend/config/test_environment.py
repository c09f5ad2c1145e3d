from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from config import environment
from config.environment import read_secret

NAME = "qu-security/dev/database-url"


@pytest.fixture(autouse=True)
def _moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_SQS_REGION", "us-east-2")
    for name in ("DATABASE_URL", "DATABASE_URL_SECRET"):
        monkeypatch.delenv(name, raising=False)
    environment._fetch.cache_clear()
    with mock_aws():
        boto3.client("secretsmanager", "us-east-2").create_secret(Name=NAME, SecretString="postgresql://there\n")
        yield
    environment._fetch.cache_clear()


def test_a_secret_that_is_neither_set_nor_named_is_empty() -> None:
    assert read_secret("DATABASE_URL") == ""


def test_a_named_secret_is_read_from_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_SECRET", NAME)

    assert read_secret("DATABASE_URL") == "postgresql://there"


def test_a_set_one_wins_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_SECRET", "no-such-secret")
    monkeypatch.setenv("DATABASE_URL", "sqlite://here")

    assert read_secret("DATABASE_URL") == "sqlite://here"
