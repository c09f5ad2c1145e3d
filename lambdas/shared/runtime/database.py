"""The edge to the backend and its database, for the functions that need them."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from lambdas.shared.runtime.powertools import LambdaHandler
from lambdas.shared.runtime.secrets import read_secrets
from lambdas.shared.runtime.step import step
from workflows.errors import DatabaseUnavailable

_BACKEND = Path(__file__).resolve().parents[3] / "backend"


def setup_django() -> None:
    """Make the backend's apps importable and ready: at import, where Lambda gives a whole CPU. Safe to call twice."""
    if _BACKEND.is_dir() and str(_BACKEND) not in sys.path:
        sys.path.append(str(_BACKEND))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.functions")
    read_secrets()
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def database_step[Input: BaseModel, Answer: BaseModel](
    input_model: type[Input],
) -> Callable[[Callable[[Input], Answer]], LambdaHandler]:
    """Make a handler as ``step`` does, of work that needs the database: it may raise DatabaseUnavailable."""
    setup_django()
    return lambda work: step(input_model)(database_errors()(work))


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn an error of the connection into DatabaseUnavailable, and let the next attempt have a new connection.

    A function lives on between invocations and its connection with it: one that has grown too old, or
    that died meanwhile, is replaced before the first query.
    """
    from django.db import InterfaceError, OperationalError, connections

    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # a caller's transaction is the caller's to end
            connection.close_if_unusable_or_obsolete()
    try:
        yield
    except (InterfaceError, OperationalError) as error:
        connections.close_all()
        raise DatabaseUnavailable("database", f"{type(error).__name__}: {error}".strip(), "Try again.") from error
