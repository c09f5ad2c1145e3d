"""Alarms, dashboard and runbook: each resource has alarms, each alarm a section."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import ROOT
from deploy.packages.functions import FUNCTIONS, Function
from deploy.template.alarms import ENDED, NAMESPACE, NOT_SUCCEEDED, Alarm, alarms, timeout_seconds
from deploy.template.cloudformation import Template, read_template
from deploy.template.dashboard import COUNTED, dashboard
from workflows.project import PROJECT

PAGE = (ROOT / "docs" / "how-to" / "alarms.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## Alarm `([a-z-]+)`$", re.MULTILINE)
ALARMS = alarms(read_template())
METRICS_IN_ONE_ALARM = 10  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
ALARMS_IN_ONE_WIDGET = 100


def pascal(name: str) -> str:
    return "".join(map(str.capitalize, name.split("_")))


def in_template(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in template["Resources"].items() if one["Type"] == kind}


def metrics_of(properties: dict[str, Any]) -> list[dict[str, Any]]:
    if "Metrics" not in properties:
        return [properties]
    return [one["MetricStat"]["Metric"] for one in properties["Metrics"] if "MetricStat" in one]


def watched(template: Template) -> set[tuple[str, str, str]]:
    """Return namespace, metric and first dimension of the template's alarms."""
    return {
        (metric["Namespace"], metric["MetricName"], metric["Dimensions"][0]["Value"]["Fn::Sub"])
        for properties in in_template(template, "AWS::CloudWatch::Alarm").values()
        for metric in metrics_of(properties)
    }


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_each_alarm_has_its_name_topic_and_runbook_link(template: Template, alarm: Alarm) -> None:
    properties = in_template(template, "AWS::CloudWatch::Alarm")[alarm.resource]

    assert properties["AlarmName"] == {"Fn::Sub": "${Prefix}-${Stage}-" + alarm.name}
    assert properties["AlarmDescription"].endswith(f"docs/how-to/alarms.md#alarm-{alarm.kind}")
    assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "AlarmsTopic"}]
    assert properties["TreatMissingData"] == "notBreaching"
    assert 1 <= properties["DatapointsToAlarm"] <= properties["EvaluationPeriods"]
    assert len(metrics_of(properties)) <= METRICS_IN_ONE_ALARM
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    assert alarm.period_seconds * alarm.periods <= 24 * 3600


@pytest.mark.parametrize("alarm", [one for one in ALARMS if "FILL" in one.expression], ids=lambda alarm: alarm.name)
def test_data_that_arrives_late_still_fires_an_alarm(alarm: Alarm) -> None:
    delay = 1  # the data of a period arrives one period later, and is 0 until then

    seen = [[0.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0][: now - delay] + [0.0] * delay for now in range(2, 8)]

    assert any(sum(value > 0 for value in values[-alarm.periods :]) >= alarm.needed for values in seen)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_timeout_is_within_the_window_of_its_alarm(template: Template, function: Function) -> None:
    [alarm] = [one for one in ALARMS if one.name == f"{function.name}-errors"]

    assert alarm.period_seconds * alarm.periods >= timeout_seconds(template, function) + 120


def test_the_names_are_unique() -> None:
    assert len({alarm.name for alarm in ALARMS}) == len({alarm.resource for alarm in ALARMS}) == len(ALARMS)


