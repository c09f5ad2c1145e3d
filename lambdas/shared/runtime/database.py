"""Connects functions to the backend: Django, its database, and its secrets."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from lambdas.shared.runtime.aws import aws_client
from lambdas.shared.runtime.powertools import LambdaHandler
from lambdas.shared.runtime.settings import read_text
from lambdas.shared.runtime.step import step
from workflows.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SECRET_SETTINGS = ("DATABASE_URL", "DJANGO_SECRET_KEY")
_BACKEND = Path(__file__).resolve().parents[3] / "backend"


def setup_django() -> None:
    """Set up Django, at import, when Lambda provides a full CPU. Safe to repeat."""
    if _BACKEND.is_dir() and str(_BACKEND) not in sys.path:
        sys.path.append(str(_BACKEND))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.functions")
    read_secrets()
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def read_secrets(client: "SecretsManagerClient | None" = None) -> None:
    """Set each secret setting from the secret that <SETTING>_SECRET names, if any.

    Raises botocore's ClientError, which fails the start of the function and is retried with the next invocation.
    """
    for setting in SECRET_SETTINGS:
        if name := read_text(f"{setting}_SECRET"):
            client = client or aws_client("secretsmanager", attempts=3, connect_seconds=2, read_seconds=5)
            os.environ[setting] = client.get_secret_value(SecretId=name)["SecretString"]


def database_step[Input: BaseModel, Answer: BaseModel](
    input_model: type[Input],
) -> Callable[[Callable[[Input], Answer]], LambdaHandler]:
    """Make a handler as ``step`` does, which may also raise DatabaseUnavailable."""
    setup_django()
    return lambda work: step(input_model)(database_errors()(work))


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn connection errors into DatabaseUnavailable, and reconnect for the next attempt.

    A connection outlives an invocation: one that is too old or broken is replaced before the first query.
    """
    from django.db import InterfaceError, OperationalError, connections

    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # only the caller may end its transaction
            connection.close_if_unusable_or_obsolete()
    try:
        yield
    except (InterfaceError, OperationalError) as error:
        connections.close_all()
        raise DatabaseUnavailable("database", f"{type(error).__name__}: {error}".strip(), "Try again.") from error
