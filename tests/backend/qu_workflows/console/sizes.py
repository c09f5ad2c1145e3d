"""The console at its documented sizes, and the server time of its pages."""

import json
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from django.test import Client

from qu_workflows.console.graph import draw
from qu_workflows.records.models import TaskRecord
from tests.backend.people import make_report
from tests.backend.qu_workflows.console.running import Workflows
from tests.backend.qu_workflows.console.scenes import fill_audit, fill_many, fill_schedules, process, sample
from tests.backend.qu_workflows.dead_letter_queues import DeadLetterQueue, good
from tests.benchmarks.report import sized

TASKS = sized(100_000, 200)
ITERATIONS = sized(1_000, 4)
FILES_OF_THE_LONGEST = sized(1_450, 4)  # a history of just under 25,000 events, AWS's limit
STATES = 200
DEAD_LETTERS = sized(200, 20)
PAGE_MS = 300.0
GRAPH_MS = 200.0


def line_of_passes(count: int = STATES) -> dict[str, Any]:
    """Return ``count`` states in a row; every tenth is a Choice that skips some."""
    names = [f"State {number:03}" for number in range(count)]
    states: dict[str, Any] = {name: {"Type": "Pass", "Next": after} for name, after in pairwise(names)}
    states[names[-1]] = {"Type": "Pass", "End": True}
    for number in range(0, count - 10, 10):
        rules = [{"Variable": "$.skip", "NumericEquals": skip, "Next": names[number + skip]} for skip in range(2, 6)]
        states[names[number]] = {"Type": "Choice", "Choices": rules, "Default": names[number + 1]}
    return {"StartAt": names[0], "States": states}


def fill_all(workflows: Workflows, dead_letters: DeadLetterQueue) -> dict[str, str]:
    """Make everything large, and return the pages to measure by what they show."""
    fill_many(TASKS, hours=22)  # all of one day, the most that the overview can have to count
    fill_schedules()
    fill_audit(sized(2000, 20))
    sample(list(TaskRecord.objects.all()[:3000]), limit=3000)
    dead_letters.put(*[good(f"dead-letter-{number}") for number in range(DEAD_LETTERS)])
    wide, drawing = _of_files(workflows, ITERATIONS), quote("Make Thumbnails")
    longest = _of_files(workflows, FILES_OF_THE_LONGEST)
    machine = workflows.define("large-guard_report", json.dumps(line_of_passes()))
    large = workflows.ended(workflows.start("process_guard_report", {"report_id": 1, "skip": 0}, machine))
    return {
        "overview, 100,000 tasks": "/console/",
        "tasks, 100,000 of them": "/console/tasks/",
        "tasks that failed": "/console/tasks/?status=FAILED",
        "tasks of a report": f"/console/tasks/?q={large.subject_id}",
        "tasks by error": "/console/tasks/?q=DatabaseUnavailable",
        "execution, 200 states": f"/console/tasks/{large.pk}/",
        "execution, 1,000 iterations": f"/console/tasks/{wide.pk}/",
        "one iteration of 1,000": f"/console/tasks/{wide.pk}/?state={drawing}&iteration={ITERATIONS - 1}",
        "execution, 25,000 events": f"/console/tasks/{longest.pk}/",
        "events, 25,000 of them": f"/console/tasks/{longest.pk}/?view=events",
        "state machines": "/console/machines/",
        "one state machine": "/console/machines/guard_report/",
        "dead letters": "/console/dead-letters/",
        "schedules": "/console/schedules/",
        "audit": "/console/audit/",
    }


def median_ms(call: Callable[[], Any], rounds: int = 7) -> float:
    """Return the median milliseconds of a call, after one warm-up."""
    call()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def page_ms(client: Client, address: str, rounds: int = 7) -> float:
    """Return the median milliseconds of a page. Raises AssertionError for an error."""

    def open_page() -> None:
        response = client.get(address)
        assert response.status_code == 200, f"{address}: {response.status_code}"

    return median_ms(open_page, rounds)


def graph_ms() -> float:
    """Return how long the graph of 200 states takes at the median."""
    definition = line_of_passes()
    return median_ms(lambda: draw(definition))


def _of_files(workflows: Workflows, count: int) -> TaskRecord:
    report = make_report()
    workflows.functions.reports[report.pk] = {"files": [f"photo-{n:04}.jpg" for n in range(count)], "people": 1}
    return workflows.ended(process(workflows, report), patience_seconds=120)
