"""Setup of all tests of functions."""

import pytest

from lambdas.shared.runtime.aws import aws_client


@pytest.fixture(autouse=True)
def clients_of_this_test() -> None:
    aws_client.cache_clear()
