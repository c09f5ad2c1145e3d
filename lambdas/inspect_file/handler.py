"""Inspects one file of a report, for the "Inspect File" state of guard_report."""

from lambdas.inspect_file.facts import inspect_file
from lambdas.shared.limits import read_limits
from lambdas.shared.objects import object_store
from lambdas.shared.step import step
from workflows.contracts.guard_report import FileFacts, InspectFileInput


@step(InspectFileInput)
def lambda_handler(given: InspectFileInput) -> FileFacts:
    """Return what the file is, by its content.

    Safe to retry: it only reads. A leaf of FileRejected goes through to the state machine's catcher.
    """
    key = given.file.key
    return inspect_file(key, object_store().chunks(key), read_limits())
