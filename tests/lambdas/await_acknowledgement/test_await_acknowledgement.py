"""The three functions of an incident, as their states call them."""

import json

import pytest
from django.utils import timezone

from incidents.services import acknowledge
from lambdas.await_acknowledgement.handler import lambda_handler as await_acknowledgement
from lambdas.choose_person.handler import lambda_handler as choose_person
from lambdas.record_acknowledgement.handler import lambda_handler as record_acknowledgement
from tests.backend.incidents.making import FakeStepFunctions, make_incident, make_inquiry
from tests.backend.people import make_user
from workflows.errors import PayloadInvalid, RecipientNotFound, StorageUnavailable

pytestmark = pytest.mark.django_db
NEW_TOKEN = "the token of this attempt"


@pytest.fixture(autouse=True)
def step_functions(monkeypatch: pytest.MonkeyPatch) -> FakeStepFunctions:
    fake = FakeStepFunctions()
    monkeypatch.setattr("qu_workflows.aws.task_tokens.step_functions", lambda: fake)
    return fake


def wait_for(inquiry_id: int) -> dict[str, object]:
    return await_acknowledgement({"task_id": "t-1", "inquiry_id": inquiry_id, "task_token": NEW_TOKEN}, None)


def test_the_token_is_stored_and_the_state_waits(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry(task_token="")

    assert wait_for(inquiry.pk) == {"is_acknowledged": False}

    inquiry.refresh_from_db()
    assert (inquiry.task_token, step_functions.sent) == (NEW_TOKEN, [])


def test_a_state_with_an_answer_ends_at_once(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry(task_token="")
    acknowledge(inquiry.pk)

    assert wait_for(inquiry.pk) == {"is_acknowledged": True}

    [(operation, given)] = step_functions.sent
    assert (operation, given["taskToken"]) == ("SendTaskSuccess", NEW_TOKEN)
    assert json.loads(given["output"])["user_id"] == inquiry.user_id


def test_a_state_already_ended_is_no_error(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry(task_token="")
    acknowledge(inquiry.pk)
    step_functions.error = "TaskTimedOut"

    assert wait_for(inquiry.pk) == {"is_acknowledged": True}


def test_an_outage_of_step_functions_is_transient(step_functions: FakeStepFunctions) -> None:
    inquiry = make_inquiry(task_token="")
    acknowledge(inquiry.pk)
    step_functions.error = "ServiceUnavailable"

    with pytest.raises(StorageUnavailable, match="Step Functions"):
        wait_for(inquiry.pk)


def test_a_person_is_chosen_and_an_acknowledgement_recorded() -> None:
    first = make_user()
    report = make_incident(first)

    turn = choose_person({"task_id": "t-1", "report_id": report.pk, "previous_turn": 0}, None)

    assert (turn["number"], turn["recipient"]) == (1, {"user_id": first.pk, "role": "supervisor"})
    now = timezone.now().isoformat()
    answer = {"inquiry_id": turn["inquiry_id"], "user_id": first.pk, "acknowledged_at": now}
    recorded = record_acknowledgement({"task_id": "t-1", "report_id": report.pk, "acknowledgement": answer}, None)
    assert recorded["user_id"] == first.pk


def test_an_invalid_event_is_refused() -> None:
    with pytest.raises(PayloadInvalid):
        choose_person({"task_id": "t-1", "report_id": 1, "previous_turn": -1}, None)
    with pytest.raises(PayloadInvalid):
        wait_for(-1)


def test_a_deleted_account_is_an_error_that_notifies_the_next() -> None:
    with pytest.raises(RecipientNotFound):
        wait_for(10**9)