def test_every_queue_machine_function_and_schedule_group_has_alarms(template: Template) -> None:
    wanted = set()
    for queue, properties in in_template(template, "AWS::SQS::Queue").items():
        name = "ApproximateNumberOfMessagesVisible" if "DeadLetter" in queue else "ApproximateAgeOfOldestMessage"
        wanted.add(("AWS/SQS", name, properties["QueueName"]["Fn::Sub"]))
    for properties in in_template(template, "AWS::Serverless::StateMachine").values():
        arn = (
            "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:"
            + properties["Name"]["Fn::Sub"]
        )
        for name in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled"):
            wanted.add(("AWS/States", name, arn))
    for properties in in_template(template, "AWS::Serverless::Function").values():
        for name in ("Errors", "Throttles", "Duration"):
            wanted.add(("AWS/Lambda", name, properties["FunctionName"]["Fn::Sub"]))
    for properties in in_template(template, "AWS::Scheduler::ScheduleGroup").values():
        for name in (
            *("InvocationDroppedCount", "TargetErrorCount"),
            *("InvocationsSentToDeadLetterCount", "InvocationsFailedToBeSentToDeadLetterCount"),
        ):
            wanted.add(("AWS/Scheduler", name, properties["Name"]["Fn::Sub"]))
    wanted |= {(NAMESPACE, name, "${Prefix}-${Stage}") for name in (ENDED, NOT_SUCCEEDED)}

    assert watched(template) == wanted


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_near_its_timeout_raises_an_alarm(template: Template, function: Function) -> None:
    shared, own = template["Globals"]["Function"], template["Resources"][function.resource]["Properties"]
    duration = in_template(template, "AWS::CloudWatch::Alarm")[f"{pascal(function.name)}DurationAlarm"]

    assert duration["Threshold"] == (shared | own)["Timeout"] * 800
    assert duration["ExtendedStatistic"] == "p99"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_throttling_with_a_database_is_an_alarm_after_half_an_hour(template: Template, function: Function) -> None:
    throttles = in_template(template, "AWS::CloudWatch::Alarm")[f"{pascal(function.name)}ThrottlesAlarm"]
    needed = throttles["Period"] * throttles["DatapointsToAlarm"]

    assert needed == (1800 if function.needs_database else 600)
    assert throttles["EvaluationPeriods"] == (6 if function.needs_database else 3)


def test_the_age_of_a_task_has_the_operators_threshold(template: Template) -> None:
    age = in_template(template, "AWS::CloudWatch::Alarm")["TasksAgeAlarm"]

    assert age["Threshold"] == {"Ref": "StuckUnstartedSeconds"}


@pytest.mark.parametrize(("failed", "ended", "rate"), [(0, 0, 0), (2, 100, 2), (0, 7, 0), (3, 3, 100)])
def test_the_error_rate_is_zero_when_nothing_ended(failed: int, ended: int, rate: float) -> None:
    [alarm] = [one for one in ALARMS if one.kind == "error-rate"]
    # CloudWatch's IF evaluates each point by itself, so only one side is computed.
    taken = re.fullmatch(r"IF\((.+) > 0, (.+), 0\)", alarm.expression)
    assert taken is not None
    given = {"FILL": lambda value, _filler: value, "failed": failed, "ended": ended}

    assert (eval(taken[2], given) if eval(taken[1], given) > 0 else 0) == rate  # noqa: S307  our own text
    assert alarm.threshold == 1


def test_only_alarms_of_this_stack_may_publish_and_only_by_tls(template: Template) -> None:
    [policy] = in_template(template, "AWS::SNS::TopicPolicy").values()
    allowed, denied = policy["PolicyDocument"]["Statement"]

    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":alarm:${Prefix}-${Stage}-*")
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert in_template(template, "AWS::SNS::Topic")["AlarmsTopic"]["KmsMasterKeyId"]["Fn::If"][0] == "HasKey"


def test_the_mail_address_is_a_parameter(template: Template) -> None:
    subscription = template["Resources"]["AlarmsByMail"]

    assert subscription["Condition"] == "MailsAlarms"
    assert subscription["Properties"]["Endpoint"] == {"Ref": "AlarmEmail"}


def test_each_alarm_has_one_section_in_the_docs() -> None:
    sections = SECTION.findall(PAGE)

    assert sorted(sections) == sorted({alarm.kind for alarm in ALARMS})


