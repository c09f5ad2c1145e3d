"""Inspects one file of a report, for the "Inspect File" state of guard_report."""

from lambdas.inspect_file.facts import decoder, inspect_file
from lambdas.shared.decoding.job import read_limits
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.settings import read_text
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import object_store
from workflows.contracts.guard_report import FileFacts, InspectFileInput

if read_text("AWS_LAMBDA_FUNCTION_NAME"):
    # A function has more CPU during initialization, so start the decoder then.
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    decoder().prepare(read_limits())

NEEDS = StepNeeds(
    timeout_seconds=120,
    # One processor; room for a decoder at its limit, a file of 16 MiB in memory, and the function itself. Larger files
    # are in /tmp, whose 512 MB take the largest.
    memory_mb=1769,
    reads=("media",),
    environment={"DECODER_MEMORY_MIB": "768", "DECODER_TIMEOUT_SECONDS": "8"},
)


@step(InspectFileInput)
def lambda_handler(given: InspectFileInput) -> FileFacts:
    """Return the type and facts of a file, from its content.

    Safe to retry: it only reads. The state machine catches a leaf of FileRejected.
    """
    key = given.file.key
    return inspect_file(key, object_store().chunks(key), read_limits())
