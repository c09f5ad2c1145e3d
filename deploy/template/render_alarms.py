"""Renders alarms and dashboard into the template: ``python -m deploy.template.render_alarms [--check]``.

The region is text, not data, so that the template's comments and short forms stay what people wrote.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from deploy.template.alarms import Alarm, Metric, alarms
from deploy.template.cloudformation import TEMPLATE_FILE, Template, read_template
from deploy.template.dashboard import dashboard

BEGIN = "  # ---- Alarms and dashboard, rendered from deploy/template/: make states ----\n"
END = "  # ---- End of the alarms and the dashboard ----\n"
ALARM = """
  {resource}:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub "${{Prefix}}-${{Stage}}-{name}"
      AlarmDescription: {description}
      AlarmActions: [!Ref AlarmsTopic]
      OKActions: [!Ref AlarmsTopic]
{metric}
      ComparisonOperator: GreaterThanThreshold
      Threshold: {threshold}
      EvaluationPeriods: {periods}
      DatapointsToAlarm: {needed}
      TreatMissingData: notBreaching
"""
DASHBOARD = """
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardName: !Sub "${{Prefix}}-${{Stage}}"
      DashboardBody: !Sub |
{body}
"""


class RegionMissing(ValueError):
    """The template has no place for the alarms, or more than one."""

    def __str__(self) -> str:
        return (
            "deploy/template.yaml: has not one region for the alarms. "
            f"Put these two lines among its resources:\n{BEGIN}{END}".rstrip()
        )


def with_alarms(text: str, template: Template) -> str:
    """Return the template's text with the alarms and the dashboard in their region. Raises RegionMissing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in before + after:
        raise RegionMissing
    every = alarms(template)
    shown = DASHBOARD.format(body="\n".join(" " * 8 + line for line in _json_lines(dashboard(every))))
    return before + begin + "".join(map(_alarm, every)) + shown + "\n" + end + after


def _json_lines(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield a dashboard's JSON with one line for each metric and each alarm."""
    yield '{"widgets": ['
    for number, widget in enumerate(body["widgets"]):
        many = "alarms" if widget["type"] == "alarm" else "metrics"
        few = {name: value for name, value in widget["properties"].items() if name != many}
        place = {name: value for name, value in widget.items() if name != "properties"}
        yield f'  {json.dumps(place)[:-1]}, "properties": {json.dumps(few)[:-1]}, "{many}": ['
        items = widget["properties"][many]
        for item in items:
            yield f"    {json.dumps(item)}{',' if item is not items[-1] else ''}"
        yield f"  ]}}}}{',' if number < len(body['widgets']) - 1 else ''}"
    yield "]}"


def _alarm(alarm: Alarm) -> str:
    threshold = f"!Ref {alarm.threshold}" if isinstance(alarm.threshold, str) else f"{alarm.threshold:g}"
    return ALARM.format(
        resource=alarm.resource,
        name=alarm.name,
        description=json.dumps(alarm.description),
        metric=_math(alarm) if alarm.expression else _single(alarm),
        threshold=threshold,
        periods=alarm.periods,
        needed=alarm.needed,
    )


def _single(alarm: Alarm) -> str:
    [metric] = alarm.metrics.values()
    percentile = metric.statistic.startswith("p")
    lines = [
        f"Namespace: {metric.namespace}",
        f"MetricName: {metric.name}",
        f"Dimensions: [{_dimensions(metric.dimensions)}]",
        f"{'ExtendedStatistic' if percentile else 'Statistic'}: {metric.statistic}",
        f"Period: {alarm.period_seconds}",
    ]
    if percentile:  # where calls are few, the slowest is the hundredth
        lines.append("EvaluateLowSampleCountPercentile: evaluate")
    return "\n".join(" " * 6 + line for line in lines)


def _math(alarm: Alarm) -> str:
    lines = ["Metrics:", f'  - {{ Id: value, Expression: "{alarm.expression}", ReturnData: true }}']
    for name, metric in alarm.metrics.items():
        lines += [f"  - Id: {name}", "    ReturnData: false", "    MetricStat:", *_stat(metric, alarm.period_seconds)]
    return "\n".join(" " * 6 + line for line in lines)


def _stat(metric: Metric, period_seconds: int) -> Sequence[str]:
    return (
        f"      Stat: {metric.statistic}",
        f"      Period: {period_seconds}",
        f"      Metric: {{ Namespace: {metric.namespace}, MetricName: {metric.name}, "
        f"Dimensions: [{_dimensions(metric.dimensions)}] }}",
    )


def _dimensions(dimensions: Mapping[str, str]) -> str:
    return ", ".join(f'{{ Name: {name}, Value: !Sub "{value}" }}' for name, value in dimensions.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the region, or with --check return 1 when it differs from the code; 2 where it is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.template.render_alarms", description="Render the alarms.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the region is out of date")
    options = parser.parse_args(arguments)
    text = TEMPLATE_FILE.read_text(encoding="utf-8")
    try:
        rendered = with_alarms(text, read_template())
    except (RegionMissing, yaml.YAMLError) as error:
        print(error, file=sys.stderr)
        return 2
    if not options.check:
        TEMPLATE_FILE.write_text(rendered, encoding="utf-8")
    elif rendered != text:
        print("deploy/template.yaml: its alarms are out of date. Run make states.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
