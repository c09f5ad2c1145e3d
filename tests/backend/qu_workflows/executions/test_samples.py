"""Samples of histories, read through the engine's API, and their statistics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.aws.pacing import Pace
from qu_workflows.executions import samples
from qu_workflows.executions.histories import read_history
from qu_workflows.executions.samples import (
    Sample,
    SampledEntry,
    edge_counts,
    keep_sample,
    remove_old_samples,
    sample_of,
    step_statistics,
    write_sample,
)
from qu_workflows.executions.samples import sample_histories as sample_now
from qu_workflows.executions.step_functions import history_of
from qu_workflows.executions.tasks import sample_histories
from qu_workflows.records.models import ExecutionSample, TaskRecord, TaskStatus
from tests.backend.qu_workflows.executions.test_histories import STARTED, Listed, entered, exited, history
from tests.backend.qu_workflows.operated import Operated

pytestmark = pytest.mark.django_db(transaction=True)

AT_AWS = "arn:aws:states:us-east-2:123456789012:execution:m:"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
FAST = Pace(10_000)


def entry(state: str = "Load", seconds: float | None = 1.0, **changes: Any) -> SampledEntry:
    base = SampledEntry(state=state, kind="Task", seconds=seconds, tries=1, outcome="SUCCEEDED", waits=False)
    return base | changes  # type: ignore[return-value]


def ended(workflow: str = "guard_report", at: datetime | None = None, **changes: Any) -> TaskRecord:
    """Return the record of an execution that has ended at AWS."""
    at = at or timezone.now()
    values: dict[str, Any] = {
        "task": "process_guard_report",
        "workflow": workflow,
        "status": TaskStatus.SUCCEEDED,
        "enqueued_at": at,
        "finished_at": at,
    } | changes
    record = TaskRecord(**values)
    record.execution_arn = changes.get("execution_arn", AT_AWS + record.pk)
    record.save(force_insert=True)
    return record


def sampled(
    *entries: SampledEntry, workflow: str = "guard_report", minutes_ago: int = 0, **edges: dict[str, int]
) -> TaskRecord:
    record = ended(workflow, NOW - timedelta(minutes=minutes_ago))
    taken = {(source, target): count for source, targets in edges.items() for target, count in targets.items()}
    write_sample(record, Sample(entries, taken), 0, NOW - timedelta(minutes=minutes_ago))
    return record


def test_a_sample_has_entries_and_edges_inside_and_around_a_map(operated: Operated) -> None:
    record = operated.run()

    kept = sample_of(history_of(record.execution_arn))

    assert [(one["state"], one["kind"], one["tries"], one["outcome"]) for one in kept.entries] == [
        ("Load", "Task", 1, "SUCCEEDED"),
        ("Process", "Map", 1, "SUCCEEDED"),
        *[("Work", "Task", 1, "SUCCEEDED")] * 3,
        ("Finish", "Task", 1, "SUCCEEDED"),
    ]
    assert kept.edges == {("Load", "Process"): 1, ("Process", "Finish"): 1}


def test_an_edge_that_an_error_took_is_counted_as_any_other() -> None:
    found = history(
        STARTED,
        entered("Load", 0),
        ("LambdaFunctionScheduled", 2, {}),
        ("LambdaFunctionFailed", 3, {"error": "Lost"}),
        exited("Load", 4),
        entered("Note", 5, "Pass"),
        exited("Note", 6, "Pass"),
        ("ExecutionSucceeded", 7, {}),
    )

    kept = sample_of(found)

    assert kept.edges == {("Load", "Note"): 1}
    assert [(one["state"], one["seconds"], one["outcome"]) for one in kept.entries] == [
        ("Load", 3.0, "CAUGHT"),
        ("Note", 1.0, "SUCCEEDED"),
    ]


def test_a_state_waiting_for_a_callback_is_marked() -> None:
    found = history(
        STARTED,
        entered("Ask", 0),
        ("TaskScheduled", 2, {"resource": "invoke.waitForTaskToken", "resourceType": "lambda"}),
        ("TaskSubmitted", 3, {"resource": "invoke.waitForTaskToken"}),
        ("TaskSucceeded", 4, {"resource": "invoke.waitForTaskToken"}),
        exited("Ask", 5),
        ("ExecutionSucceeded", 6, {}),
    )

    assert [one["waits"] for one in sample_of(found).entries] == [True]


@pytest.mark.parametrize("is_instant", [False, True])
def test_an_entry_that_was_redriven_has_no_time(operated: Operated, *, is_instant: bool) -> None:
    record = operated.run(2, machine=operated.machine(in_turn=True))
    operated.broken.clear()
    operated.sfn.redrive_execution(executionArn=record.execution_arn)
    operated.followed(record)
    events: list[Any] = list(operated.sfn.get_execution_history(executionArn=record.execution_arn)["events"])
    if is_instant:
        events = [event | {"timestamp": NOW} for event in events]

    kept = {(one["state"], one["outcome"]): one["seconds"] is None for one in sample_of(read_history(events)).entries}

    assert kept[("Process", "SUCCEEDED")]
    assert not kept[("Load", "SUCCEEDED")]


def test_a_few_of_a_thousand_iterations_represent_outcomes_and_times() -> None:
    listed: list[Listed] = [STARTED, entered("Process", 0, "Map"), ("MapStateStarted", 2, {})]
    for index in range(1000):
        listed.append(("MapIterationStarted", 3, {"index": index, "name": "Process"}))
        listed.append(entered("Work", len(listed)))
        listed.append(("LambdaFunctionScheduled", len(listed), {}))
        if index % 10 == 0:
            listed.append(("LambdaFunctionFailed", len(listed), {"error": "Lost"}))
        listed.append(exited("Work", len(listed)))
    listed += [("MapStateSucceeded", len(listed), {}), exited("Process", len(listed) + 1, "Map")]
    listed.append(("ExecutionSucceeded", len(listed), {}))

    work = [one for one in sample_of(history(*listed)).entries if one["state"] == "Work"]

    assert len(work) == 20
    assert sum(one["outcome"] == "CAUGHT" for one in work) == 2


def test_a_sample_is_kept_once_and_replaced_after_a_redrive(operated: Operated) -> None:
    record = operated.run(2)
    failed = history_of(record.execution_arn)
    assert [keep_sample(record, failed), keep_sample(record, failed)] == [True, False]
    operated.broken.clear()
    operated.sfn.redrive_execution(executionArn=record.execution_arn)
    record = operated.followed(record)

    assert keep_sample(record, history_of(record.execution_arn))

    sample = ExecutionSample.objects.get()
    assert (sample.redrive_count, sample.workflow) == (1, "guard_report")
    assert sample.edges == {"Load": {"Process": 1}, "Process": {"Finish": 1}}


def test_of_an_execution_that_runs_there_is_no_sample() -> None:
    assert not keep_sample(ended(), history(STARTED, entered("Load", 0)))
    assert not ExecutionSample.objects.exists()


def test_statistics_count_all_entries_of_a_state() -> None:
    sampled(entry(seconds=1.0), entry(seconds=3.0, tries=3), entry(seconds=5.0, outcome="FAILED"))
    sampled(entry(seconds=None, outcome="CAUGHT", tries=2), entry("Other", seconds=9.0, outcome="ABORTED"))

    [load] = step_statistics("guard_report")

    assert (load.state, load.executions, load.entries) == ("Load", 2, 4)
    assert [load.p50_seconds, load.p95_seconds] == pytest.approx([3.0, 4.8])
    assert (load.tries, load.failed_share) == (1.75, 0.5)


def test_statistics_of_every_workflow_are_of_the_newest_of_each(django_assert_num_queries: Any) -> None:
    for minutes in range(4):
        sampled(entry(seconds=float(minutes)), minutes_ago=minutes)
        sampled(entry("Send Email", seconds=10.0 + minutes), workflow="notification_email", minutes_ago=minutes)

    with django_assert_num_queries(1):
        found = step_statistics(samples=2)

    assert [(one.workflow, one.state, one.executions, one.p50_seconds) for one in found] == [
        ("guard_report", "Load", 2, 0.5),
        ("notification_email", "Send Email", 2, 10.5),
    ]


def test_edges_are_summed_over_the_newest_samples_that_are_not_empty() -> None:
    sampled(entry(), minutes_ago=9, Load={"Elsewhere": 7})
    sampled(entry(), minutes_ago=1, Load={"Process": 1, "Note": 2})
    sampled(entry(), Load={"Process": 1})
    sampled(minutes_ago=0)

    counted = edge_counts("guard_report", samples=2)

    assert counted.executions == 2
    assert counted.taken == {("Load", "Process"): 2, ("Load", "Note"): 2}


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [
        ([7.0], 7.0, 7.0),
        ([1.0, 3.0], 2.0, 2.9),
        ([3.0, 1.0, 2.0], 2.0, 2.9),
        ([float(n) for n in range(101)], 50.0, 95.0),
    ],
)
def test_a_percentile_is_between_its_neighbours(values: list[float], p50: float, p95: float) -> None:
    for seconds in values:
        sampled(entry(seconds=seconds))

    [figures] = step_statistics("guard_report")

    assert (figures.p50_seconds, figures.p95_seconds) == pytest.approx((p50, p95))


def test_the_oldest_samples_of_a_workflow_go_and_those_of_another_stay() -> None:
    kept = [sampled(entry(), minutes_ago=minutes).pk for minutes in range(5)][:2]
    rare = sampled(entry(), workflow="daily_report_digest", minutes_ago=9).pk

    assert remove_old_samples(kept=2) == 3
    assert set(ExecutionSample.objects.values_list("pk", flat=True)) == {*kept, rare}


def test_a_run_samples_what_has_no_sample_or_was_redriven_since(operated: Operated) -> None:
    new, old = operated.run(), operated.run(2)
    keep_sample(old, history_of(old.execution_arn))
    known = operated.run()
    keep_sample(known, history_of(known.execution_arn))
    operated.broken.clear()
    operated.sfn.redrive_execution(executionArn=old.execution_arn)
    operated.followed(old)
    ended(execution_arn="arn:aws:states:local:000000000000:execution:guard_report:x")

    done = sample_now(FAST)

    assert done == {"sampled": 2, "calls": 2, "gone": 0, "unread": 0, "removed": 0, "ended_early": ""}
    assert dict(ExecutionSample.objects.values_list("pk", "redrive_count")) == {new.pk: 0, known.pk: 0, old.pk: 1}
    assert sample_now(FAST)["calls"] == 0


@pytest.mark.usefixtures("operated")
def test_an_execution_that_aws_has_no_more_is_asked_for_once() -> None:
    ended(execution_arn="arn:aws:states:eu-west-1:123456789012:execution:m:gone")

    assert sample_now(FAST)["gone"] == 1
    assert sample_now(FAST)["calls"] == 0
    assert step_statistics() == []


class Asked:
    """GetExecutionHistory of an ended execution, throttled from a given call on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, throttled_from: int = 10_000) -> None:
        self.arns: list[str] = []
        self._throttled_from = throttled_from
        client = aws.step_functions()
        monkeypatch.setattr(client, "_make_api_call", self._answer)

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        assert operation == "GetExecutionHistory"
        if len(self.arns) >= self._throttled_from:
            error = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}
            raise ClientError(error, operation)  # type: ignore[arg-type]
        self.arns.append(given["executionArn"])
        kinds = ("ExecutionStarted", "ExecutionSucceeded")
        return {
            "events": [{"id": n, "previousEventId": n - 1, "type": t, "timestamp": NOW} for n, t in enumerate(kinds, 1)]
        }


