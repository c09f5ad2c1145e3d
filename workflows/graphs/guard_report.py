"""The guard_report workflow: processes the files of a stored report and notifies people.

::

    Load Report
    Process Files (Map)    Inspect File -> By Kind -> Make Thumbnails | Keep Original -> File Accepted
                           a refused file is caught -> File Rejected | File Timed Out
    Record Report
    Notify People (Map)    Render Email -> Send Email -> Person Notified
                           an unreachable person is caught -> Person Not Notified
    Summarize

Only errors about one file or one person are caught. Any other error fails the execution, so that a redrive continues
with the failed step.
"""

from collections.abc import Sequence
from typing import Any

from stepfunctions.steps import Catch, Chain, Choice, Pass  # type: ignore[import-untyped]  # the SDK has no types

from workflows.contracts import guard_report as contract
from workflows.graphs.asl import (
    FUNCTION_CRASHES,
    MAP_ITEM,
    TIMEOUT,
    InlineMap,
    LambdaTask,
    Retrier,
    names_of,
    path_is,
    retriers,
    state_machine,
)
from workflows.graphs.notification_email import render_email, send_email

INSPECT_TIMEOUT_SECONDS = 150
THUMBNAILS_TIMEOUT_SECONDS = 210
FILES_AT_A_TIME = 5
PEOPLE_AT_A_TIME = 5


def definition() -> dict[str, Any]:
    """Return the state machine. The execution's output is a ``ProcessedReport``."""
    retry = retriers(
        transient=contract.TRANSIENT_ERRORS,
        permanent=(*contract.FATAL_ERRORS, *contract.FILE_ERRORS, *contract.RECIPIENT_ERRORS),
    )
    report_id = {"report_id.$": "$.report_id"}
    load = LambdaTask("Load Report", payload=report_id, answer=contract.LoadedReport, retry=retry)
    record = LambdaTask(
        "Record Report",
        payload={**report_id, "results.$": "$.results"},
        answer=contract.RecordedReport,
        result_path="$.recorded",
        retry=retry,
    )
    counts = {f"{field}.$": f"$.recorded.{field}" for field in contract.RecordedReport.model_fields}
    summarize = Pass("Summarize", parameters={**report_id, **counts, "emails.$": "$.emails"})
    chain = Chain([load, _process_files(retry), record, _notify_people(retry), summarize])
    return state_machine(
        "Processes one guard report and notifies the people it concerns.", chain, timeout_seconds=4 * 3600
    )


def _process_files(retry: Sequence[Retrier]) -> InlineMap:
    return InlineMap(
        "Process Files",
        comment="One FileResult for each file, in the report's order.",
        items_path="$.files",
        # facts exists from the start: its path must be valid for a file that Inspect File rejects.
        item_selector={"file.$": MAP_ITEM, "facts": None},
        max_concurrency=FILES_AT_A_TIME,
        item_processor=_one_file(retry),
        result_path="$.results",
    )


def _one_file(retry: Sequence[Retrier]) -> LambdaTask:
    made = {"thumbnails.$": "$.made.thumbnails", "thumbnails_reason.$": "$.made.reason"}
    accepted = _file_result("File Accepted", contract.FileStatus.ACCEPTED, made)
    catch = _rejections()
    inspect = LambdaTask(
        "Inspect File",
        payload={"file.$": "$.file"},
        answer=contract.FileFacts,
        result_path="$.facts",
        timeout_seconds=INSPECT_TIMEOUT_SECONDS,
        retry=retry,
        catch=catch,
    )
    make_thumbnails = LambdaTask(
        "Make Thumbnails",
        payload={"file.$": "$.file", "facts.$": "$.facts"},
        answer=contract.ThumbnailSet,
        result_path="$.made",
        timeout_seconds=THUMBNAILS_TIMEOUT_SECONDS,
        retry=retry,
        catch=catch,
    )
    kept = contract.ThumbnailSet(thumbnails=[], reason=contract.NO_PICTURE)
    keep_original = Pass("Keep Original", result=kept.model_dump(mode="json"), result_path="$.made")
    by_kind = Choice("By Kind", comment="What shows on paper or on a screen, or can be drawn, gets thumbnails.")
    by_kind.add_choice(path_is("$.facts.kind", *(kind.value for kind in contract.DRAWN_KINDS)), make_thumbnails)
    by_kind.default_choice(keep_original)
    inspect.next(by_kind)
    make_thumbnails.next(accepted)
    keep_original.next(accepted)
    return inspect


def _rejections() -> list[Catch]:
    rejected = _file_result(
        "File Rejected",
        contract.FileStatus.REJECTED,
        {"error.$": "$.rejection.Error", "cause.$": "$.rejection.Cause"},
    )
    # AWS gives no Cause with States.Timeout, and a path to a missing field would fail the execution.
    timed_out = _file_result(
        "File Timed Out",
        contract.FileStatus.REJECTED,
        {"error": TIMEOUT, "cause": "The step took longer than its TimeoutSeconds."},
    )
    return [
        Catch(timed_out, error_equals=[TIMEOUT], result_path="$.rejection"),
        Catch(
            rejected,
            error_equals=[*names_of(contract.FILE_ERRORS), *FUNCTION_CRASHES],
            result_path="$.rejection",
        ),
    ]


def _file_result(name: str, status: contract.FileStatus, fields: dict[str, Any]) -> Pass:
    common = {"file_id.$": "$.file.file_id", "status": status.value, "facts.$": "$.facts"}
    return Pass(name, parameters={**common, **fields})


def _notify_people(retry: Sequence[Retrier]) -> InlineMap:
    not_notified = _notification("Person Not Notified", {"status": "not_notified", "error.$": "$.refusal.Error"})
    catch = Catch(not_notified, error_equals=names_of(contract.RECIPIENT_ERRORS), result_path="$.refusal")
    render = render_email(
        {"report_id.$": "$.report_id", "recipient.$": "$.recipient"}, retry, result_path="$.email", catch=catch
    )
    send = send_email("$.email", retry, result_path="$.sent", catch=catch)
    notified = _notification("Person Notified", {"status.$": "$.sent.status"})
    return InlineMap(
        "Notify People",
        comment="One Notification for each recipient.",
        items_path="$.recipients",
        item_selector={"report_id.$": "$.report_id", "recipient.$": MAP_ITEM},
        max_concurrency=PEOPLE_AT_A_TIME,
        item_processor=Chain([render, send, notified]),
        result_path="$.emails",
    )


def _notification(name: str, fields: dict[str, str]) -> Pass:
    return Pass(name, parameters={"user_id.$": "$.recipient.user_id", "role.$": "$.recipient.role", **fields})
