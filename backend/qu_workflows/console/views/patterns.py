"""The pattern page: every component in every state, to check changes of the stylesheet."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest

from qu_workflows.console.access import page
from qu_workflows.console.charts import bars
from qu_workflows.console.charts.timeline import Segment, TimelineBar
from qu_workflows.console.formatting import WORDS
from qu_workflows.console.graph import Drawing, StateShown, draw
from qu_workflows.console.masking import mask
from qu_workflows.console.responses import Page

_MOMENT = datetime(2026, 11, 24, 14, 3, 7, tzinfo=UTC)
_PAYLOAD = {
    "task_id": "0193-sample",
    "recipient": {"user_id": 7, "role": "clerk", "email": "clerk@example.com"},
    "callback": {"taskToken": "AAAAKgAAAAIAAAAAAAAAAQ", "timeout_seconds": 900},
    "note": "<b>Text of a payload is text.</b> " + "A long word: " + "x" * 90,
}
_CATCH = [{"ErrorEquals": ["FileRejected"], "Next": "CAUGHT"}]
_CHOICE = {"Type": "Choice", "Choices": [{"Variable": "$.kind", "StringEquals": "image", "Next": "FAILED"}]}
_INSIDE = {
    "StartAt": "TIMED_OUT",
    "States": {
        "TIMED_OUT": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Catch": _CATCH, "Next": "ABORTED"},
        "ABORTED": {**_CHOICE, "Default": "NOT_RUN"},
        "CAUGHT": {"Type": "Pass", "End": True},
        "FAILED": {"Type": "Pass", "Next": "NOT_RUN"},
        "NOT_RUN": {"Type": "Succeed"},
    },
}
_DEFINITION = {
    "StartAt": "SUCCEEDED",
    "States": {
        "SUCCEEDED": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "WAITING"},
        "WAITING": {"Type": "Map", "ItemProcessor": _INSIDE, "Next": "RUNNING"},
        "RUNNING": {"Type": "Wait", "Seconds": 60, "End": True},
    },
}


@page
def patterns(request: HttpRequest) -> Page:  # noqa: ARG001  Django's signature
    """Show the components with sample content."""
    shown = {name: StateShown(status=name, tries=3, seconds=7.5, runs_again=name == "FAILED") for name in WORDS}
    shown["WAITING"] = StateShown(status="WAITING", iterations={"SUCCEEDED": 11, "CAUGHT": 1})
    statuses = {name: str(word) for name, word in WORDS.items()}
    return Page(
        template="console/patterns.html",
        title="Patterns",
        data={"statuses": statuses, "moment": _MOMENT, "payload": mask(_PAYLOAD)},
        context={
            "levels": ("info", "success", "warning", "error"),
            **_charts(),
            "graph": draw(_DEFINITION, Drawing(shown, selected="FAILED", href=lambda name: f"?state={name}#graph")),
            "average": draw(_DEFINITION, Drawing(edges={("SUCCEEDED", "WAITING"): 1204, ("TIMED_OUT", "CAUGHT"): 3})),
            "broken": draw({"StartAt": "Nowhere", "States": {}}),
        },
    )


def _charts() -> dict[str, Any]:
    """Return charts and timeline bars, with every status."""
    hours = [(f"{hour:02}:00", {name: hour % (4 + at) for at, name in enumerate(bars.ORDER)}) for hour in range(24)]
    tries = (Segment(140, 60, "FAILED", retried=True), Segment(560, 80, "SUCCEEDED", retried=False))
    return {
        "hours": bars.columns(hours, "Tasks of a sample day."),
        "idle_hours": bars.columns([(f"{hour:02}:00", {}) for hour in range(24)], "Tasks of an idle day."),
        "shares": [bars.shares("busy", dict.fromkeys(bars.ORDER, 12)), bars.shares("none", {})],
        "legend": bars.legend(bars.ORDER),
        "ranges": bars.ranges([("Load", "orders", 0.4, 1.2), ("Send", "orders", 1.1, 31.0)]),
        "bars": [
            TimelineBar(
                0, 140, "SUCCEEDED", (Segment(0, 140, "SUCCEEDED", retried=False),), "From 0 s to 1.4 s, one attempt"
            ),
            TimelineBar(140, 500, "SUCCEEDED", tries, "Two attempts, one failed"),
            TimelineBar(640, 300, "WAITING", (), "Waiting for 3 s"),
            TimelineBar(940, 60, "TIMED_OUT", (Segment(940, 60, "TIMED_OUT", retried=False),), "Timed out after 0.6 s"),
        ],
    }
