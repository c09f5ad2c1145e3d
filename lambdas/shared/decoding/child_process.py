"""One decoder process, as seen from the function: start, request, monitoring, end."""

import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from lambdas.shared.decoding.job import MIB
from lambdas.shared.decoding.wire import FRAME_HEAD, REQUEST_HEAD, AnswerInvalid, Frame, lengths_of, unpack

START_SECONDS = 30
_POLL_SECONDS = 0.05
_READ_BYTES = 256 * 1024
_KEPT_BYTES = 4096
# The module that the process runs. Arguments pass this process's sys.path on, since Python ignores the environment
# (-I) and site-packages (-S).
WORKER = "lambdas.shared.decoding.worker"
_BOOTSTRAP = (
    "import sys; descriptor, module, memory_mib, *sys.path[:] = sys.argv[1:]; "
    f"from {WORKER} import main; main(int(descriptor), module, int(memory_mib))"
)
# Variables to find libraries and decode text. No credentials.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_FIXED = {
    "MALLOC_ARENA_MAX": "2",  # each arena keeps the memory that it has freed
    "OMP_NUM_THREADS": "1",
    "VIPS_BLOCK_UNTRUSTED": "1",
    "VIPS_CONCURRENCY": "1",
    "VIPS_DISC_THRESHOLD": "1000g",  # nothing can be written to a file here
}
_MEMORY = re.compile(r"^(VmRSS|VmData):\s+(\d+) kB", re.MULTILINE)


class ProcessNotStarted(RuntimeError):
    """A decoder process did not start, for example because the package lacks a library.

    No file is to blame, so this is not a StepError: the function fails and is retried.
    """


