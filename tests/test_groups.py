"""The run itself: what is marked to share a worker does."""

import os

import pytest


@pytest.mark.xdist_group("a group")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="Only a run by several workers has groups.")
def test_an_xdist_group_is_part_of_the_test_id(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@a group")
