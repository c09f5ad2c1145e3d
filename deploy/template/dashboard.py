"""The CloudWatch dashboard: the guide's metrics and those that the functions emit.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Iterable, Iterator
from typing import Any

from deploy.packages.functions import FUNCTIONS
from deploy.template.alarms import (
    ENDED,
    ERROR_RATE,
    ERROR_RATE_PERCENT,
    NAMESPACE,
    NOT_SUCCEEDED,
    NOT_SUCCEEDED_METRICS,
    SCHEDULE_GROUPS,
    SERVICE,
    STACK,
    STATUS_DLQ,
    TASKS_DLQ,
    TASKS_QUEUE,
    Alarm,
    Metric,
    function_metric,
    machine_metric,
    queue_metric,
)
from workflows.project import PROJECT

# Metrics of the functions by graph: see ``count`` in lambdas/shared/runtime/powertools.py.
COUNTED = {
    "Dispatcher": (
        *("ExecutionsStarted", "ExecutionsAlreadyStarted", "MessagesRejected"),
        *("StartsThrottled", "StartsFailed", "MessagesHeldBack"),
    ),
    "Mails": ("EmailsSent", "EmailsRefused", "EmailsUnconfirmed"),
    "Files": ("FilesAccepted", "FilesRejected"),
    "Executions that ended": (ENDED, NOT_SUCCEEDED),
}
WIDTH, HEIGHT, COLUMNS = 8, 6, 3


def dashboard(alarms: Iterable[Alarm]) -> dict[str, Any]:
    """Return the body of the dashboard, with parameters as in Fn::Sub."""
    graphs = [*_of_the_guide(), *_of_steps(), *_counted()]
    states = [
        "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:" + f"{STACK}-{alarm.name}"
        for alarm in alarms
    ]
    top: dict[str, Any] = {"type": "alarm", "x": 0, "y": 0, "width": WIDTH * COLUMNS, "height": HEIGHT}
    widgets = [top | {"properties": {"title": "Alarms", "alarms": states, "sortBy": "stateUpdatedTimestamp"}}]
    for number, graph in enumerate(graphs):
        row, column = divmod(number, COLUMNS)
        place = {"x": column * WIDTH, "y": HEIGHT * (row + 1), "width": WIDTH, "height": HEIGHT}
        widgets.append({"type": "metric", **place, "properties": graph})
    return {"widgets": widgets}


def _of_the_guide() -> Iterator[dict[str, Any]]:
    visible = "ApproximateNumberOfMessagesVisible"
    yield _graph("Queue depth", [queue_metric(visible, TASKS_QUEUE)])
    yield _graph("Age of the oldest task, s", [queue_metric("ApproximateAgeOfOldestMessage", TASKS_QUEUE)])
    yield _graph("Dead letters", [queue_metric(visible, TASKS_DLQ), queue_metric(visible, STATUS_DLQ)])
    yield _graph("Duration of functions, p99, ms", [function_metric("Duration", one.name, "p99") for one in FUNCTIONS])
    yield _error_rate()
    yield _database()


def _of_steps() -> Iterator[dict[str, Any]]:
    machines = PROJECT.workflows
    scheduler = ("InvocationAttemptCount", "TargetErrorCount", "InvocationDroppedCount")
    groups = [{"ScheduleGroup": f"{STACK}-{group}"} for group in SCHEDULE_GROUPS]
    yield _graph("Errors of functions", [function_metric("Errors", one.name) for one in FUNCTIONS])
    yield _graph("Throttles of functions", [function_metric("Throttles", one.name) for one in FUNCTIONS])
    yield _graph(
        "Executions that did not succeed",
        [machine_metric(name, one) for one in machines for name in NOT_SUCCEEDED_METRICS],
    )
    yield _graph("Delayed transitions", [machine_metric("ExecutionThrottled", one) for one in machines])
    yield _graph("Time of executions, p99, ms", [machine_metric("ExecutionTime", one, "p99") for one in machines])
    yield _graph("Schedules", [Metric("AWS/Scheduler", name, group) for group in groups for name in scheduler])


def _counted() -> Iterator[dict[str, Any]]:
    for title, names in COUNTED.items():
        yield _graph(title, [Metric(NAMESPACE, name, SERVICE) for name in names])


def _graph(title: str, metrics: Iterable[Metric]) -> dict[str, Any]:
    return _with_lines(title, [_line(metric) for metric in metrics])


def _with_lines(title: str, lines: list[list[Any]]) -> dict[str, Any]:
    return {"title": title, "region": "${AWS::Region}", "view": "timeSeries", "period": 300, "metrics": lines}


def _line(metric: Metric, **more: Any) -> list[Any]:
    flat = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *flat, {"stat": metric.statistic, **more}]


def _error_rate() -> dict[str, Any]:
    lines: list[list[Any]] = [
        [{"expression": ERROR_RATE, "label": "did not succeed, %"}],
        _line(Metric(NAMESPACE, ENDED, SERVICE), id="ended", visible=False),
        _line(Metric(NAMESPACE, NOT_SUCCEEDED, SERVICE), id="failed", visible=False),
    ]
    limit = {"horizontal": [{"label": "alarm", "value": ERROR_RATE_PERCENT}]}
    return _with_lines("Error rate of all executions, %", lines) | {"annotations": limit}


def _database() -> dict[str, Any]:
    # All databases of the account: the stack does not know the name of its own.
    search = "SEARCH('{AWS/RDS,DBInstanceIdentifier} MetricName=\"DatabaseConnections\"', 'Maximum', 300)"
    holders = [function_metric("ConcurrentExecutions", one.name, "Maximum") for one in FUNCTIONS if one.needs_database]
    lines = [[{"expression": search, "label": "connections of "}], *(_line(one) for one in holders)]
    return _with_lines("Database: connections, and functions that hold one", lines)
