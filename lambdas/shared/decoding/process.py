"""The function's side of decoding: keeps the decoder's processes, and ends them where a file is too much for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.shared.decoding.jobs import Decoded
from lambdas.shared.limits import Limits
from lambdas.shared.receiving import ReceivedFile


@dataclass(frozen=True)
class Run(Decoded):
    """What a job answered, and what it took: seconds by the clock, and the most bytes of memory of its process."""

    seconds: float = 0.0
    peak_bytes: int = 0


class Decoder:
    """Processes in which the jobs of one module run, one job at a time in each; they stay for the next file.

    Safe in threads. A process begins with the first job, ends with its parent, and is replaced after a crash, a
    time-out, or once it has grown.
    """

    def __init__(self, module: str) -> None:
        self.module = module  # its dotted name; it has a JOBS

    def run(
        self, job: str, received: ReceivedFile, key: str, media_type: str, limits: Limits, given: Mapping[str, Any]
    ) -> Run:
        """Run a job on a file. Raises the leaf of FileRejected that the job raised, or one of the decoder's own:
        DecoderCrashed, DecoderOutOfMemory, DecoderTimedOut. Safe to retry: a job writes nothing.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End the processes."""