@pytest.mark.parametrize("kind", sorted({alarm.kind for alarm in ALARMS}))
def test_a_section_has_meaning_places_and_commands(kind: str) -> None:
    section = re.split(r"^##", PAGE.partition(f"## Alarm `{kind}`\n")[2], flags=re.MULTILINE)[0]

    places = [section.find(words) for words in ("**Means**", "**Look at**", "**Type**")]
    assert places == sorted(places)
    assert places[0] >= 0
    assert "`" in section[places[2] :]


def counted_in_the_code() -> Iterator[str]:
    for path in (ROOT / "lambdas").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "count":
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_the_dashboard_shows_all_metrics_of_the_functions() -> None:
    from lambdas.dispatch_tasks.handler import METRICS

    assert {name for names in COUNTED.values() for name in names} == {*counted_in_the_code(), *METRICS.values()}


def test_the_dashboard_is_json_with_every_metric_of_the_guide(template: Template) -> None:
    [properties] = in_template(template, "AWS::CloudWatch::Dashboard").values()
    body = json.loads(properties["DashboardBody"]["Fn::Sub"])
    shown = json.dumps(body)

    assert body == dashboard(ALARMS)
    for metric in ("ApproximateNumberOfMessagesVisible", "Duration", "DatabaseConnections"):
        assert metric in shown
    assert "Error rate" in shown
    [states, *graphs] = body["widgets"]
    assert len(states["properties"]["alarms"]) == len(ALARMS) <= ALARMS_IN_ONE_WIDGET
    places = {(graph["x"], graph["y"]) for graph in graphs}
    assert len(places) == len(graphs)
    assert all(graph["x"] + graph["width"] <= 24 for graph in graphs)  # a dashboard's columns


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_alarms_of_a_function_stop_its_gradual_deployment(translated: Template, function: Function) -> None:
    resources = translated["Resources"]
    group = resources[f"{function.resource}DeploymentGroup"]["Properties"]
    alias = resources[f"{function.resource}Aliaslive"]
    name = pascal(function.name)

    assert [one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]] == [
        f"{name}ErrorsAlarm",
        f"{name}DurationAlarm",
    ]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"] == {
        "Ref": f"{function.resource}DeploymentGroup"
    }
    # Only errors of the alias count.
    assert resources[f"{name}ErrorsAlarm"]["Properties"]["Dimensions"][1]["Value"]["Fn::Sub"].endswith(":live")


@pytest.mark.parametrize("workflow", PROJECT.workflows)
def test_failures_of_a_machine_stop_its_gradual_deployment(translated: Template, workflow: str) -> None:
    preference = translated["Resources"][f"{pascal(workflow)}StateMachineAliaslive"]["Properties"]
    gradual = preference["DeploymentPreference"]

    assert "RoutingConfiguration" not in preference  # the two exclude each other
    assert gradual["Alarms"] == [{"Ref": f"{pascal(workflow)}ExecutionsFailedAlarm"}]
    assert gradual["StateMachineVersionArn"] == {"Ref": f"{pascal(workflow)}StateMachineVersion"}
    for key in ("Percentage", "Interval"):
        assert gradual[key]["Fn::If"][0] == "DeploysGradually"
        assert gradual[key]["Fn::If"][2] == {"Ref": "AWS::NoValue"}


def test_functions_and_machines_have_every_deployment_preference(template: Template) -> None:
    allowed = template["Parameters"]["DeploymentPreferenceType"]["AllowedValues"]
    mapping = template["Mappings"]["GradualDeploys"]

    assert set(mapping) == set(allowed)
    for name, one in mapping.items():
        numbers = re.findall(r"\d+", name)
        assert numbers in ([], [str(one["Percentage"]), str(one["Minutes"])])
        assert one["Type"].lower() == re.match(r"AllAtOnce|Canary|Linear", name)[0].lower().replace(  # type: ignore[index]
            "allatonce", "all_at_once"
        )
