"""The service for the tests of redrive."""

from collections.abc import Iterator

import pytest

from tests.workflows.engine.redrive_service import Service


@pytest.fixture(scope="module")
def service_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("redrive"))
    yield service
    service.server.stop()
    service.store.close()


@pytest.fixture
def service(service_of_module: Service) -> Iterator[Service]:
    yield service_of_module
    service_of_module.clock.shift_ms = 0
    service_of_module.broken.clear()
    service_of_module.calls.clear()
