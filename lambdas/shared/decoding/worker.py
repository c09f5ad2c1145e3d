"""The decoder's side: a process that runs one job after the other and can do little else.

It is started by ``child_process``, which sends it its work. It has no secrets in its environment, and limits that the
kernel keeps: memory, open files, no core, not one byte written to a file. Should the function die, the kernel ends
it too, also in the middle of a decoder that never returns: see ``_die_with_the_function``.
"""

import fcntl
import importlib
import json
import os
import resource
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambdas.shared.decoding.confinement import confine
from lambdas.shared.decoding.job import Decoded, Job, MediaFile
from lambdas.shared.decoding.limits import MIB, Limits
from lambdas.shared.decoding.peak_memory import forget_peak, peak_bytes
from lambdas.shared.decoding.wire import (
    MAX_ANSWER_BYTES,
    MAX_FILES,
    MAX_FILES_BYTES,
    REQUEST_HEAD,
    pack,
    says_memory_is_out,
)
from workflows.errors import FileRejected

OPEN_FILES = 64
# How much longer than the function's own clock a decoder lets itself go on.
GRACE_SECONDS = 5


def main(descriptor: int, module: str, memory_mib: int) -> None:
    """Run the job of a module on each file until the function closes the socket."""
    _die_with_the_function()
    with socket.socket(fileno=descriptor) as function:
        job = _load(module)
        _take_limits(memory_mib)
        confine()
        _send(function, {"ready": True})
        while (request := _receive(function)) is not None:
            _send(function, *_run(job, *request))


def _die_with_the_function() -> None:
    """Have the kernel end this process when the other end of its standard input is closed, by whatever death.

    SIGIO ends a process that does not handle it, and needs neither a thread nor Python's lock. PR_SET_PDEATHSIG
    would come with the end of the thread that has started this process, while the function may go on.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        if not os.read(0, 1):  # closed before anybody asked for a signal
            os._exit(0)


def _load(module: str) -> Job:
    """Import the job, and what its WARM names: the decoders that most files need."""
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "WARM", ()):
        importlib.import_module(name)
    job: Job = loaded.job
    return job


def _take_limits(memory_mib: int) -> None:
    limits = {
        resource.RLIMIT_DATA: memory_mib * MIB,  # private memory that can be written, also what C code maps
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # where the machine's memory ends, not the function's life


def _receive(function: socket.socket) -> tuple[dict[str, Any], int] | None:
    head, descriptors, _, _ = socket.recv_fds(function, REQUEST_HEAD.size, 1)
    if not head:
        return None
    text, count = bytearray(), REQUEST_HEAD.unpack(head)[0]
    while len(text) < count and (piece := function.recv(count - len(text))):
        text += piece
    request: dict[str, Any] = json.loads(text)
    return request, descriptors[0]


def _run(job: Job, request: Mapping[str, Any], descriptor: int) -> tuple[dict[str, Any], list[bytes]]:
    forget_peak()
    limits = Limits(**request["limits"])
    file = MediaFile(f"/proc/self/fd/{descriptor}", request["key"], request["media_type"], request["size_bytes"])
    signal.setitimer(signal.ITIMER_REAL, limits.decoder_seconds + GRACE_SECONDS)
    files: list[bytes] = []
    try:
        decoded = job(file, limits, request["given"])
        body, files = {"answer": dict(decoded.answer)}, _checked(decoded)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the answer
        body = _as_answer(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.close(descriptor)
    return {**body, "peak_bytes": peak_bytes()}, files


def _checked(decoded: Decoded) -> list[bytes]:
    files = [bytes(file) for file in decoded.files]
    answer_bytes, files_bytes = len(json.dumps(decoded.answer, allow_nan=False)), sum(map(len, files))
    if len(files) > MAX_FILES or files_bytes > MAX_FILES_BYTES or answer_bytes > MAX_ANSWER_BYTES / 2:
        raise ValueError(f"answers {answer_bytes:,} bytes of JSON and {len(files)} files of {files_bytes:,} bytes")
    return files


def _as_answer(error: Exception) -> dict[str, Any]:
    if _is_out_of_memory(error):
        return {"failure": "MemoryError", "text": str(error)[:1000]}
    if isinstance(error, FileRejected):
        rejection = {"name": type(error).__name__, "problem": error.problem[:1000], "remedy": error.remedy[:1000]}
        return {"rejection": rejection}
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" at {Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else ""
    return {"failure": type(error).__name__, "text": f"{error}{place}"[:1000]}


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether an error, or what it came of, is want of memory: C libraries say so in words alone."""
    seen = 0
    while error is not None and seen < 20:  # a chain may be a ring
        if isinstance(error, MemoryError) or (not isinstance(error, FileRejected) and says_memory_is_out(str(error))):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _send(function: socket.socket, body: Mapping[str, Any], files: list[bytes] | None = None) -> None:
    for piece in pack(body, files or []):
        function.sendall(piece)
