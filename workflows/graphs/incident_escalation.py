"""The incident_escalation workflow: supervisors are asked in turn to acknowledge an incident.

::

    Begin
    Choose Person            the next one; fails with NobodyAcknowledged after the last one
    Is Acknowledged          already acknowledged -> Acknowledged Already
    Render Email             the mail with the link; undeliverable -> Choose Person
    Send Email               undeliverable -> Choose Person
    Await Acknowledgement    waits with a task token for an answer on the link's page; timeout, or a deleted account
                             -> Choose Person
    Record Acknowledgement
    Summarize

After NobodyAcknowledged, add a supervisor and redrive: Choose Person asks those who were not asked yet.
"""

from collections.abc import Sequence
from typing import Any

from stepfunctions.steps import Catch, Chain, Choice, Pass  # type: ignore[import-untyped]  # the SDK has no types
from stepfunctions.steps.choice_rule import ChoiceRule  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts import incident_escalation as contract
from workflows.graphs.asl import (
    HEARTBEAT_TIMEOUT,
    TIMEOUT,
    CallbackTask,
    LambdaTask,
    Retrier,
    names_of,
    retriers,
    state_machine,
)
from workflows.graphs.notification_email import render_email, send_email


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is an ``EscalatedIncident``."""
    permanent = (*contract.FATAL_ERRORS, *contract.RECIPIENT_ERRORS)
    retry = retriers(transient=contract.TRANSIENT_ERRORS, permanent=permanent)
    begin = Pass("Begin", result={"number": 0}, result_path="$.turn")
    choose = _choose_person(retry)
    catch = Catch(choose, error_equals=names_of(contract.RECIPIENT_ERRORS), result_path="$.refusal")
    render = render_email(
        {"inquiry_id.$": "$.turn.inquiry_id", "recipient.$": "$.turn.recipient"},
        retry,
        result_path="$.email",
        catch=catch,
    )
    ask = Chain(
        [
            render,
            send_email("$.email", retry, result_path="$.sent", catch=catch),
            _await_acknowledgement(choose, permanent),
            _record_acknowledgement(retry),
            _summary("Summarize", {f"{name}.$": f"$.recorded.{name}" for name in _ACKNOWLEDGED}),
        ]
    )
    is_acknowledged = Choice("Is Acknowledged", comment="Who is at work already need not be asked.")
    is_acknowledged.add_choice(
        ChoiceRule.BooleanEquals(variable="$.turn.is_acknowledged", value=True),
        _summary("Acknowledged Already", dict.fromkeys(_ACKNOWLEDGED)),
    )
    is_acknowledged.default_choice(ask.steps[0])
    Chain([begin, choose, is_acknowledged])
    return state_machine("Asks supervisors in turn to acknowledge an incident.", begin, timeout_seconds=7 * 24 * 3600)


_ACKNOWLEDGED = tuple(contract.AcknowledgedIncident.model_fields)


def _choose_person(retry: Sequence[Retrier]) -> LambdaTask:
    return LambdaTask(
        "Choose Person",
        payload={"report_id.$": "$.report_id", "previous_turn.$": "$.turn.number"},
        answer=contract.Turn,
        result_path="$.turn",
        retry=retry,
    )


def _await_acknowledgement(choose: LambdaTask, permanent: Sequence[type[Exception]]) -> CallbackTask:
    no_answer = [TIMEOUT, HEARTBEAT_TIMEOUT]
    return CallbackTask(
        "Await Acknowledgement",
        comment="The person has the turn's time to acknowledge, and gives a sign of life within each heartbeat of it.",
        payload={"inquiry_id.$": "$.turn.inquiry_id"},
        timeout_seconds_path="$.turn.timeout_seconds",
        heartbeat_seconds_path="$.turn.heartbeat_seconds",
        result_path="$.acknowledgement",
        # A person who does not answer is not asked again.
        retry=retriers(transient=contract.TRANSIENT_ERRORS, permanent=permanent, never=no_answer),
        catch=Catch(choose, error_equals=[*names_of(contract.RECIPIENT_ERRORS), *no_answer], result_path="$.refusal"),
    )


def _record_acknowledgement(retry: Sequence[Retrier]) -> LambdaTask:
    return LambdaTask(
        "Record Acknowledgement",
        payload={"report_id.$": "$.report_id", "acknowledgement.$": "$.acknowledgement"},
        answer=contract.AcknowledgedIncident,
        result_path="$.recorded",
        retry=retry,
    )


def _summary(name: str, fields: dict[str, Any]) -> Pass:
    return Pass(name, parameters={"report_id.$": "$.report_id", "turns.$": "$.turn.number", **fields})
