"""The daily_report_digest state machine with as many clients as it takes, each task's answer given."""

from collections import Counter
from pathlib import Path

import pytest

from asl_engine.testing import Answer, ScriptedResult, ScriptedStateMachine, fails
from workflows.contracts.daily_report_digest import MAX_DIGESTS, SentDigests

DEFINITION = Path(__file__).parents[2] / "state_machines" / "daily_report_digest.asl.json"
MAX_EVENTS = 25_000
MAX_BYTES = 256 * 1024
DAY = "2026-11-23"
CLIENTS = range(2_147_000_000, 2_147_000_000 + MAX_DIGESTS)
RENDERED = {"email_key": f"emails/digest/2147000000/{DAY}/t.json", "send_once_key": f"digest/2147000000/{DAY}"}
SENT = {"status": "sent", "message_id": "0" * 60}


def run_for_all(render: Answer, send: Answer) -> ScriptedResult:
    digests = [{"client_id": client, "user_id": client, "date": DAY} for client in CLIENTS]
    listed = {"date": DAY, "digests": digests, "skipped": None}
    answers = {"List Digests": listed, "Render Email": render, "Send Email": send}
    return ScriptedStateMachine(DEFINITION.read_text(encoding="utf-8")).run({}, answers)


def fail_always(name: str) -> Answer:
    return fails(name, "x" * 5_000)


@pytest.mark.parametrize(
    ("render", "send", "error"),
    [
        (RENDERED, SENT, None),
        (RENDERED, fail_always("EmailServiceUnavailable"), "EmailServiceUnavailable"),
        (RENDERED, fail_always("Lambda.AWSLambdaException"), "Lambda.AWSLambdaException"),
        (fail_always("DatabaseUnavailable"), SENT, "DatabaseUnavailable"),
        (fail_always("States.Timeout"), SENT, "States.Timeout"),
        (fail_always("KeyError"), SENT, "KeyError"),
    ],
)
def test_the_maximum_of_clients_fits_one_execution_even_if_all_fail(
    render: Answer, send: Answer, error: str | None
) -> None:
    result = run_for_all(render, send)

    result.assert_succeeded()
    output = SentDigests.model_validate(result.output)
    assert Counter(digest.error for digest in output.digests) == {error: MAX_DIGESTS}
    assert [digest.client_id for digest in output.digests] == list(CLIENTS)
    assert len(result.history) < MAX_EVENTS
    data = [event.details.get(name) or "" for event in result.history for name in ("input", "output")]
    assert max(len(text.encode()) for text in data) < MAX_BYTES * 3 // 4