def test_a_run_alternates_workflows_and_ends_at_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for minutes in range(80):
        ended(at=NOW - timedelta(minutes=minutes), pk=f"report-{minutes:02}")
    ended("notification_email", NOW - timedelta(days=3), pk="mail-00")
    asked = Asked(monkeypatch)

    done = sample_now(FAST)

    assert (done["calls"], done["sampled"]) == (60, 60)
    asked_for = [arn.rpartition(":")[2] for arn in asked.arns]
    assert asked_for == ["report-00", "mail-00", *(f"report-{number:02}" for number in range(1, 59))]


def test_a_throttled_run_ends_and_keeps_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        ended()
    Asked(monkeypatch, throttled_from=2)

    done = sample_now(FAST)

    assert (done["sampled"], done["calls"]) == (2, 2)
    assert "throttled the call" in done["ended_early"]


def test_an_unreadable_history_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ended(at=NOW)
    ended(at=NOW - timedelta(minutes=1))
    Asked(monkeypatch)
    read = iter([ValueError("an event of a kind to come"), None])

    def failing_once(_events: Any) -> Any:
        if error := next(read):
            raise error
        return history(STARTED, ("ExecutionSucceeded", 1, {}))

    monkeypatch.setattr(samples, "read_history", failing_once)

    done = sample_now(FAST)

    assert (done["unread"], done["sampled"]) == (1, 1)


def test_the_task_of_the_schedule_returns_what_it_did() -> None:
    assert sample_histories.call() == {
        "sampled": 0,
        "calls": 0,
        "gone": 0,
        "unread": 0,
        "removed": 0,
        "ended_early": "",
    }
