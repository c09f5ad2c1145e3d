"""The geometry of the timeline."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from qu_workflows.console.charts.timeline import THINNEST, WIDTH, Scale, bar_of, scale_of
from qu_workflows.executions.attempts import attempts_of_entry
from qu_workflows.executions.histories import read_history

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
seconds = st.floats(0, 100_000)


@given(seconds, seconds, seconds)
def test_what_happened_inside_an_execution_is_drawn_inside_its_timeline(
    whole: float, begun: float, lasted: float
) -> None:
    scale = Scale(NOON, NOON + timedelta(seconds=whole))
    start = NOON + timedelta(seconds=min(begun, whole))

    x, width = scale.stretch(start, start + timedelta(seconds=lasted))

    assert 0 <= x <= x + width <= WIDTH + 0.1
    assert width >= THINNEST


def test_a_retry_is_a_segment_of_its_own_and_described() -> None:
    def event(number: int, kind: str, after: float, **details: object) -> dict[str, object]:
        at = NOON + timedelta(seconds=after)
        return {"id": number, "previousEventId": number - 1, "type": kind, "timestamp": at, "xEventDetails": details}

    history = read_history(
        [
            event(1, "ExecutionStarted", 0),
            event(2, "TaskStateEntered", 0, name="Work", input="{}"),
            event(3, "TaskScheduled", 0),
            event(4, "TaskFailed", 2, error="Boom"),
            event(5, "TaskScheduled", 6),
            event(6, "TaskSucceeded", 10),
            event(7, "TaskStateExited", 10, name="Work"),
            event(8, "ExecutionSucceeded", 10),
        ]
    )
    [entry] = history.entries

    bar = bar_of(entry, attempts_of_entry(history, entry), scale_of(history, NOON))

    assert [(part.x, part.width, part.status, part.retried) for part in bar.segments] == [
        (0.0, 200.0, "FAILED", True),
        (600.0, 400.0, "SUCCEEDED", False),
    ]
    assert bar.words == "begins after 0.00 s, takes 10.0 s, 2 attempts"
