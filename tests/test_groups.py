"""The run itself: what is marked to share a worker does."""

import os

import pytest


@pytest.mark.xdist_group("a group")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="Only a run by several workers has groups.")
def test_a_group_is_a_part_of_the_name_by_which_tests_are_given_to_workers(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@a group")
