"""The alarms and the dashboard as YAML of the template.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from deploy.template.alarms import STACK, Alarm, Metric, alarms
from deploy.template.cloudformation import Template
from deploy.template.dashboard import dashboard
from deploy.template.regions import Region

ALARMS = Region("the alarms and the dashboard", "deploy/template/alarms.py")


class _Sub(str):
    """A text with parameters, for Fn::Sub."""


class _Ref(str):
    """The name of a parameter or a resource."""


class _Dumper(yaml.SafeDumper):
    """YAML with CloudFormation's short forms."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base class's
        """Write no anchors: CloudFormation has none."""
        return True


_Dumper.add_representer(_Ref, lambda dumper, name: dumper.represent_scalar("!Ref", name))
_Dumper.add_representer(
    _Sub, lambda dumper, text: dumper.represent_scalar("!Sub", text, style="|" if "\n" in text else None)
)


def alarm_resources(template: Template) -> str:
    """Return the YAML of the alarms and the dashboard for the template's functions."""
    every = alarms(template)
    resources = [{alarm.resource: _resource("Alarm", _properties(alarm))} for alarm in every]
    widgets = ",\n".join(json.dumps(widget) for widget in dashboard(every)["widgets"])
    body = {"DashboardName": _Sub(STACK), "DashboardBody": _Sub(f'{{"widgets": [\n{widgets}\n]}}\n')}
    return "".join(map(_yaml, [*resources, {"Dashboard": _resource("Dashboard", body)}]))


def _yaml(resource: Mapping[str, Any]) -> str:
    text = yaml.dump(resource, Dumper=_Dumper, default_flow_style=None, sort_keys=False, width=float("inf"))
    return "".join(f"  {line}" for line in text.splitlines(keepends=True)) + "\n"


def _resource(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": f"AWS::CloudWatch::{kind}", "Properties": properties}


def _properties(alarm: Alarm) -> dict[str, Any]:
    return {
        "AlarmName": _Sub(f"{STACK}-{alarm.name}"),
        "AlarmDescription": alarm.description,
        "AlarmActions": [_Ref("AlarmsTopic")],
        "OKActions": [_Ref("AlarmsTopic")],
        **(_of_several(alarm) if alarm.expression else _of_one(alarm)),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": _Ref(alarm.threshold) if isinstance(alarm.threshold, str) else alarm.threshold,
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.needed,
        "TreatMissingData": "notBreaching",
    }


def _of_one(alarm: Alarm) -> dict[str, Any]:
    [metric] = alarm.metrics.values()
    if metric.statistic.startswith("p"):  # with few calls, the slowest is the p99
        statistic = {"ExtendedStatistic": metric.statistic, "EvaluateLowSampleCountPercentile": "evaluate"}
    else:
        statistic = {"Statistic": metric.statistic}
    return {**_metric(metric), **statistic, "Period": alarm.period_seconds}


def _of_several(alarm: Alarm) -> dict[str, Any]:
    stats = [
        {"Metric": _metric(metric), "Stat": metric.statistic, "Period": alarm.period_seconds}
        for metric in alarm.metrics.values()
    ]
    metrics = [
        {"Id": one, "ReturnData": False, "MetricStat": stat} for one, stat in zip(alarm.metrics, stats, strict=True)
    ]
    return {"Metrics": [{"Id": "value", "Expression": alarm.expression, "ReturnData": True}, *metrics]}


def _metric(metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": _Sub(value)} for name, value in metric.dimensions.items()]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
