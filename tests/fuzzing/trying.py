"""Takes a file through both functions, like an execution, and reports faults."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from lambdas.inspect_file.facts import inspect_file
from lambdas.make_thumbnails.thumbnail_sizes import ThumbnailSize, read_thumbnail_sizes
from lambdas.make_thumbnails.thumbnails import make_thumbnails
from lambdas.shared.decoding.job import Limits
from workflows.contracts.guard_report import StoredFile
from workflows.errors import DecoderCrashed, DecoderOutOfMemory, DecoderTimedOut, FileMissing, FileRejected

KEY = "media/fuzzed"
# Shorter than a function's own, so that a hang costs little time.
LIMITS = Limits(decoder_seconds=4)
HANG_SECONDS = 10.0


@dataclass
class Kept:
    """An object store in memory."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        try:
            return self.objects[key]
        except KeyError:
            raise FileMissing(key, "does not exist.", "Upload it.") from None

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object's bytes."""
        yield self.read(key)

    def size(self, key: str) -> int:
        """Return an object's size."""
        return len(self.read(key))

    def write(self, key: str, data: bytes, media_type: str) -> None:
        """Keep an object."""
        del media_type
        self.objects[key] = data


@dataclass(frozen=True)
class Outcome:
    """Outcome of a file; ``fault`` of the functions, "" without one.

    ``stopped`` names a decoder that had to be stopped or that died: the file is correctly refused, and the decoder
    should be examined.
    """

    verdict: str
    fault: str = ""
    stopped: str = ""


def try_file(data: bytes, limits: Limits = LIMITS, sizes: list[ThumbnailSize] | None = None) -> Outcome:
    """Inspect a file and make its thumbnails."""
    began = time.monotonic()
    try:
        verdict = _take_through(data, limits, sizes or read_thumbnail_sizes())
    except FileRejected as refusal:
        outcome = _refused(refusal)
    except Exception as error:  # noqa: BLE001  any error is a fault
        outcome = Outcome("broken", f"{type(error).__name__}: {error}")
    else:
        outcome = Outcome(verdict)
    seconds = time.monotonic() - began
    if seconds > HANG_SECONDS and not outcome.fault:
        return Outcome(outcome.verdict, f"took {seconds:.0f} s")
    return outcome


def _take_through(data: bytes, limits: Limits, sizes: list[ThumbnailSize]) -> str:
    objects = Kept({KEY: data})
    facts = inspect_file(KEY, objects.chunks(KEY), limits)
    make_thumbnails(StoredFile(file_id=1, key=KEY, name="fuzzed"), facts, objects, sizes, limits)
    if objects.objects[KEY] != data:
        raise AssertionError("The original was changed.")
    return facts.kind.value


def _refused(refusal: FileRejected) -> Outcome:
    name = type(refusal).__name__
    if not (refusal.problem and refusal.remedy):
        return Outcome(name, f"{name} without a reason")
    if isinstance(refusal, DecoderCrashed) and "(SIG" not in refusal.problem:
        # A Python error in a job, which should have raised a refusal.
        return Outcome(name, f"{name}: {refusal.problem}")
    if isinstance(refusal, DecoderCrashed | DecoderOutOfMemory | DecoderTimedOut):
        return Outcome(name, stopped=f"{name}: {refusal.problem}")
    return Outcome(name)
