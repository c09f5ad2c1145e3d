"""The policy agrees with itself as a database condition, and with the engine's own decision."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asl_engine import RedriveStatus, redrivability
from qu_workflows.executions.redrivability import (
    REDRIVABLE_DAYS,
    at_step_functions,
    is_at_step_functions,
    redrivable,
    redrivable_until,
    why_not_redrivable,
)
from qu_workflows.executions.step_functions import Description
from qu_workflows.records.models import TaskRecord, TaskStatus

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT_AWS = "arn:aws:states:us-east-2:123456789012:execution:m:"
ENDED = (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.ABORTED)
_numbers = count()
# Around the end of the 14 days to the microsecond, and at any other time.
AGES = st.one_of(
    st.integers(-2, 2).map(lambda microseconds: timedelta(days=REDRIVABLE_DAYS, microseconds=microseconds)),
    st.timedeltas(timedelta(0), timedelta(days=40)),
)


@st.composite
def records(draw: st.DrawFn, statuses: tuple[str, ...] = tuple(TaskStatus)) -> TaskRecord:
    number = next(_numbers)
    arn = draw(st.sampled_from([f"{AT_AWS}{number}", "", f"arn:aws:states:local:0:execution:m:{number}"]))
    age = draw(st.none() | AGES)
    return TaskRecord(
        pk=f"t-{number}",
        task="t",
        workflow="guard_report",
        status=draw(st.sampled_from(statuses)),
        execution_arn=arn,
        enqueued_at=NOW - timedelta(days=60),
        started_at=NOW - timedelta(days=50),
        finished_at=None if age is None else NOW - age,
    )


def described(status: str, age: timedelta, *, history_length: int = 10, is_child: bool = False) -> Description:
    """Return an execution as the engine describes it."""
    stopped_at = None if status == "RUNNING" else NOW - age
    found, reason = redrivability(
        status=status,
        start_ms=round((NOW - timedelta(days=50)).timestamp() * 1000),
        stop_ms=round(stopped_at.timestamp() * 1000) if stopped_at else None,
        now_ms=round(NOW.timestamp() * 1000),
        history_length=history_length,
        is_map_run_child=is_child,
    )
    return Description(
        arn=f"{AT_AWS}x",
        status=status,
        started_at=NOW - timedelta(days=50),
        stopped_at=stopped_at,
        redrive_count=0,
        redriven_at=None,
        redrive_status=found,
        redrive_status_reason=reason or "",
        version_arn="",
        error="",
        cause="",
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records(), min_size=1, max_size=20))
def test_the_database_chooses_the_records_that_the_predicate_chooses(given_records: list[TaskRecord]) -> None:
    with transaction.atomic():
        TaskRecord.objects.bulk_create(given_records)
        chosen = set(TaskRecord.objects.filter(redrivable(NOW)).values_list("pk", flat=True))
        at_aws = set(TaskRecord.objects.filter(at_step_functions()).values_list("pk", flat=True))
        transaction.set_rollback(True)

    assert chosen == {one.pk for one in given_records if why_not_redrivable(one, NOW) is None}
    assert at_aws == {one.pk for one in given_records if is_at_step_functions(one)}


@given(records(), st.integers(-3, 3))
def test_until_then_and_no_longer_it_is_redrivable(record: TaskRecord, microseconds: int) -> None:
    until = redrivable_until(record)
    if until is None:
        assert why_not_redrivable(record, NOW) is not None
    else:
        moment = until + timedelta(microseconds=microseconds)
        assert (why_not_redrivable(record, moment) is None) == (microseconds <= 0)


@given(st.sampled_from(ENDED), st.integers(0, 40 * 86_400_000))
def test_a_record_at_step_functions_is_decided_as_the_engine_decides(status: str, milliseconds: int) -> None:
    age = timedelta(milliseconds=milliseconds)
    record = TaskRecord(pk="x", status=status, execution_arn=f"{AT_AWS}x", finished_at=NOW - age)

    assert (why_not_redrivable(record, NOW) is None) == (described(status, age).redrive_status == "REDRIVABLE")


@given(
    st.sampled_from((*ENDED, TaskStatus.RUNNING)),
    AGES,
    st.sampled_from([10, 24_998, 24_999]),
    st.booleans(),
    records((TaskStatus.RUNNING, TaskStatus.FAILED)),
)
def test_what_the_engine_says_goes_before_what_the_record_says(
    status: str, age: timedelta, history_length: int, is_child: bool, record: TaskRecord
) -> None:
    record.execution_arn, record.finished_at = f"{AT_AWS}x", NOW
    description = described(status, age, history_length=history_length, is_child=is_child)

    why = why_not_redrivable(record, NOW, description)

    assert (why is None) == (description.redrive_status == RedriveStatus.REDRIVABLE)


def test_the_reason_of_aws_is_given_with_what_to_do() -> None:
    record = TaskRecord(pk="x", status=TaskStatus.FAILED, execution_arn=f"{AT_AWS}x", finished_at=timezone.now())

    why = why_not_redrivable(record, timezone.now(), described("FAILED", timedelta(0), history_length=25_000))

    assert str(why) == (
        "x: AWS does not redrive it: Execution history event limit exceeded. Restart it: manage.py executions restart."
    )
