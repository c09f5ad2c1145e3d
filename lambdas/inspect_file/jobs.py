"""What the decoder's process runs to inspect a file: one job for each kind. A decoder is imported by its first file."""

from collections.abc import Mapping
from functools import wraps
from typing import Any

from lambdas.inspect_file.polyglots import refuse_ambiguous
from lambdas.shared.decoding.jobs import Decoded, Job, Jobs, MediaFile
from lambdas.shared.decoding.limits import Limits

# Most files are photos: their decoder is there before the first one.
WARM = ("lambdas.inspect_file.pictures",)


def _inspect_image(file: MediaFile, limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    from lambdas.inspect_file.pictures import inspect_picture

    return Decoded(inspect_picture(file, limits))


def _inspect_video(file: MediaFile, limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    from lambdas.inspect_file.movies import inspect_movie

    return Decoded(inspect_movie(file, limits))


def _inspect_audio(file: MediaFile, limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    from lambdas.inspect_file.sounds import inspect_sound

    return Decoded(inspect_sound(file, limits))


def _inspect_pdf(file: MediaFile, limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    from lambdas.inspect_file.documents.pdfs import inspect_pdf

    return Decoded(inspect_pdf(file, limits))


def _inspect_document(file: MediaFile, limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    from lambdas.inspect_file.documents.documents import inspect_document

    return Decoded(inspect_document(file, limits))


def _of_one_format(job: Job) -> Job:
    """Return the job behind a look at whether the file is one thing alone. Raises AmbiguousContent."""

    @wraps(job)
    def run(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
        refuse_ambiguous(file)
        return job(file, limits, given)

    return run


JOBS: Jobs = {
    "image": _of_one_format(_inspect_image),
    "video": _of_one_format(_inspect_video),
    "audio": _of_one_format(_inspect_audio),
    "pdf": _of_one_format(_inspect_pdf),
    "document": _of_one_format(_inspect_document),
}
