"""One state in full, from the events of an execution on the engine."""

import json

import pytest

from qu_workflows.executions.attempts import attempts_of_entry, details_of, iterations_of
from qu_workflows.executions.histories import History, StateOutcome
from qu_workflows.executions.redriving import redrive_checked
from qu_workflows.executions.step_functions import history_of
from tests.backend.qu_workflows.operated import Operated

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_entry_has_its_input_output_and_calls(operated: Operated) -> None:
    record = operated.run(2, machine=operated.machine(in_turn=True))  # side by side, the failure may end the others
    history = history_of(record.execution_arn)
    succeeded = next(one for one in history.entries if one.label == "Work (Process 0)")
    failed = next(one for one in history.entries if one.label == "Work (Process 1)")

    assert json.loads(details_of(history, succeeded).output or "") == {"item": 1}
    found = details_of(history, failed)
    assert (json.loads(found.input or ""), found.output) == ({"item": 2}, None)
    assert found.resource.endswith(":function:work")
    [one] = found.tries
    assert (one.outcome, one.error) == (StateOutcome.FAILED, "Broken")


def test_a_redriven_iteration_stands_as_it_went_the_last_time(operated: Operated) -> None:
    record = operated.run(2)
    before = history_of(record.execution_arn)
    operated.broken.clear()
    redrive_checked(record, "ana")
    operated.followed(record)
    after = history_of(record.execution_arn)

    def of_map(history: History) -> dict[int, StateOutcome]:
        entry = next(one for one in history.entries if one.name == "Process")
        return iterations_of(history, entry)

    assert of_map(before)[1] == StateOutcome.FAILED
    assert of_map(after) == dict.fromkeys(range(3), StateOutcome.SUCCEEDED)
    work = next(one for one in after.entries if one.label == "Work (Process 1)")
    assert [one.outcome for one in attempts_of_entry(after, work)] == [StateOutcome.FAILED, StateOutcome.SUCCEEDED]


def test_every_event_belongs_to_its_state_entry(operated: Operated) -> None:
    history = history_of(operated.run(2).execution_arn)

    listed = sorted(number for entry in history.entries for number in entry.event_ids)

    assert listed == [event.id for event in history.events if not event.type.startswith("Execution")]
