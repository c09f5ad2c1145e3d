"""The decoder's side: a confined process that runs one job after another.

``child_process`` starts it and sends it requests. Its environment has no secrets; the kernel limits its memory and open
files, and forbids core dumps and writing to files. If the function dies, the kernel ends the process, even inside a
decoder that never returns: see ``_die_with_the_function``.
"""

import fcntl
import importlib
import json
import os
import resource
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambdas.shared.decoding.confinement import confine
from lambdas.shared.decoding.job import MIB, Decoded, Job, Limits, MediaFile
from lambdas.shared.decoding.wire import (
    MAX_ANSWER_BYTES,
    MAX_FILES,
    MAX_FILES_BYTES,
    REQUEST_HEAD,
    pack,
    says_out_of_memory,
)
from workflows.errors import FileRejected

OPEN_FILES = 64
# The decoder's own timer expires this long after the function's.
GRACE_SECONDS = 5


def main(descriptor: int, module: str, memory_mib: int) -> None:
    """Run the job of a module on each file until the function closes the socket."""
    _die_with_the_function()
    with socket.socket(fileno=descriptor) as function:
        job: Job = importlib.import_module(module).job
        _set_limits(memory_mib)
        confine()
        _send(function, {"ready": True}, [])
        while (request := _receive(function)) is not None:
            _send(function, *_run(job, *request))


def forget_peak() -> None:
    """Reset the peak memory to the current use.

    https://docs.kernel.org/filesystems/proc.html: 5 resets the peak resident set size.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Return the peak memory since ``forget_peak``, or since the start of the process."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split(None, 1)[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _die_with_the_function() -> None:
    """Have the kernel end this process when the function closes standard input or dies.

    SIGIO ends a process without a handler, and needs neither a thread nor Python's lock. PR_SET_PDEATHSIG would be
    sent when the thread that started this process ends, while the function may live on.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        if not os.read(0, 1):  # closed before the signal was set up
            os._exit(0)


def _set_limits(memory_mib: int) -> None:
    limits = {
        resource.RLIMIT_DATA: memory_mib * MIB,  # private writable memory, including what C code maps
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, kill this process, not the function


def _receive(function: socket.socket) -> tuple[dict[str, Any], int] | None:
    head, descriptors, _, _ = socket.recv_fds(function, REQUEST_HEAD.size, 1)
    if not head:
        return None
    text, count = bytearray(), REQUEST_HEAD.unpack(head)[0]
    while len(text) < count and (piece := function.recv(count - len(text))):
        text += piece
    return json.loads(text), descriptors[0]


def _run(job: Job, request: Mapping[str, Any], descriptor: int) -> tuple[dict[str, Any], list[bytes]]:
    forget_peak()
    limits = Limits(**request["limits"])
    file = MediaFile(f"/proc/self/fd/{descriptor}", request["key"], request["media_type"], request["size_bytes"])
    signal.setitimer(signal.ITIMER_REAL, limits.decoder_seconds + GRACE_SECONDS)
    files: list[bytes] = []
    try:
        decoded = job(file, limits, request["given"])
        body, files = {"answer": dict(decoded.answer)}, _checked(decoded)
    except Exception as error:  # noqa: BLE001  every error is sent back as the answer
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
    """Return whether an error or a cause of it is a failed allocation."""
    for _ in range(20):  # a chain of causes may be circular
        if error is None:
            break
        if isinstance(error, MemoryError) or (not isinstance(error, FileRejected) and says_out_of_memory(str(error))):
            return True
        error = error.__cause__ or error.__context__
    return False


def _send(function: socket.socket, body: Mapping[str, Any], files: Sequence[bytes]) -> None:
    for piece in pack(body, files):
        function.sendall(piece)
