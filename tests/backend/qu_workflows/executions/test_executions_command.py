"""manage.py executions: its output, changes and exit codes."""

import json
import os
import signal
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from qu_workflows.executions import step_functions
from qu_workflows.records.models import AuditEntry, TaskRecord, TaskStatus
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.executions.test_redriving import failed
from tests.backend.qu_workflows.operated import Operated
from tests.workflows.engine.server.served import ROLE, WAIT, machine_of

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("executions", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[int, str]:
    """Run a refused command, which changes nothing; return its exit code and text."""
    before = list(TaskRecord.objects.order_by("pk").values())
    entries = AuditEntry.objects.count()
    with pytest.raises(CommandError) as raised:
        run(*arguments)
    assert list(TaskRecord.objects.order_by("pk").values()) == before
    assert AuditEntry.objects.count() == entries
    return raised.value.returncode, str(raised.value)


def test_a_list_has_one_line_per_task_and_a_hint_for_more() -> None:
    failed(pk="one", subject_id=7)
    failed(pk="two", subject_id=8, error="TemplateInvalid")

    lines = run("list", "--limit", "1").splitlines()
    rest = run("list", "--limit", "1", "--after", lines[2].removeprefix("For more: --after "))

    assert lines[0].split() == ["ID", "TASK", "STATUS", "ERROR", "REPORT", "STARTED", "DURATION", "REDRIVABLE"]
    assert lines[1].split()[:5] == ["two", "process_guard_report", "FAILED", "TemplateInvalid", "8"]
    assert lines[1].endswith("0.0 s     13 days")
    assert rest.splitlines()[1].startswith("one ")


def test_a_list_as_json_has_all_that_the_table_has() -> None:
    failed(pk="one", subject_id=7)

    found = json.loads(run("list", "--status", "failed", "aborted", "--since", "1h", "--json"))

    [task] = found["tasks"]
    assert found["next_page"] == ""
    assert (task["id"], task["status"], task["report_id"]) == ("one", "FAILED", 7)
    assert task["duration_seconds"] == 0
    assert 13.9 < task["redrivable_days_left"] <= 14


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "executions: this database has no tasks. Check DATABASE_URL."),
        (["list", "--status", "LOST"], "--status: 'LOST' does not exist. Use one of READY, SENT, RUNNING,"),
        (["list", "--workflow", "x"], "--workflow: 'x' does not exist. Use one of "),
        (["list", "--since", "noon"], "--since: 'noon' is not a time. Use a time such as 2026-11-24T08:00, or 30m"),
        (["list", "--report", "9"], "--report 9: no task matches. Remove an option, or start earlier."),
        (["list", "--limit", "0"], "--limit: is 0. Use 1 to 1,000,000."),
        (["show", "x"], "x: there is no such task. Use the id of a task or the ARN of its execution,"),
        (["show"], "executions: needs exactly one task. Add either an id or --report."),
        (["show", "x", "--report", "1"], "executions: needs exactly one task."),
        (["show", "\x00"], "'\\x00': there is no such task."),
        (["show", "\udcff"], "'\\udcff': there is no such task."),
        (["redrive", ""], "'': there is no such task."),
        (["list", "--error", "\x00"], "--error: has a character that no record can have. Remove it."),
        (["list", "--status", ""], "--status: '' does not exist. Use one of READY,"),
        (["list", "--limit", str(10**25)], "--limit: is 10000000000000000000000000. Use 1 to 1,000,000."),
        (
            ["list", "--after", "2026-11-24T08:00:00+00:00,\x00"],
            "is not the cursor of a page. Use the value printed at the end of a list.",
        ),
        (["redrive", "x", "--per-second", "0"], "--per-second: is 0; AWS allows 150 RedriveExecution per second"),
        (["redrive", "x", "--per-second", "nan"], "--per-second: is nan; AWS allows 150"),
        (["redrive", "x", "--per-second", "1e-300", "--yes"], "Give 0.01 to 150"),
        (
            ["stop", "x", "--reason", " "],
            "--reason: is empty, too long or not text. Give a reason of 1 to 1000",
        ),
        (["history", "x"], "x: there is no such task."),
        (["redrive", "x", "--yes"], "x: there is no such task."),
        (["redrive"], "executions: has no ids and no filter. Add ids, or a filter such as --since 2h."),
        (["redrive", "x", "--error", "E"], "executions: has both ids and a filter. Use one of the two."),
        (["redrive", "--since", "1h", "--yes"], "no redrivable execution matches."),
        (["redrive", "x", "--as", "n" * 150], "--as: is over "),
        (["restart", "--error", "E", "--yes"], "--error E: no restartable task matches."),
        (["stop", "x", "--reason", "r"], "x: there is no such task."),
    ],
)
def test_bad_input_is_answered_with_a_sentence_and_exit_code_2(arguments: list[str], said: str) -> None:
    code, text = refused(*arguments)

    assert (code, said in text) == (2, True), text


@pytest.mark.parametrize("action", ["redrive", "restart"])
def test_a_succeeded_execution_is_neither_redriven_nor_restarted(operated: Operated, action: str) -> None:
    record = operated.run()

    code, said = refused(action, record.pk, "--yes")

    assert (code, f"{record.pk}: it SUCCEEDED" in said, "--even-succeeded" in said) == (2, True, True)


