"""One decoder's process as the function sees it: started, asked, watched over, ended."""

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

from lambdas.shared.decoding.limits import MIB
from lambdas.shared.decoding.wire import FRAME_HEAD, REQUEST_HEAD, AnswerInvalid, Frame, lengths_of, unpack

START_SECONDS = 30
_LOOK_SECONDS = 0.05
_READ_BYTES = 256 * 1024
_KEPT_WORDS = 4096
# The module that the process runs. Its path is that of this process, given by arguments: Python takes none of the
# environment's (-I), and no site's (-S).
WORKER = "lambdas.shared.decoding.worker"
_BOOTSTRAP = (
    "import sys; descriptor, module, memory_mib, *sys.path[:] = sys.argv[1:]; "
    f"from {WORKER} import main; main(int(descriptor), module, int(memory_mib))"
)
# Of this process' environment: how a program finds its libraries, and how it reads texts. No credentials.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_FIXED = {
    "MALLOC_ARENA_MAX": "2",  # each arena keeps what it has freed
    "OMP_NUM_THREADS": "1",
    "VIPS_BLOCK_UNTRUSTED": "1",
    "VIPS_CONCURRENCY": "1",
    "VIPS_DISC_THRESHOLD": "1000g",  # nothing can be written to a file here
}
_MEMORY = re.compile(r"^(VmRSS|VmData):\s+(\d+) kB", re.MULTILINE)


class ProcessNotStarted(RuntimeError):
    """A decoder's process does not come up: the package lacks a library, say. No file's fault; the text has its words.

    It is no StepError: the function fails, and is tried again.
    """


class ChildProcess:
    """A decoder's process. It is one thread's at a time; after an error it is only good for ``end``."""

    def __init__(self, module: str, memory_mib: int) -> None:
        """Start it, without waiting until it is ready."""
        self.memory_mib, self.peak_bytes, self.data_bytes = memory_mib, 0, 0
        self._is_ready, self.was_used, self._words = False, False, bytearray()
        self._socket, theirs = socket.socketpair()
        path = [str(Path(entry or ".").absolute()) for entry in sys.path]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  this very interpreter and our own module
                [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(theirs.fileno()), module, str(memory_mib), *path],
                env=_FIXED | {name: os.environ[name] for name in _INHERITED if name in os.environ},
                cwd="/",
                stdin=subprocess.PIPE,  # never written to: its end is ours
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the function
            )
        self._socket.settimeout(0)
        assert self._process.stderr is not None  # noqa: S101  a pipe was asked for
        self._stderr = self._process.stderr.fileno()
        os.set_blocking(self._stderr, False)
        self._poll = select.poll()
        for descriptor in (self._socket.fileno(), self._stderr):
            self._poll.register(descriptor, select.POLLIN)

    def wait_until_ready(self) -> None:
        """Wait for the libraries to be loaded. Raises ProcessNotStarted."""
        if self._is_ready:
            return
        try:
            frame = self._read_frame(time.monotonic() + START_SECONDS)
        except (EOFError, MemoryError, TimeoutError, AnswerInvalid) as error:
            # Its words are whole once it has ended.
            raise ProcessNotStarted(f"The decoder did not start: {self.ended_by}. {self.words}") from error
        self._is_ready = frame.body == {"ready": True}
        if not self._is_ready:
            raise ProcessNotStarted("The decoder answered before it was asked.")

    def ask(self, request: bytes, descriptor: int, seconds: float) -> Frame:
        """Return the answer to a request on a file.

        Raises EOFError where the process ended, TimeoutError where it was too slow, MemoryError where it holds more
        than it may in spite of its limit, and AnswerInvalid.
        """
        self.was_used, self.peak_bytes, self.data_bytes = True, 0, 0
        self._words.clear()
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
        return self._read_frame(deadline)

    @property
    def is_sound(self) -> bool:
        """Return whether it can be asked: it lives, and has sent nothing unasked."""
        return self._process.poll() is None and not (self._is_ready and self._has_spoken())

    @property
    def words(self) -> str:
        """Return the end of what libraries in it have printed."""
        self._keep_words()
        return self._words.decode(errors="backslashreplace").strip()

    @property
    def ended_by(self) -> str:
        """Return how it ended: the signal's name, or its exit code. Waits for it, a moment."""
        code = self._reap(1)
        if code is None:
            return "a closed connection"
        with suppress(ValueError):
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"signal {-code}"

    def resident_bytes(self) -> int:
        """Return its memory now, having noted it for ``peak_bytes``; 0 once it is gone."""
        try:
            found = dict(_MEMORY.findall(Path(f"/proc/{self._process.pid}/status").read_text()))
        except OSError:
            return 0
        resident = int(found.get("VmRSS", 0)) * 1024
        self.peak_bytes = max(self.peak_bytes, resident)
        self.data_bytes = max(self.data_bytes, int(found.get("VmData", 0)) * 1024)
        return resident

    def note_peak(self, said: object) -> None:
        """Take the process' word for its peak, which looking at it from time to time may have missed."""
        if type(said) is int:
            self.peak_bytes = max(self.peak_bytes, said)

    def end(self) -> None:
        """Kill it, with whatever it has started, and leave nothing of it. Safe to call twice."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Let go of it in a process that was forked, where it belongs to the parent."""
        self._process.returncode = 0  # else Popen would wait for, and warn of, a process that is not its child
        self._close()

    def _reap(self, seconds: float) -> int | None:
        """Return its exit code once it has ended, and note the memory it held then."""
        deadline = time.monotonic() + seconds
        while self._process.returncode is None and time.monotonic() < deadline:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if not pid:
                time.sleep(0.002)
                continue
            self._process.returncode = os.waitstatus_to_exitcode(status)
            # What was this process for a moment, between fork and exec, counts too: a smaller peak is not its own.
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
        if self._has_spoken():
            raise AnswerInvalid("went on after its answer")
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
        """Return when there is something to read from the socket, or may be."""
        while True:
            rest = deadline - time.monotonic()
            if rest <= 0:
                raise TimeoutError
            ready = {descriptor for descriptor, _ in self._poll.poll(min(rest, _LOOK_SECONDS) * 1000)}
            if self._stderr in ready:
                self._keep_words()
            if self._socket.fileno() in ready:
                return
            if self.resident_bytes() > self.memory_mib * MIB * 1.25:
                raise MemoryError

    def _has_spoken(self) -> bool:
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True  # also its end

    def _keep_words(self) -> None:
        try:
            words = os.read(self._stderr, 65_536)
        except BlockingIOError:
            return
        except OSError:
            words = b""
        if not words:
            with suppress(KeyError):
                self._poll.unregister(self._stderr)
        self._words = (self._words + words)[-_KEPT_WORDS:]
