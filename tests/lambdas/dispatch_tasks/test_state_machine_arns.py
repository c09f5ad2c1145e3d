"""STATE_MACHINE_ARNS: one state machine for each workflow, or a helpful error."""

import json

import pytest

from lambdas.dispatch_tasks.handler import state_machine_arns
from lambdas.shared.runtime.settings import SettingError
from tests.lambdas.dispatch_tasks.fakes import ARNS


def test_each_workflow_has_its_state_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARNS", json.dumps(ARNS))

    assert state_machine_arns() == ARNS


def test_an_alias_of_a_state_machine_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    aliases = {workflow: f"{arn}:live" for workflow, arn in ARNS.items()}
    monkeypatch.setenv("STATE_MACHINE_ARNS", json.dumps(aliases))

    assert state_machine_arns() == aliases


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not set"),
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        (json.dumps({"guard_report": ARNS["guard_report"]}), "lacks daily_report_digest, incident_escalation,"),
        (json.dumps({**ARNS, "payroll": ARNS["run_task"]}), "names unknown workflows: payroll"),
        (
            json.dumps({**ARNS, "run_task": "arn:aws:sqs:us-east-2:123456789012:tasks"}),
            "has no state machine ARN for run_task",
        ),
        (json.dumps({**ARNS, "run_task": 1}), "has no state machine ARN for run_task"),
        (json.dumps({**ARNS, "run_task": ARNS["guard_report"]}), "the same state machine"),
    ],
)
def test_an_invalid_setting_says_what_to_set(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARNS", text)

    with pytest.raises(SettingError, match=rf"^STATE_MACHINE_ARNS: .*{words}.* Set it to a JSON object"):
        state_machine_arns()