def test_a_failed_execution_is_shown_with_its_failed_step_and_actions(operated: Operated) -> None:
    record = operated.run(3, 1)

    shown = run("show", record.pk)

    assert shown == run("show", record.execution_arn) == run("show", "--report", "7")
    facts = dict(line.split(":", 1) for line in shown.splitlines()[:14] if ":" in line)
    assert facts["Status"].strip() == "FAILED"
    assert facts["Error"].strip().startswith("Broken: ")
    assert "REDRIVABLE" in shown
    assert "redrive: continues from Work (Process 0)" in shown
    TaskRecord.objects.filter(pk=record.pk).update(status=TaskStatus.RUNNING)
    assert f"To redrive it: manage.py executions redrive {record.pk}" in run("show", record.pk)
    assert f"restart: starts {record.pk}-attempt-2 from the first state, by the current definition." in shown
    assert "A mail about the report that was sent is not sent again either way." in shown


def test_an_execution_is_shown_as_json_with_its_states(operated: Operated) -> None:
    record = operated.run(1)

    shown = json.loads(run("show", record.pk, "--json"))

    assert shown["description"]["redrive_status"] == "REDRIVABLE"
    assert shown["history"]["entries"][0]["name"] == "Load"
    assert shown["unanswered"] == ""


def test_what_waits_for_a_callback_is_shown_with_its_timeout_and_heartbeat(operated: Operated) -> None:
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
        "TimeoutSeconds": 3600,
        "HeartbeatSeconds": 600,
    }
    operated.server.functions["ask"] = lambda event: event
    machine = operated.sfn.create_state_machine(name="asks", definition=machine_of(Ask=ask), roleArn=ROLE)
    record = operated.start(machine["stateMachineArn"])
    _until(lambda: "waiting for a callback" in run("show", record.pk))

    shown = run("show", record.pk)

    assert "Ask: waiting for a callback since " in shown
    assert "(timeout 1:00:00, heartbeat 0:10:00)" in shown
    operated.sfn.stop_execution(executionArn=record.execution_arn)


def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.02)
    pytest.fail("it never came")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Step Functions has no such execution: it ended over 90 days ago, or its state machine was deleted."),
        ({"execution_arn": ""}, "it ran in this project's own process, unknown to Step Functions."),
        ({"status": "SENT", "execution_arn": ""}, "it is SENT: its execution has not started."),
    ],
)
def test_without_an_answer_of_aws_what_the_record_knows_is_shown(
    operated: Operated, changes: dict[str, str], said: str
) -> None:
    assert operated.sfn
    record = failed(ran_inline=changes == {"execution_arn": ""}, **changes)

    shown = run("show", record.pk)

    assert f"Task:         process_guard_report {record.pk}" in shown
    assert said in shown
    assert "redrive: continues" not in shown
    code, text = refused("history", record.pk)
    assert (code, said.partition(":")[0] in text) == (2, True)


def test_when_aws_is_not_reached_show_says_so_and_history_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    record = failed()

    assert "AWS:          Step Functions: was not reached" in run("show", record.pk)
    code, said = refused("history", record.pk)
    assert (code, "was not reached" in said) == (1, True)


def test_a_history_is_a_line_for_each_state_or_for_each_event(operated: Operated) -> None:
    record = operated.run(2)

    lines = run("history", record.pk).splitlines()
    events = run("history", record.pk, "--events").splitlines()
    found = json.loads(run("history", record.pk, "--json"))

    assert lines[0].split() == ["STATE", "ENTERED", "SECONDS", "TRIES", "ENDED"]
    assert lines[1].split()[0] == "Load"
    assert any(line.startswith("  Work (Process 1)") and line.endswith("failed Broken") for line in lines)
    assert " ExecutionStarted " in events[0]
    assert [int(line.split()[0]) for line in events] == list(range(1, len(events) + 1))
    assert [entry["name"] for entry in found["entries"]][:2] == ["Load", "Process"]
    assert "events" in json.loads(run("history", record.pk, "--json", "--events"))


def test_a_redrive_is_shown_first_and_done_with_yes(operated: Operated) -> None:
    record = operated.run(1, 2, 3)
    operated.broken.clear()

    preview = run("redrive", record.pk)

    assert operated.followed(record).status == TaskStatus.FAILED
    assert not AuditEntry.objects.exists()
    assert preview.startswith("Would redrive 1 executions, 20 a second (0:00:00):")
    assert f"{record.pk} guard_report Broken, 13 days left, from: Work (Process 0)" in preview
    assert "redrive: continues the same execution from its failed states" in preview
    assert "restart: starts a new execution from the first state, by the current definition" in preview
    assert preview.endswith("Nothing was changed. Add --yes to do it.\n")

    done = run("redrive", record.pk, "--yes", "--as", "ana")

    assert f"{record.pk}: redriven at " in done
    assert operated.followed(record).status == TaskStatus.SUCCEEDED
    entry = AuditEntry.objects.get()
    assert (entry.actor.partition("@")[0], entry.outcome) == ("ana", "done")
    assert f"1 redriven. In the audit table as batch {entry.batch}." in done


