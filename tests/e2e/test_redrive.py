"""A redriven execution continues from its failed state, and its record follows."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.local.aws.stand_in import ENGINE, chosen_step_functions
from deploy.local.demo.flaky import FAIL, WAITS_MARK, word_key
from tests.e2e.conftest import WholePath, eventually
from tests.e2e.refusal import ERROR, MARK, accept_files, refuse_files

# No report has this id until the test makes one.
REPORT_ID = 4_000_000_000


@pytest.fixture(autouse=True, scope="module")
def _on_the_engine() -> None:
    assert chosen_step_functions() == ENGINE, "ministack cannot redrive: run this with STEP_FUNCTIONS=engine"


def redrive(path: WholePath, task_id: str) -> None:
    """Redrive by the operator's command, and see that it and the record know of it."""
    ran = path.manage("executions", "redrive", task_id, "--yes")

    assert ran.code == 0, ran
    assert path.finished(task_id).status == "SUCCEEDED"
    query = "SELECT redrive_count, error FROM executions_taskrecord WHERE id = %s AND status = 'SUCCEEDED'"
    assert eventually(lambda: path.rows(query, task_id), "the redrive to be recorded") == [(1, "")]


def test_a_failed_execution_can_be_redriven_once_its_cause_is_fixed(path: WholePath) -> None:
    code = f"import json; from common.tasks import *; print(json.dumps(process_guard_report.enqueue({REPORT_ID}).id))"
    task_id = str(path.in_django(code))
    failed = path.finished(task_id)
    assert (failed.status, path.recorded(task_id)) == ("FAILED", "FAILED")
    assert failed.failed_tries == ["ReportNotFound"]

    path.in_django(
        "from core.models import Guard; from reports.models import GuardReport;"
        f"GuardReport.objects.create(pk={REPORT_ID}, guard=Guard.objects.first()); print(1)"
    )

    redrive(path, task_id)


@contextmanager
def refusing(path: WholePath) -> Iterator[None]:
    refuse_files(path.stack.database_url)
    try:
        yield
    finally:
        accept_files(path.stack.database_url)


def test_a_redrive_of_the_third_step_does_not_repeat_the_first_two(path: WholePath) -> None:
    with refusing(path):
        answer = path.send_report((f"{MARK}.jpg", "coffee.jpg"), "gravel.webp")
        task_id = answer["async_processing"]["task_id"]
        failed = path.finished(task_id)
        assert (failed.status, path.recorded(task_id)) == ("FAILED", "FAILED")
    assert set(failed.failed_tries) == {ERROR}
    steps = ("load_report", "inspect_file", "make_thumbnails", "record_report")
    before = {function: path.steps_done(function, task_id) for function in steps}
    assert before == {"load_report": 1, "inspect_file": 2, "make_thumbnails": 2, "record_report": 0}

    redrive(path, task_id)

    after = {function: path.steps_done(function, task_id) for function in steps}
    assert after == before | {"record_report": 1}
    entered = Counter(
        event["stateEnteredEventDetails"]["name"]
        for event in path.history(failed.arn)
        if "stateEnteredEventDetails" in event
    )
    assert (entered["Load Report"], entered["Process Files"], entered["Inspect File"]) == (1, 1, 2)
    assert path.rows("SELECT status FROM reports_reportfile WHERE report_id = %s", answer["id"]) == [("accepted",)] * 2


def test_one_of_three_iterations_of_a_map_that_failed_is_redriven_alone(path: WholePath) -> None:
    name = f"{WAITS_MARK}.jpg"

    def say(word: str) -> None:
        path.stack.aws.s3.put_object(Bucket=path.stack.outputs["BucketName"], Key=word_key(name), Body=word.encode())

    answer = path.send_report("photographer.jpg", (name, "coffee.jpg"), "gravel.webp")
    task_id = answer["async_processing"]["task_id"]
    arn = path.arn(task_id, "guard_report")
    eventually(lambda: path.has_started(task_id, "guard_report"), "the execution to start")

    def count_of(end: str) -> int:
        details = [event.get(f"mapIteration{end}EventDetails", {}) for event in path.history(arn)]
        return [one.get("name") for one in details].count("Process Files")

    # An iteration that fails aborts those that still run, and they would have to be redriven too.
    eventually(lambda: count_of("Succeeded") == 2, "the other iterations to succeed")
    say(FAIL)
    failed = path.finished(task_id)
    assert (failed.status, failed.failed_tries, path.recorded(task_id)) == ("FAILED", ["PayloadInvalid"], "FAILED")
    assert (count_of("Failed"), count_of("Succeeded")) == (1, 2)
    assert (path.steps_done("inspect_file", task_id), path.steps_done("make_thumbnails", task_id)) == (3, 2)

    say("work")
    redrive(path, task_id)

    assert count_of("Succeeded") == 3
    assert (path.steps_done("inspect_file", task_id), path.steps_done("make_thumbnails", task_id)) == (3, 3)
    assert (path.steps_done("load_report", task_id), path.steps_done("record_report", task_id)) == (1, 1)
