"""A hostile file reaches no secrets, no network and no other process."""

import errno
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence

import pytest

from lambdas.shared.decoding.confinement import _MACHINES, Processor, program
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Limits
from lambdas.shared.decoding.receiving import receive

PID = 4321
ALLOWED, KILLED = "allowed", "killed"
OPENAT = {"x86_64": 257, "aarch64": 56}
MACHINES = pytest.mark.parametrize("machine", _MACHINES.values(), ids=_MACHINES)


def test_a_decoder_cannot_affect_other_processes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as runtime, receive("key", [b"bytes"], 10) as received:
        decoder = Decoder("tests.lambdas.shared.decoding.odd_jobs")
        given = {"port": runtime.getsockname()[1]}
        done = set(decoder.run(received, "key", "image/jpeg", Limits(), {"job": "break_out", **given}).answer["done"])
        decoder.close()

    # Root can read all memory; the next test runs as another user.
    also = {"read the function's environment"} if os.getuid() == 0 else set()
    assert done - also == {"start a thread", "signal itself", "limit itself"}


FUNCTION = """
import os, sys
sys.path[:0] = sys.argv[1:]
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Limits
from lambdas.shared.decoding.receiving import receive
from pathlib import Path
assert os.getuid() != 0
with receive("key", [b"bytes"], 100) as received:
    decoder = Decoder("tests.lambdas.shared.decoding.odd_jobs")
    for _ in range(2):
        run = decoder.run(received, "key", "a/b", Limits(), {"job": "break_out", "port": 9})
    print(*run.answer["done"], decoder.last_peak_bytes > 0, sep="; ")
    decoder.close()
"""


@pytest.mark.skipif(
    os.getuid() == 0 and not shutil.which("setpriv"),
    reason="root reads all memory, and setpriv of util-linux, which runs a test as another user, is not installed",
)
def test_a_decoder_of_the_same_user_cannot_read_the_environment() -> None:
    # Root becomes a user who may read all files, since the interpreter may be in root's home, but not all memory.
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+dac_read_search"]
    become += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
    become = become if os.getuid() == 0 else []
    path = [entry for entry in sys.path if entry]

    done = subprocess.run(
        [*become, sys.executable, "-c", FUNCTION, *path], check=False, capture_output=True, text=True, timeout=30
    )

    assert done.stdout.strip() == "start a thread; signal itself; limit itself; True", done.stderr


@MACHINES
def test_system_calls_that_no_decoder_needs_fail(machine: Processor) -> None:
    refused = errno.errorcode[errno.EPERM]

    assert {verdict(machine, number) for number in machine.forbidden} == {refused}
    assert {verdict(machine, number, PID + 1) for number in machine.own_process_only} == {refused}
    assert {verdict(machine, number, 2**32 - 1) for number in machine.own_process_only} == {refused}
    assert {verdict(machine, machine.fcntl, 0, command) for command in (8, 10, 15)} == {refused}
    assert {verdict(machine, machine.ioctl, 0, command) for command in (0x8901, 0x8902)} == {refused}
    assert verdict(machine, machine.clone, 0x01200011) == refused  # fork
    assert verdict(machine, machine.highest + 59) == refused  # x32's execve
    assert verdict(machine, 435) == "ENOSYS"  # clone3
    assert verdict(machine, 0, audit=0x40000003) == KILLED  # i386's calls have other numbers


@MACHINES
def test_system_calls_that_a_decoder_needs_succeed(machine: Processor) -> None:
    assert {verdict(machine, number, PID) for number in machine.own_process_only} == {ALLOWED}
    assert verdict(machine, machine.clone, 0x003D0F00) == ALLOWED  # a thread
    assert verdict(machine, machine.fcntl, 0, 3) == ALLOWED
    assert verdict(machine, machine.ioctl, 0, 0x5401) == ALLOWED
    assert verdict(machine, OPENAT["x86_64" if machine.clone == 56 else "aarch64"]) == ALLOWED


def verdict(machine: Processor, number: int, *arguments: int, audit: int | None = None) -> str:
    """Return the kernel's verdict on a call, by running the filter as it does."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, machine.audit if audit is None else audit, 0, *given)
    return run_filter(program(machine, PID), data)


def run_filter(code: bytes, data: bytes) -> str:
    instructions: Sequence[tuple[int, int, int, int]] = list(struct.iter_unpack("=HBBI", code))
    taken, place = 0, 0
    while True:
        operation, if_true, if_false, value = instructions[place]
        place += 1
        if operation == 0x20:
            taken = int.from_bytes(data[value : value + 4], "little")
        elif operation == 0x06:
            names = {0x7FFF0000: ALLOWED, 0x80000000: KILLED}
            return names.get(value) or errno.errorcode[value & 0xFFFF]
        else:
            found = {0x15: taken == value, 0x35: taken >= value, 0x45: bool(taken & value)}[operation]
            place += if_true if found else if_false
