"""The rendered files match the code; the rest of the template is unchanged."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.template.cloudformation import TEMPLATE_FILE, read_template
from qu_workflows.protocol.contract import Contract
from qu_workflows.protocol.message import read_message
from qu_workflows.protocol.schedule import Schedule
from workflows import render
from workflows.project import PROJECT
from workflows.render import BEGIN, END, RegionMissing, logical_id_of, with_schedules
from workflows.schedules import SCHEDULES

ROOT = Path(__file__).parents[2]
TEMPLATE = f"Resources:\n  # mine\n  Queue: {{ Type: AWS::SQS::Queue }}\n\n{BEGIN}  Old: 1\n{END}\nOutputs: {{ }}\n"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def test_the_files_are_what_the_code_says() -> None:
    # A separate process, since the stepfunctions SDK warns at import.
    done = subprocess.run(
        [sys.executable, "-m", "workflows.render", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_edited_by_hand_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text('{"Comment": "by hand"}\n')

    assert '+{"Comment": "rendered"}' in render.differences({"tasks.json": '{"Comment": "rendered"}\n'}, tmp_path)


def test_a_missing_or_stale_machine_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "state_machines").mkdir()
    (tmp_path / "state_machines" / "gone.asl.json").write_text("{}\n")

    diff = render.differences({"state_machines/new.asl.json": "[]\n"}, tmp_path)

    assert "-{}" in diff
    assert "+[]" in diff


def test_writing_removes_differences_and_stale_machines(tmp_path: Path) -> None:
    gone = tmp_path / "state_machines" / "gone.asl.json"
    gone.parent.mkdir()
    gone.write_text("{}\n")
    rendered = {
        f"state_machines/{workflow}.asl.json": render.to_text({"StartAt": workflow}) for workflow in PROJECT.workflows
    }

    render.write(rendered, tmp_path)

    assert render.differences(rendered, tmp_path) == ""
    assert not gone.exists()


def test_a_file_is_indented_by_two_and_ends_with_a_newline() -> None:
    assert render.to_text({"Comment": "año", "States": {}}) == '{\n  "Comment": "año",\n  "States": {}\n}\n'


def test_an_unsupported_keyword_of_a_contract_is_refused() -> None:
    class Choosy(Contract):
        color: Literal["red", "green"]

    with pytest.raises(ValueError, match=r"Choosy\.color: enum is not supported"):
        render.parameters_of(Choosy)


def rendered(schedule: Schedule) -> dict[str, object]:
    """Return a schedule's properties as in the template, without its short forms."""
    text = with_schedules(TEMPLATE, [schedule]).replace("!Ref ", "").replace("!GetAtt ", "").replace("!Sub ", "")
    properties: dict[str, object] = yaml.safe_load(text)["Resources"][logical_id_of(schedule.name)]["Properties"]
    return properties


def test_the_template_outside_the_region_is_unchanged() -> None:
    text = with_schedules(TEMPLATE, SCHEDULES)

    assert text.partition(BEGIN)[0] == TEMPLATE.partition(BEGIN)[0]
    assert text.partition(END)[2] == TEMPLATE.partition(END)[2]
    assert "Old: 1" not in text


def test_rendering_again_changes_nothing() -> None:
    text = with_schedules(TEMPLATE, SCHEDULES)

    assert with_schedules(text, SCHEDULES) == text


@pytest.mark.parametrize("template", ["", BEGIN, END + BEGIN, (BEGIN + END) * 2, BEGIN + END + END])
def test_a_template_without_exactly_one_region_is_refused(template: str) -> None:
    with pytest.raises(RegionMissing, match="Put these two lines among its resources"):
        with_schedules(template, SCHEDULES)


@given(texts, st.dictionaries(texts, texts, max_size=3))
def test_any_text_of_a_schedule_survives_yaml(description: str, payload: dict[str, str]) -> None:
    properties = rendered(replace(SCHEDULES[0], description=description, payload=payload))

    assert properties["Description"] == description
    target = properties["Target"]
    assert isinstance(target, dict)
    assert json.loads(target["Input"])["payload"] == payload


@pytest.mark.parametrize("name", ["null", "on", "no", "e1"])
def test_a_name_that_is_a_yaml_keyword_stays_a_name(name: str) -> None:
    assert rendered(replace(SCHEDULES[0], name=name))["Name"] == name


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_the_template_has_each_schedule_and_its_message(schedule: Schedule) -> None:
    properties = read_template(TEMPLATE_FILE)["Resources"][logical_id_of(schedule.name)]["Properties"]
    target = properties["Target"]
    sent = target["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-24T12:00:00Z")

    assert read_message(sent, "unused").task == schedule.task
    assert properties["ScheduleExpression"] == schedule.expression
    assert properties["ScheduleExpressionTimezone"] == schedule.time_zone
    assert properties["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0) == schedule.flexible_window_minutes
    assert properties["FlexibleTimeWindow"]["Mode"] in ("OFF", "FLEXIBLE")
    assert properties["State"] == {"Ref": "SchedulesState"}
    assert properties["GroupName"] == {"Ref": "Schedules"}
    assert target["Arn"] == {"Fn::GetAtt": ["TasksQueue", "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [schedule.dead_letter_queue, "Arn"]}}
    assert target["RetryPolicy"] == {
        "MaximumRetryAttempts": schedule.retry_policy.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": schedule.retry_policy.maximum_event_age_seconds,
    }


def test_the_scheduler_may_send_to_each_dead_letter_queue() -> None:
    [policy] = read_template()["Resources"]["SchedulerRole"]["Properties"]["Policies"]
    [statement] = [one for one in policy["PolicyDocument"]["Statement"] if one["Action"] == "sqs:SendMessage"]

    for schedule in SCHEDULES:
        assert {"Fn::GetAtt": [schedule.dead_letter_queue, "Arn"]} in statement["Resource"]


def test_an_invalid_schedule_is_reported_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = (replace(SCHEDULES[0], expression="cron(0 7 * * * *)"), replace(SCHEDULES[1], task="none"))
    monkeypatch.setattr(render, "SCHEDULES", wrong)
    monkeypatch.setattr(render, "write", lambda *_: pytest.fail("something was written"))

    assert render.main([]) == 2
    assert render.main(["--check"]) == 2

    errors = capsys.readouterr().err
    assert "Schedule 'daily_report_digest', expression: cron(0 7 * * * *), day-of-month and day-of-week" in errors
    assert "Schedule 'retention_sweep', task: 'none' is not in the catalog. Register the task" in errors
