"""One stack in moto for all of these tests, empty before each."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.deploy.rights.asking import Asking
from tests.deploy.rights.judging import Judge
from tests.deploy.rights.stack import Stack, forget_clients, names, stand_up


@pytest.fixture(scope="package")
def _stack() -> Iterator[Stack]:
    forget_clients()
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        yield stand_up(Judge(Asking(names()), patch))
    forget_clients()


@pytest.fixture
def stack(_stack: Stack) -> Stack:
    _stack.empty()
    _stack.judge.forget_answers()
    return _stack
