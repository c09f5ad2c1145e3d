"""The pattern page: every component of the console in every state, to look at when the stylesheet is changed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from qu_workflows.console.access import page
from qu_workflows.console.charts import bars as charts
from qu_workflows.console.charts.timeline import Bar, Segment
from qu_workflows.console.formatting import WORDS
from qu_workflows.console.graph import StateShown, draw
from qu_workflows.console.masking import mask
from qu_workflows.console.responses import Page

_MOMENT = datetime(2026, 11, 24, 14, 3, 7, tzinfo=UTC)
_PAYLOAD: dict[str, Any] = {
    "task_id": "0193-sample",
    "report_id": 456,
    "recipient": {"user_id": 7, "role": "guard", "email": "guard@example.com"},
    "callback": {"taskToken": "AAAAKgAAAAIAAAAAAAAAAQ", "timeout_seconds": 900},
    "note": "<b>Text of a payload is text.</b> " + "A long word: " + "x" * 90,
}
_TASK: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
_DEFINITION: dict[str, Any] = {
    "StartAt": "Load Report",
    "States": {
        "Load Report": {**_TASK, "Next": "Each File"},
        "Each File": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "Inspect File",
                "States": {
                    "Inspect File": {
                        **_TASK,
                        "Next": "Is It a Picture",
                        "Catch": [{"ErrorEquals": ["FileRejected"], "Next": "Note Rejection"}],
                    },
                    "Is It a Picture": {
                        "Type": "Choice",
                        "Choices": [{"Variable": "$.kind", "StringEquals": "image", "Next": "Make Thumbnails"}],
                        "Default": "Done with File",
                    },
                    "Make Thumbnails": {**_TASK, "Next": "Done with File"},
                    "Note Rejection": {"Type": "Pass", "End": True},
                    "Done with File": {"Type": "Succeed"},
                },
            },
            "Next": "Ask Supervisor",
        },
        "Ask Supervisor": {**_TASK, "Next": "Render Email"},
        "Render Email": {**_TASK, "Next": "Send Email"},
        "Send Email": {**_TASK, "Next": "Record Report"},
        "Record Report": {**_TASK, "End": True},
    },
}
_SHOWN = {
    "Load Report": StateShown(status="SUCCEEDED", tries=1, seconds=0.41),
    "Each File": StateShown(status="SUCCEEDED", seconds=12.5, iterations={"SUCCEEDED": 11, "CAUGHT": 1}),
    "Inspect File": StateShown(status="CAUGHT", tries=12, seconds=9.0),
    "Is It a Picture": StateShown(status="SUCCEEDED", seconds=0.02),
    "Make Thumbnails": StateShown(status="TIMED_OUT", tries=3, seconds=180.0, runs_again=True),
    "Note Rejection": StateShown(status="ABORTED", seconds=0.01),
    "Ask Supervisor": StateShown(status="WAITING", tries=1, seconds=240.0),
    "Render Email": StateShown(status="RUNNING", tries=2, seconds=1.5),
    "Send Email": StateShown(status="FAILED", tries=3, seconds=31.0, runs_again=True),
}

_TAKEN = {
    ("Load Report", "Each File"): 1204,
    ("Each File", "Ask Supervisor"): 1190,
    ("Inspect File", "Note Rejection"): 3,
    ("Render Email", "Send Email"): 986,
}


@dataclass(frozen=True)
class Row:
    """A row of the sample tables."""

    status: str
    name: str
    error: str
    began_at: datetime
    seconds: float | None
    tries: int


@page
def patterns(request: HttpRequest) -> Page:  # noqa: ARG001  Django's signature
    """Show the components with made-up content."""
    rows = [_row(number, status) for number, status in enumerate(WORDS)]
    return Page(
        template="console/patterns.html",
        title=_("Patterns"),
        data={"statuses": {name: str(word) for name, word in WORDS.items()}, "rows": rows, "payload": mask(_PAYLOAD)},
        context={
            "levels": ("info", "success", "warning", "error"),
            **_drawn(),
            "graph": draw(_DEFINITION, _SHOWN, selected="Send Email", href=lambda name: f"?state={name}#graph"),
            "average": draw(_DEFINITION, edges=_TAKEN),
            "broken": draw({"StartAt": "Nowhere", "States": {}}),
        },
    )


def _drawn() -> dict[str, Any]:
    """Return the charts and the bars of a timeline, each with every status that it can have."""
    hours = [(f"{hour:02}:00", {name: hour % (4 + at) for at, name in enumerate(charts.ORDER)}) for hour in range(24)]
    busy, quiet = dict.fromkeys(charts.ORDER, 12), {"SUCCEEDED": 90, "FAILED": 2}
    tries = (
        Segment(0, 60, "FAILED", retried=True),
        Segment(180, 60, "FAILED", retried=True),
        Segment(420, 80, "SUCCEEDED", retried=False),
    )
    bars = [
        Bar(0, 140, "SUCCEEDED", (Segment(0, 140, "SUCCEEDED", retried=False),), "From 0 s to 1.4 s, in one try"),
        Bar(140, 500, "SUCCEEDED", tuple(replace(each, x=each.x + 140) for each in tries), "Three tries, two failed"),
        Bar(640, 300, "WAITING", (), "Waiting for 3 s"),
        Bar(940, 60, "TIMED_OUT", (Segment(940, 60, "TIMED_OUT", retried=False),), "Timed out after 0.6 s"),
    ]
    return {
        "hours": charts.columns(hours, "Tasks of a made-up day."),
        "idle_hours": charts.columns([(f"{hour:02}:00", {}) for hour in range(24)], "Tasks of an idle day."),
        "shares": [charts.shares("guard_report", busy), charts.shares("run_task", quiet), charts.shares("none", {})],
        "legend": charts.legend(charts.ORDER),
        "ranges": charts.ranges([("Load Report", "guard_report", 0.4, 1.2), ("Send Email", "guard_report", 1.1, 31.0)]),
        "bars": bars,
    }


def _row(number: int, status: str) -> Row:
    error = "ThumbnailsUnavailable" if status in {"FAILED", "CAUGHT", "TIMED_OUT"} else ""
    seconds = None if status in {"READY", "SENT", "NOT_RUN"} else 0.4 * 7**number / 5
    return Row(status, f"Step {number}", error, _MOMENT + timedelta(seconds=37 * number), seconds, number % 4)
