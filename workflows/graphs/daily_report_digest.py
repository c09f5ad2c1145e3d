"""The daily_report_digest workflow: what was reported yesterday, as one mail to each client.

::

    List Digests
    Send Digests (Map)     Render Email -> Send Email -> Digest Sent
                           whatever fails is caught -> Digest Not Sent
    Summarize

One client's trouble, of whatever kind, must not keep the others' mails back. So each iteration catches
everything, and a failure is an entry of the output. A restart mails those who got none: a mail goes out once.
"""

from collections.abc import Sequence
from typing import Any

from stepfunctions.steps import Catch, Chain, Pass  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts import daily_report_digest as contract
from workflows.graphs.asl import MAP_ITEM, InlineMap, LambdaTask, Retrier, state_machine
from workflows.graphs.email import render_email, send_email
from workflows.graphs.retries import retriers

CLIENTS_AT_A_TIME = 5


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is a ``SentDigests``."""
    retry = retriers(transient=contract.TRANSIENT_ERRORS, permanent=contract.FATAL_ERRORS)
    # Else an outage of the mail service would fill the history before the last client had a turn.
    of_many = retriers(transient=contract.TRANSIENT_ERRORS, permanent=contract.FATAL_ERRORS, is_one_of_many=True)
    list_digests = LambdaTask("List Digests", payload={"payload.$": "$"}, answer=contract.DigestList, retry=retry)
    summary = {"date.$": "$.date", "skipped.$": "$.skipped", "digests.$": "$.results"}
    chain = Chain([list_digests, _send_digests(of_many), Pass("Summarize", parameters=summary)])
    return state_machine("daily_report_digest", "Mails each client what was reported the day before.", chain)


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
