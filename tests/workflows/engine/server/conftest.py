"""A server, and boto3 clients of it."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from tests.workflows.engine.server.served import ACCOUNT, PASS, ROLE, Server

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def sfn(server: Server) -> "SFNClient":
    return boto3.client(
        "stepfunctions",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="secret",
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, parameter_validation=False),
    )


@pytest.fixture
def create(sfn: "SFNClient", request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Create a machine with a unique name, and return the API's answer."""

    def create_machine(definition: str = PASS, **more: Any) -> dict[str, Any]:
        name = f"{request.node.originalname[:60]}-{next(NUMBERS)}"
        return dict(sfn.create_state_machine(**{"name": name, "definition": definition, "roleArn": ROLE, **more}))

    return create_machine


@pytest.fixture
def closed(sfn: "SFNClient", server: Server) -> Callable[[str], dict[str, Any]]:
    """Wait until an execution has closed, and return its description."""

    def wait(arn: str) -> dict[str, Any]:
        server.runner.closed(arn, 10)
        return dict(sfn.describe_execution(executionArn=arn))

    return wait
