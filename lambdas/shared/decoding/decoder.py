"""The function's side of decoding: keeps decoder processes, and turns their failures into refusals."""

import atexit
import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lambdas.shared.decoding.child_process import ChildProcess
from lambdas.shared.decoding.confinement import hide_memory
from lambdas.shared.decoding.job import MIB, Decoded, Limits
from lambdas.shared.decoding.receiving import ReceivedFile
from lambdas.shared.decoding.wire import AnswerInvalid, Frame, as_sentence, says_out_of_memory
from workflows.errors import DecoderCrashed, DecoderOutOfMemory, DecoderTimedOut, FileRejected

# A process that has grown beyond this is replaced.
KEPT_BYTES = 256 * MIB
# A process that dies above this share of its memory limit has run out of memory.
_NEARLY_ALL = 0.85
_REJECTIONS = {rejection.__name__: rejection for rejection in FileRejected.__subclasses__()}
_MAX_SENTENCE = 500
_ENDED = (DecoderCrashed, DecoderOutOfMemory, DecoderTimedOut)
_SAVE_AGAIN = "Save it again, smaller or in another format, and upload that."

_logger = logging.getLogger(__name__)


class Decoder:
    """Pool of processes that each run one module's job on one file.

    Thread-safe: one job runs for each processor, others wait. A process starts with the first job, ends with its
    parent, and is replaced after a crash, a timeout, or when it has grown.
    """

    def __init__(self, module: str) -> None:
        self.module = module  # its dotted name; see ``decoding.job``
        self.last_peak_bytes = 0  # of the job that ended last, for a caller that runs one at a time
        self._idle: list[ChildProcess] = []
        self._begin()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Start without processes; after a fork too, which must not share a socket."""
        for child in self._idle:
            child.detach()
        self._idle = []
        self._lock, self._turns = threading.Lock(), threading.BoundedSemaphore(os.cpu_count() or 1)

    def prepare(self, limits: Limits) -> None:
        """Start a process if there is none, and let it load its libraries."""
        with self._lock:
            if not self._idle:
                self._idle.append(self._new(limits))

    def run(
        self, received: ReceivedFile, key: str, media_type: str, limits: Limits, given: Mapping[str, Any]
    ) -> Decoded:
        """Run the job on a file. Safe to retry: a job writes nothing.

        Raises the job's leaf of FileRejected, DecoderCrashed, DecoderOutOfMemory or DecoderTimedOut; and
        ProcessNotStarted, for which no file is to blame.
        """
        fields = {"key": key, "media_type": media_type, "size_bytes": received.size_bytes}
        request = json.dumps({**fields, "limits": asdict(limits), "given": given}, allow_nan=False).encode()
        with self._turns:
            child = self._take(limits)
            was_used = child.was_used
            try:
                return self._attempt(child, request, received, key, limits)
            except (DecoderCrashed, DecoderOutOfMemory):
                if not was_used:
                    raise
            # An earlier file may have damaged the process: try this one again in a new process.
            return self._attempt(self._new(limits), request, received, key, limits)

    def close(self) -> None:
        """End all idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _attempt(
        self, child: ChildProcess, request: bytes, received: ReceivedFile, key: str, limits: Limits
    ) -> Decoded:
        is_sound = False
        try:
            child.wait_until_ready()
            try:
                frame = child.ask(request, received.file.fileno(), limits.decoder_seconds)
            except (EOFError, MemoryError, TimeoutError, AnswerInvalid) as error:
                child.resident_bytes()
                raise _refusal(child, error, key, limits) from None
            answer = _answer_of(frame, key, limits)
            is_sound = not isinstance(answer, _ENDED)
            if isinstance(answer, FileRejected):
                raise answer
            return answer
        finally:
            self.last_peak_bytes = child.peak_bytes
            self._put_back(child, is_sound=is_sound)

    def _new(self, limits: Limits) -> ChildProcess:
        hide_memory()  # before any process that could read it; a fork may not have inherited it
        return ChildProcess(self.module, limits.decoder_memory_mib)

    def _take(self, limits: Limits) -> ChildProcess:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return self._new(limits)
            if child.is_sound and child.memory_mib == limits.decoder_memory_mib:
                return child
            child.end()

    def _put_back(self, child: ChildProcess, *, is_sound: bool) -> None:
        if is_sound and child.resident_bytes() <= KEPT_BYTES:
            with self._lock:
                self._idle.append(child)
        else:
            child.end()


def _answer_of(frame: Frame, key: str, limits: Limits) -> Decoded | FileRejected:
    """Return the answer, or the refusal for the error that the job raised."""
    match frame.body:
        case {"answer": dict(answer), "peak_bytes": int()}:
            return Decoded(answer, frame.files)
        case {"rejection": {"name": str(name), "problem": problem, "remedy": remedy}} if name in _REJECTIONS:
            sentences = (as_sentence(text, _MAX_SENTENCE) for text in (problem, remedy))
            return _REJECTIONS[name](key, *sentences)
        case {"failure": "MemoryError"}:
            return _out_of_memory(key, limits)
        case {"failure": failure, "text": text}:
            _logger.warning("decoder failed at %s: %s %s", key, as_sentence(failure, 80), as_sentence(text, 1000))
            return _crashed(key, f"({as_sentence(failure, 80)})")
    return _crashed(key, "(an invalid answer)")


def _refusal(child: ChildProcess, error: Exception, key: str, limits: Limits) -> FileRejected:
    """Return the refusal of a file for the error that ``ChildProcess.ask`` raised."""
    match error:
        case TimeoutError():
            return DecoderTimedOut(key, f"was not decoded within {limits.decoder_seconds} seconds.", _SAVE_AGAIN)
        case MemoryError():
            return _out_of_memory(key, limits)
        case AnswerInvalid():
            _logger.warning("decoder of %s %s", key, error)
            return _crashed(key, "(an invalid answer)")
    ended_by = child.ended_by
    _logger.warning("decoder ended by %s at %s: %s", ended_by, key, as_sentence(child.output, 2000))
    held = max(child.data_bytes, child.peak_bytes) / (limits.decoder_memory_mib * MIB)
    # Only the kernel sends SIGKILL here, when the machine runs out of memory.
    if ended_by == "SIGKILL" or held > _NEARLY_ALL or says_out_of_memory(child.output):
        return _out_of_memory(key, limits)
    return _crashed(key, f"({ended_by})")


def _out_of_memory(key: str, limits: Limits) -> DecoderOutOfMemory:
    problem = f"needs more than {limits.decoder_memory_mib} MiB of memory to be decoded."
    return DecoderOutOfMemory(key, problem, _SAVE_AGAIN)


def _crashed(key: str, how: str) -> DecoderCrashed:
    return DecoderCrashed(key, f"crashed its decoder {how}.", _SAVE_AGAIN)
