"""The schedules in the template: their region is rendered, and nothing else is touched."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.template.cloudformation import TEMPLATE_FILE, read_template
from qu_workflows.protocol.message import read_message
from qu_workflows.protocol.schedule import Schedule
from workflows import render
from workflows.render_schedules import BEGIN, END, RegionMissing, logical_id_of, with_schedules
from workflows.schedules import SCHEDULES

TEMPLATE = f"Resources:\n  # mine\n  Queue: {{ Type: AWS::SQS::Queue }}\n\n{BEGIN}  Old: 1\n{END}\nOutputs: {{ }}\n"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def rendered(schedule: Schedule) -> dict[str, object]:
    """Return one schedule's properties, read back from the template without its short forms."""
    text = with_schedules(TEMPLATE, [schedule]).replace("!Ref ", "").replace("!GetAtt ", "").replace("!Sub ", "")
    properties: dict[str, object] = yaml.safe_load(text)["Resources"][logical_id_of(schedule.name)]["Properties"]
    return properties


def test_what_is_outside_of_the_region_stays_byte_for_byte() -> None:
    text = with_schedules(TEMPLATE, SCHEDULES)

    assert text.partition(BEGIN)[0] == TEMPLATE.partition(BEGIN)[0]
    assert text.partition(END)[2] == TEMPLATE.partition(END)[2]
    assert "Old: 1" not in text


def test_rendering_again_changes_nothing() -> None:
    text = with_schedules(TEMPLATE, SCHEDULES)

    assert with_schedules(text, SCHEDULES) == text


@pytest.mark.parametrize("template", ["", BEGIN, END + BEGIN, (BEGIN + END) * 2, BEGIN + END + END])
def test_a_template_without_exactly_one_region_is_refused_and_the_lines_are_told(template: str) -> None:
    with pytest.raises(RegionMissing, match="Put these two lines among its resources"):
        with_schedules(template, SCHEDULES)


@given(texts, st.dictionaries(texts, texts, max_size=3))
def test_any_text_of_a_schedule_comes_through_yaml_as_it_was(description: str, payload: dict[str, str]) -> None:
    properties = rendered(replace(SCHEDULES[0], description=description, payload=payload))

    assert properties["Description"] == description
    target = properties["Target"]
    assert isinstance(target, dict)
    assert json.loads(target["Input"])["payload"] == payload


@pytest.mark.parametrize("name", ["null", "on", "no", "e1"])
def test_a_name_that_is_a_word_of_yaml_stays_a_name(name: str) -> None:
    assert rendered(replace(SCHEDULES[0], name=name))["Name"] == name


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_the_template_s_schedule_puts_the_task_s_message_on_the_queue(schedule: Schedule) -> None:
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


def test_the_scheduler_s_role_may_send_to_every_dead_letter_queue_of_a_schedule() -> None:
    [policy] = read_template()["Resources"]["SchedulerRole"]["Properties"]["Policies"]
    [statement] = [one for one in policy["PolicyDocument"]["Statement"] if one["Action"] == "sqs:SendMessage"]

    for schedule in SCHEDULES:
        assert {"Fn::GetAtt": [schedule.dead_letter_queue, "Arn"]} in statement["Resource"]


def test_a_schedule_with_a_problem_is_told_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = (replace(SCHEDULES[0], expression="cron(0 7 * * * *)"), replace(SCHEDULES[1], task="none"))
    monkeypatch.setattr(render, "SCHEDULES", wrong)
    monkeypatch.setattr(render, "write", lambda *_: pytest.fail("something was written"))

    assert render.main([]) == 2
    assert render.main(["--check"]) == 2

    told = capsys.readouterr().err
    assert "Schedule 'daily_report_digest', expression: cron(0 7 * * * *), day-of-month and day-of-week" in told
    assert "Schedule 'retention_sweep', task: 'none' is not in the catalog. Register the task" in told
