"""Jobs that fail in every way a decoder can, and some that succeed."""

import ctypes
import fcntl
import mmap
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lambdas.shared.decoding.job import MIB, Decoded, Limits, MediaFile
from workflows.errors import UnreadableImage

_HELD: list[bytes] = []


def read(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    first, second = (Path(file.path).read_bytes() for _ in range(2))
    answer = {"same": first == second, "size": file.size_bytes, "key": file.key, "type": file.media_type}
    return Decoded(answer | {"given": given, "seconds": limits.decoder_seconds, "pid": os.getpid()}, [first, b"", b"!"])


def report_environment(file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in ("DATA", "CORE", "FSIZE")}
    return Decoded(
        {
            "environment": sorted(os.environ),
            "limits": limits,
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "path": sys.path,
            "session": os.getsid(0),
            "can_change": _can_change(file.path),
            "can_write": _can_write(),
        }
    )


def _can_change(path: str) -> bool:
    try:
        with Path(path).open("r+b", buffering=0) as again:
            again.write(b"?")
    except OSError:
        return False
    return True


def _can_write() -> bool:
    try:
        with open("/tmp/written-by-a-decoder", "wb", buffering=0) as file:  # noqa: PTH123, S108
            return file.write(b"?") > 0
    except OSError:
        return False


def break_out(_file: MediaFile, _limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Try what an attacker in the decoder would, and return what succeeded."""
    parent = os.getppid()

    def send_signals_to_the_function() -> None:
        fcntl.fcntl(0, fcntl.F_SETOWN, parent)

    attempts: dict[str, Callable[[], object]] = {
        "read the function's environment": Path(f"/proc/{parent}/environ").read_bytes,
        "ask the runtime": lambda: socket.create_connection(("127.0.0.1", given["port"]), 1),
        "fork": os.fork,
        "start a thread": lambda: threading.Thread(target=int).start(),
        "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        "start a process": lambda: subprocess.run(["/bin/true"], check=True),
        "kill the function": lambda: os.kill(parent, 0),
        "signal itself": lambda: os.kill(os.getpid(), 0),
        "limit the function": lambda: resource.prlimit(parent, resource.RLIMIT_CORE),
        "limit itself": lambda: resource.prlimit(0, resource.RLIMIT_CORE),
        "send its signals": send_signals_to_the_function,
        "gain privileges": lambda: int("NoNewPrivs:\t1" not in Path("/proc/self/status").read_text()) or 1 / 0,
    }
    return Decoded({"done": [name for name, attempt in attempts.items() if _succeeds(attempt)]})


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, ZeroDivisionError):
        return False
    return True


def reject(file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    raise UnreadableImage(file.key, "is cut off.", "Upload it again.")


def reject_out_of_memory(file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    try:
        raise RuntimeError("jpegload: out of memory -- size == 400MB")
    except RuntimeError as error:
        raise UnreadableImage(file.key, "is damaged.", "Upload it again.") from error


def fail(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    raise ZeroDivisionError("a bug")


def exit_early(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    os._exit(3)


def leave(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    raise SystemExit(0)


def crash(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    ctypes.string_at(0)
    return Decoded({})


def abort(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    os.abort()


def be_killed(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    os.kill(os.getpid(), signal.SIGKILL)
    return Decoded({})


def abort_out_of_memory(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def sleep(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    time.sleep(60)
    return Decoded({})


def spin(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    while True:
        pass


def spin_in_c(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    re.match(r"(a+)+$", "a" * 60 + "b")  # never releases the interpreter's lock
    return Decoded({})


def hold_the_lock_and_ignore_signals(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return spin_in_c(_file, _limits, _given)


def allocate_in_python(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    while True:
        _HELD.append(b"\1" * (16 * MIB))


def allocate_in_c(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    while (block := libc.malloc(8 * MIB)) is not None:
        ctypes.memset(block, 1, 8 * MIB)
    time.sleep(0.2)  # long enough for the function to see the memory
    os.abort()  # as a library does that cannot continue


def allocate_without_a_limit(_file: MediaFile, limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    shared = mmap.mmap(-1, 4 * limits.decoder_memory_mib * MIB)  # RLIMIT_DATA does not count shared memory
    for start in range(0, len(shared), 4096):
        shared[start] = 1
    return Decoded({})


def grow(_file: MediaFile, _limits: Limits, given: Mapping[str, Any]) -> Decoded:
    _HELD.append(b"\1" * (given["mib"] * MIB))
    return Decoded({"pid": os.getpid()})


def use_and_give_back(_file: MediaFile, _limits: Limits, given: Mapping[str, Any]) -> Decoded:
    return Decoded({"held": len(b"\1" * (given["mib"] * MIB)), "pid": os.getpid()})


def damage_the_process(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    _HELD.append(b"damaged")
    return Decoded({})


def crash_if_damaged(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    return crash(_file, _limits, _given) if b"damaged" in _HELD else Decoded({})


def print_a_lot(_file: MediaFile, _limits: Limits, _given: Mapping[str, Any]) -> Decoded:
    for _ in range(100):
        os.write(2, b"warning: a strange file\n" * 1000)
    return Decoded({})


def send(_file: MediaFile, _limits: Limits, given: Mapping[str, Any]) -> Decoded:
    """Send what an attacker in the decoder might."""
    function = socket.socket(fileno=_socket())
    data = given["text"].encode("latin-1") * given.get("times", 1)
    function.sendall(data)
    if given.get("endless"):
        while True:
            function.sendall(bytes(65_536))
    time.sleep(60)
    return Decoded({})


def answer(_file: MediaFile, _limits: Limits, given: Mapping[str, Any]) -> Decoded:
    return Decoded(given["answer"], [bytes(length) for length in given.get("lengths", [])])


def _socket() -> int:
    for descriptor in range(3, 1024):  # it has the number of the function's side
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return descriptor
    raise LookupError


_JOBS = {
    job.__name__: job
    for job in (
        read, report_environment, break_out,
        reject, reject_out_of_memory, fail, exit_early, leave, crash, abort, be_killed,
        abort_out_of_memory, sleep, spin, spin_in_c, hold_the_lock_and_ignore_signals, allocate_in_python,
        allocate_in_c, allocate_without_a_limit, grow, use_and_give_back, print_a_lot, send, answer, damage_the_process,
        crash_if_damaged,
    )
}  # fmt: skip


def job(file: MediaFile, limits: Limits, given: Mapping[str, Any]) -> Decoded:
    return _JOBS[given["job"]](file, limits, given)