class ChildProcess:
    """A decoder process. Not thread-safe; after an error, call only ``end``."""

    def __init__(self, module: str, memory_mib: int) -> None:
        """Start the process without waiting until it is ready."""
        self.memory_mib, self.peak_bytes, self.data_bytes = memory_mib, 0, 0
        self._is_ready, self.was_used, self._output = False, False, bytearray()
        self._socket, theirs = socket.socketpair()
        path = [str(Path(entry or ".").absolute()) for entry in sys.path]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  this very interpreter and our own module
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(theirs.fileno()), module, str(memory_mib), *path],
                env=_FIXED | {name: os.environ[name] for name in _INHERITED if name in os.environ},
                cwd="/",
                stdin=subprocess.PIPE,  # never written to: the process ends when it is closed
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is meant for the function
            )
        self._socket.settimeout(0)
        assert self._process.stderr is not None  # noqa: S101  for the type checker
        self._stderr = self._process.stderr.fileno()
        os.set_blocking(self._stderr, False)
        self._poll = select.poll()
        for descriptor in (self._socket.fileno(), self._stderr):
            self._poll.register(descriptor, select.POLLIN)

    def wait_until_ready(self) -> None:
        """Wait until the libraries are loaded. Raises ProcessNotStarted."""
        if self._is_ready:
            return
        try:
            frame = self._read_frame(time.monotonic() + START_SECONDS)
        except (EOFError, MemoryError, TimeoutError, AnswerInvalid) as error:
            # ended_by waits for the process to end; its output is complete then.
            raise ProcessNotStarted(f"The decoder did not start: {self.ended_by}. {self.output}") from error
        self._is_ready = frame.body == {"ready": True}
        if not self._is_ready:
            raise ProcessNotStarted("The decoder sent an answer before any request.")

    def ask(self, request: bytes, descriptor: int, seconds: float) -> Frame:
        """Send a request for a file and return the answer.

        Raises EOFError if the process ended, TimeoutError, MemoryError if it exceeds its limit in spite of the
        kernel, and AnswerInvalid.
        """
        self.was_used, self.peak_bytes, self.data_bytes = True, 0, 0
        self._output.clear()
        deadline = time.monotonic() + seconds
        message = REQUEST_HEAD.pack(len(request)) + request
        try:
            sent = socket.send_fds(self._socket, [message], [descriptor])
            self._socket.settimeout(seconds)
            self._socket.sendall(message[sent:])
            self._socket.settimeout(0)
        except TimeoutError:
            raise
        except OSError:
            raise EOFError from None
        frame = self._read_frame(deadline)
        peak = frame.body.get("peak_bytes")  # polling may have missed it
        if type(peak) is int:
            self.peak_bytes = max(self.peak_bytes, peak)
        return frame

    @property
    def is_sound(self) -> bool:
        """Return whether it is running and has sent nothing without a request."""
        return self._process.poll() is None and not (self._is_ready and self._has_sent_more())

    @property
    def output(self) -> str:
        """Return the end of its standard error."""
        self._read_output()
        return self._output.decode(errors="backslashreplace").strip()

    @property
    def ended_by(self) -> str:
        """Wait a second at most for its end; return the signal or exit code."""
        code = self._reap(1)
        if code is None:
            return "a closed connection"
        with suppress(ValueError):
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"signal {-code}"

    def resident_bytes(self) -> int:
        """Return its current memory, 0 after its end, and update ``peak_bytes``."""
        try:
            found = dict(_MEMORY.findall(Path(f"/proc/{self._process.pid}/status").read_text()))
        except OSError:
            return 0
        resident = int(found.get("VmRSS", 0)) * 1024
        self.peak_bytes = max(self.peak_bytes, resident)
        self.data_bytes = max(self.data_bytes, int(found.get("VmData", 0)) * 1024)
        return resident

    def end(self) -> None:
        """Kill the process group and release its resources. Safe to call twice."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def detach(self) -> None:
        """Release it in a forked process, where it belongs to the parent."""
        self._process.returncode = 0  # else Popen would wait for, and warn about, a process that is not its child
        self._close()

    def _reap(self, seconds: float) -> int | None:
        """Return its exit code if it ends in time, and update ``peak_bytes``."""
        deadline = time.monotonic() + seconds
        while self._process.returncode is None and time.monotonic() < deadline:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if not pid:
                time.sleep(0.002)
                continue
            self._process.returncode = os.waitstatus_to_exitcode(status)
            # Between fork and exec the child counts this process's memory: a smaller peak is not its own.
            if used.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
                self.peak_bytes = max(self.peak_bytes, used.ru_maxrss * 1024)
        return self._process.returncode

    def _close(self) -> None:
        self._socket.close()
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read_frame(self, deadline: float) -> Frame:
        text_bytes, files_bytes = lengths_of(self._read(FRAME_HEAD.size, deadline))
        text = self._read(text_bytes, deadline)
        frame = unpack(text, self._read(files_bytes, deadline))
        if self._has_sent_more():
            raise AnswerInvalid("continued after its answer")
        return frame

    def _read(self, count: int, deadline: float) -> bytes:
        taken = bytearray()
        while len(taken) < count:
            self._wait(deadline)
            try:
                piece = self._socket.recv(min(_READ_BYTES, count - len(taken)))
            except BlockingIOError:
                continue
            except OSError:
                raise EOFError from None
            if not piece:
                raise EOFError
            taken += piece
        return bytes(taken)

    def _wait(self, deadline: float) -> None:
        """Return when the socket may be readable."""
        while True:
            rest = deadline - time.monotonic()
            if rest <= 0:
                raise TimeoutError
            ready = {descriptor for descriptor, _ in self._poll.poll(min(rest, _POLL_SECONDS) * 1000)}
            if self._stderr in ready:
                self._read_output()
            if self._socket.fileno() in ready:
                return
            if self.resident_bytes() > self.memory_mib * MIB * 1.25:
                raise MemoryError

    def _has_sent_more(self) -> bool:
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True  # also at its end

    def _read_output(self) -> None:
        try:
            data = os.read(self._stderr, 65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            with suppress(KeyError):
                self._poll.unregister(self._stderr)
        self._output = (self._output + data)[-_KEPT_BYTES:]