def test_many_are_redriven_by_filter_and_each_is_audited(operated: Operated) -> None:
    records = [operated.run(2, 3), operated.run(3), operated.run(1)]
    operated.run()
    failed(execution_arn="")
    operated.broken.clear()

    done = run("redrive", "--workflow", "guard_report", "--since", "1h", "--yes", "--per-second", "100")

    assert "1 matching tasks are left out:" in done
    assert "3 redriven." in done
    assert [operated.followed(record).status for record in records] == [TaskStatus.SUCCEEDED] * 3
    assert AuditEntry.objects.filter(outcome="done").values("batch").distinct().count() == 1
    assert AuditEntry.objects.count() == 3


def test_a_preview_names_an_execution_unknown_to_aws_and_continues(operated: Operated) -> None:
    gone, record = failed(error="Broken"), operated.run(1, machine=operated.machine(in_turn=True))

    preview = run("redrive", "--error", "Broken")

    assert f"{gone.pk} will be refused: {gone.execution_arn}: Step Functions has no such execution" in preview
    assert f"{record.pk} guard_report Broken, 13 days left, from: Work (Process 0)" in preview
    assert preview.endswith("Nothing was changed. Add --yes to do it.\n")


def test_a_pace_above_the_quota_is_exit_code_2(operated: Operated, settings: Settings) -> None:
    record = operated.run(2)

    code, said = refused("redrive", record.pk, "--yes", "--per-second", "151")

    assert (code, "AWS allows 150 RedriveExecution per second in us-east-2" in said) == (2, True)
    assert settings.AWS_REGION == "us-east-2"


def test_failures_at_aws_are_named_and_exit_with_1(operated: Operated) -> None:
    record = operated.run(2)
    gone = failed()

    with pytest.raises(CommandError, match=f"{gone.pk} was not redriven: .* no such execution") as raised:
        run("redrive", "--workflow", "guard_report", "--yes")

    assert raised.value.returncode == 1
    operated.server.runner.closed(record.execution_arn, 10)
    assert operated.sfn.describe_execution(executionArn=record.execution_arn)["redriveCount"] == 1
    assert dict(AuditEntry.objects.values_list("target", "outcome")) == {record.pk: "done", gone.pk: "refused"}


def test_ctrl_c_ends_it_between_two_and_says_what_was_done(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    older, newer = operated.run(1), operated.run(1)
    real = step_functions.redrive_execution

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr("qu_workflows.executions.redriving.redrive_execution", interrupted)
    with pytest.raises(CommandError, match=f"1 were not tried, from {older.pk} on.") as raised:
        run("redrive", "--workflow", "guard_report", "--yes")

    assert raised.value.returncode == 130
    assert list(AuditEntry.objects.values_list("target", "outcome")) == [(newer.pk, "done")]
    operated.followed(newer)
    assert operated.sfn.describe_execution(executionArn=older.execution_arn)["redriveCount"] == 0


def test_a_running_execution_is_stopped_with_its_reason(operated: Operated) -> None:
    machine = operated.sfn.create_state_machine(name="later", definition=WAIT, roleArn=ROLE)["stateMachineArn"]
    record = operated.start(machine)

    preview = run("stop", record.pk, "--reason", "wrong report")
    assert "Would stop 1 executions, which end as ABORTED:" in preview
    assert operated.sfn.describe_execution(executionArn=record.execution_arn)["status"] == "RUNNING"
    run("stop", record.pk, "--reason", "wrong report", "--yes")

    assert operated.followed(record).status == TaskStatus.ABORTED
    assert (record.error, "wrong report" in record.cause) == ("StoppedByOperator", True)
    assert "redrive: continues from Later" in run("show", record.pk)


def test_a_restart_is_shown_first_and_done_with_yes(queue: Queue) -> None:
    TaskRecord.objects.create(pk="first", task="sample_sum", workflow="run_task", payload={"first": 1}, status="FAILED",
                              enqueued_at=failed().enqueued_at)  # fmt: skip

    preview = run("restart", "first")
    assert "first sample_sum as first-attempt-2" in preview
    assert "run_task: A redrive does not call a function again that has returned" in preview
    assert queue.bodies() == []
    done = run("restart", "first", "--yes", "--as", "ana")

    assert "first: restarted as first-attempt-2\n1 restarted." in done
    assert [body["id"] for body in queue.bodies()] == ["first-attempt-2"]
    assert AuditEntry.objects.get().action == "restart_execution"
    shown = run("show", "first")
    assert "A later attempt is SENT: manage.py executions show first-attempt-2" in shown
    assert len([line for line in shown.splitlines() if line.startswith("  first")]) == 2


def test_what_would_be_done_twice_is_shown() -> None:
    failed(pk="first", status=TaskStatus.SUCCEEDED, payload={"report_id": 7})

    preview = run("restart", "first", "--even-succeeded")

    assert "as first-attempt-2, which SUCCEEDED: its work is done twice" in preview
    assert not TaskRecord.objects.filter(attempt_of="first").exists()
