"""Makes a file's thumbnails, for the "Make Thumbnails" state of guard_report."""

from lambdas.make_thumbnails.thumbnail_sizes import read_thumbnail_sizes
from lambdas.make_thumbnails.thumbnails import decoder, make_thumbnails
from lambdas.shared.decoding.job import read_limits
from lambdas.shared.runtime.needs import StepNeeds
from lambdas.shared.runtime.settings import read_text
from lambdas.shared.runtime.step import step
from lambdas.shared.storage.objects import object_store
from workflows.contracts.guard_report import MakeThumbnailsInput, ThumbnailSet

if read_text("AWS_LAMBDA_FUNCTION_NAME"):
    # A function has more CPU during initialization, so start the decoder then.
    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    decoder().prepare(read_limits())

NEEDS = StepNeeds(
    timeout_seconds=180,
    memory_mb=1769,  # as for inspect_file
    # Thumbnails too: those that an earlier attempt made are found, and not made again.
    reads=("media", "thumbnails"),
    writes=("thumbnails",),
    environment={"DECODER_MEMORY_MIB": "768", "DECODER_TIMEOUT_SECONDS": "8"},
)


@step(MakeThumbnailsInput)
def lambda_handler(given: MakeThumbnailsInput) -> ThumbnailSet:
    """Store the thumbnails of one file and return their keys.

    Safe to retry: keys come from the file's digest, so a retry writes the same objects, or finds them. The state
    machine catches a leaf of FileRejected.
    """
    return make_thumbnails(given.file, given.facts, object_store(), read_thumbnail_sizes(), read_limits())
