"""The daily_report_digest workflow: one mail to each client about a day.

::

    List Digests
    Send Digests (Map)     Render Email -> Send Email -> Digest Sent
                           any error is caught -> Digest Not Sent
    Summarize

Each iteration catches all errors, so that the failure of one client does not stop the mails to others; it is an entry
of the output. A restart sends the missing mails only, since Send Email sends each mail once.
"""

from collections.abc import Sequence
from typing import Any

from stepfunctions.steps import Catch, Chain, Pass  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts import daily_report_digest as contract
from workflows.graphs.asl import MAP_ITEM, InlineMap, LambdaTask, Retrier, retriers, state_machine
from workflows.graphs.notification_email import render_email, send_email

CLIENTS_AT_A_TIME = 5


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is a ``SentDigests``."""
    retry = retriers(transient=contract.TRANSIENT_ERRORS, permanent=contract.FATAL_ERRORS)
    # Fewer retries, or an outage of SES would fill the history before the last client.
    of_many = retriers(transient=contract.TRANSIENT_ERRORS, permanent=contract.FATAL_ERRORS, is_one_of_many=True)
    list_digests = LambdaTask("List Digests", payload={"payload.$": "$"}, answer=contract.DigestList, retry=retry)
    summary = {"date.$": "$.date", "skipped.$": "$.skipped", "digests.$": "$.results"}
    chain = Chain([list_digests, _send_digests(of_many), Pass("Summarize", parameters=summary)])
    return state_machine("Mails each client what was reported the day before.", chain, timeout_seconds=4 * 3600)


def _send_digests(retry: Sequence[Retrier]) -> InlineMap:
    not_sent = _result("Digest Not Sent", {"status": "not_sent", "error.$": "$.refusal.Error"})
    catch = Catch(not_sent, error_equals=["States.ALL"], result_path="$.refusal")
    render = render_email({"digest.$": "$.digest"}, retry, result_path="$.email", catch=catch)
    send = send_email("$.email", retry, result_path="$.sent", catch=catch)
    return InlineMap(
        "Send Digests",
        comment="One DigestResult for each client.",
        items_path="$.digests",
        item_selector={"digest.$": MAP_ITEM},
        max_concurrency=CLIENTS_AT_A_TIME,
        item_processor=Chain([render, send, _result("Digest Sent", {"status.$": "$.sent.status"})]),
        result_path="$.results",
    )


def _result(name: str, fields: dict[str, str]) -> Pass:
    return Pass(name, parameters={"client_id.$": "$.digest.client_id", **fields})
