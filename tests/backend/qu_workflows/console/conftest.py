"""Fixtures of the console: workflows on a served engine, queues, empty caches."""

from collections.abc import Iterator

import pytest
from moto import mock_aws
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.dead_letters import queries as dead_letter_queries
from qu_workflows.dead_letters import receiving
from qu_workflows.executions.queries import clear_snapshots
from qu_workflows.schedules.deployed import forget_deployed_states
from tests.backend.qu_workflows.console.running import Workflows
from tests.backend.qu_workflows.dead_letter_queues import DeadLetterQueue, make_queues


@pytest.fixture(autouse=True)
def _new_clients() -> Iterator[None]:
    aws.forget_clients()
    clear_snapshots()
    dead_letter_queries.forget_all()
    forget_deployed_states()
    yield
    aws.forget_clients()


@pytest.fixture(scope="package")
def _served_workflows() -> Iterator[Workflows]:
    served = Workflows()
    served.server.start()
    yield served
    served.server.stop()


@pytest.fixture
def workflows(
    _served_workflows: Workflows,
    transactional_db: None,  # noqa: ARG001  another thread has to see what is written
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workflows]:
    """The project's workflows at Step Functions, followed by task records."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", _served_workflows.server.url)
    _served_workflows.begin()
    yield _served_workflows
    _served_workflows.end()


@pytest.fixture
def dead_letters(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadLetterQueue]:
    """Both queues, at an endpoint that has no moves of its own."""
    monkeypatch.setattr(receiving, "WAIT_SECONDS", 0)  # moto is one server, and has no false empty answers
    with mock_aws():
        yield make_queues(settings)
