"""Limits of a history's length and of an execution's duration."""

from asl_engine.core.execution import Status
from tests.workflows.engine.core.drive import START_MS, Drive, Failure, machine, task

FULL = {
    "error": "States.Runtime",
    "cause": "The execution reached the maximum number of history events (25000).",
}


def steps(before: int, *, express: bool = False) -> Drive:
    """Return an execution with a number of Pass states before its last one."""
    states = [(f"P{number}", {"Type": "Pass"}) for number in range(before)]
    return Drive(machine(*states, ("Last", {"Type": "Pass"})), {}, express=express).start()


def test_an_execution_that_never_ends_fails_by_its_25000th_event() -> None:
    loop = {"StartAt": "Loop", "States": {"Loop": {"Type": "Pass", "Next": "Loop"}}}
    drive = Drive(loop).start()

    assert (drive.last.id, drive.last.previous_id, drive.last.type) == (25_000, 24_999, "ExecutionFailed")
    assert drive.last.details == FULL
    assert (drive.execution.error, drive.execution.cause) == (FULL["error"], FULL["cause"])


def test_the_25000th_event_may_be_a_success() -> None:
    drive = steps(12_498)  # 1 + 2 * 12,499 events before the one that closes it

    assert (drive.last.id, drive.last.type) == (25_000, "ExecutionSucceeded")


def test_a_failure_as_the_25000th_event_reports_the_full_history() -> None:
    states = [(f"P{number}", {"Type": "Pass"}) for number in range(12_497)]
    drive = Drive(machine(*states, ("Do", task())), tasks={"Do": [Failure("Bad")]}).start()

    assert [event.type for event in drive.history[-2:]] == ["LambdaFunctionFailed", "ExecutionFailed"]
    assert (drive.last.id, drive.last.details) == (25_000, FULL)


def test_an_express_history_has_no_such_limit() -> None:
    assert steps(12_600, express=True).status is Status.SUCCEEDED


def test_an_express_execution_times_out_after_five_minutes() -> None:
    drive = Drive(machine(("Later", {"Type": "Wait", "Seconds": 301})), express=True).start()

    assert (drive.status, drive.execution.stop_ms) == (Status.TIMED_OUT, START_MS + 300_000)


def test_a_longer_timeout_of_an_express_machine_changes_nothing() -> None:
    later = machine(("Later", {"Type": "Wait", "Seconds": 500}), TimeoutSeconds=400)

    assert Drive(later, express=True).start().execution.stop_ms == START_MS + 300_000


def test_an_event_after_a_year_ends_the_execution() -> None:
    year = 365 * 86_400
    within = Drive(machine(("Later", {"Type": "Wait", "Seconds": year}))).start()
    beyond = Drive(machine(("Later", {"Type": "Wait", "Seconds": year + 1}))).start()

    assert (within.status, beyond.status) == (Status.SUCCEEDED, Status.TIMED_OUT)
