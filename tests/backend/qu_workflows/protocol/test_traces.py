"""A task has one trace, whichever process computes it."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from qu_workflows.protocol.traces import is_sampled, segment_id_of, trace_header, trace_id_of

TASK_IDS = st.text("0123456789abcdefABCDEF-_", min_size=1, max_size=80)
TIMES = st.datetimes(datetime(2024, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  Hypothesis adds the zone


@given(TASK_IDS, TIMES, st.integers(0, 100))
def test_the_header_has_x_ray_s_form(task_id: str, at: datetime, percent: int) -> None:
    header = trace_header(task_id, at, percent, segment_id_of(task_id))

    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]", header)
    assert len(header) <= 256  # what StartExecution takes
    assert int(header[7:15], 16) == int(at.timestamp())


@given(TASK_IDS, TIMES)
def test_none_of_nothing_and_all_of_a_hundred_are_sampled(task_id: str, at: datetime) -> None:
    assert trace_header(task_id, at, 0).endswith(";Sampled=0")
    assert trace_header(task_id, at, 100).endswith(";Sampled=1")


@given(TASK_IDS, st.integers(0, 99))
def test_who_is_sampled_stays_so_when_more_are(task_id: str, percent: int) -> None:
    assert is_sampled(task_id, percent) <= is_sampled(task_id, percent + 1)


def test_about_as_many_are_sampled_as_is_asked_for() -> None:
    assert 400 < sum(is_sampled(f"task-{number}", 5) for number in range(10_000)) < 600


def test_two_tasks_of_the_same_second_have_two_traces() -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)

    assert trace_id_of("a", at) != trace_id_of("b", at)
