"""What the kernel forbids a decoder, should a file take it over, and how the function hides its memory from it.

Both have the same user, so the kernel would let a decoder read its function's environment, which holds credentials on
Lambda, ask the runtime's interface on 127.0.0.1 for the next event, or kill the function. A filter refuses the calls
for that: no new process or program, no socket, no signal to another, no reading of others' memory. It lists what is
forbidden, so that what libraries do otherwise goes on; what a call opens is no filter's to see, and writing to files is
forbidden by RLIMIT_FSIZE. https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_CLONE_THREAD = 0x10000
# Whose process a descriptor's signals go to, and which signals: F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP.
_FCNTL_SIGNALS, _IOCTL_SIGNALS = (8, 10, 15), (0x8901, 0x8902)


@dataclass(frozen=True)
class Processor:
    """The numbers of a processor's calls: Linux' asm/unistd.h. ``audit`` names the processor to a filter."""

    audit: int
    forbidden: Sequence[int]
    own_process_only: Sequence[int]
    clone: int
    fcntl: int
    ioctl: int
    seccomp: int
    highest: int  # numbers from here on are another ABI's, and forbidden


# Alike on all processors: pidfd_send_signal, io_uring_setup, _enter, _register, pidfd_open, pidfd_getfd,
# process_madvise, process_mrelease.
_ALIKE = (424, 425, 426, 427, 434, 438, 440, 448)
_CLONE3 = 435
_MACHINES: Mapping[str, Processor] = {
    "x86_64": Processor(
        audit=0xC000003E,
        # socket, connect, bind, fork, vfork, execve, execveat, ptrace, process_vm_readv, _writev, tkill,
        # rt_sigqueueinfo, rt_tgsigqueueinfo, bpf, userfaultfd, perf_event_open, unshare, setns
        forbidden=(41, 42, 49, 57, 58, 59, 322, 101, 310, 311, 200, 129, 297, 321, 323, 298, 272, 308, *_ALIKE),
        own_process_only=(62, 234, 302),  # kill, tgkill, prlimit64
        clone=56, fcntl=72, ioctl=16, seccomp=317, highest=0x40000000,
    ),
    "aarch64": Processor(
        audit=0xC00000B7,
        # the same, without fork and vfork, which it does not have
        forbidden=(198, 203, 200, 221, 281, 117, 270, 271, 130, 138, 240, 280, 282, 241, 97, 268, *_ALIKE),
        own_process_only=(129, 131, 261),
        clone=220, fcntl=25, ioctl=29, seccomp=277, highest=0x40000000,
    ),
}  # fmt: skip

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_NUMBER_AT, _AUDIT_AT, _ARGUMENTS_AT = 0, 4, 16
type _Instruction = tuple[int, int, int, int]  # code, how many to skip if true, and if false, value


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def hide_memory() -> None:
    """Keep other processes of this user out of this one's memory and environment, and this one without core dumps.

    It concerns this process alone: one that it starts has a life of its own.
    https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html
    """
    _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine() -> bool:
    """Forbid this process, in all its threads and for good, what no decoder needs. Return whether the kernel agreed.

    A kernel that knows no filters, or a processor that has none here, leaves the other limits as they are.
    """
    libc, machine = _libc(), _MACHINES.get(platform.machine())
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or machine is None:
        return False
    code = packed(program(machine, os.getpid()))
    described = _Program(len(code) // 8, code)
    flags = _SECCOMP_FILTER_FLAG_TSYNC
    refused: int = libc.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(described))
    return not refused


def program(machine: Processor, pid: int) -> list[_Instruction]:
    """Return the filter of a process: a forbidden call fails with EPERM."""
    refuse = _fail(errno.EPERM)
    # clone3 has its flags in memory, where no filter sees them: without it, libraries take clone.
    rules = [_rule(_CLONE3, [_fail(errno.ENOSYS)])]
    rules += [_rule(number, [refuse]) for number in machine.forbidden]
    rules += [_rule(number, _unless_argument(0, (pid, 0), refuse)) for number in machine.own_process_only]
    rules += [
        _rule(machine.clone, [_load_argument(0), (_ANY_BIT, 1, 0, _CLONE_THREAD), refuse, _done(_ALLOW)]),
        _rule(machine.fcntl, _if_argument(1, _FCNTL_SIGNALS, refuse)),
        _rule(machine.ioctl, _if_argument(1, _IOCTL_SIGNALS, refuse)),
    ]
    start = [
        (_LOAD, 0, 0, _AUDIT_AT), (_EQUAL, 1, 0, machine.audit), _done(_KILL),
        (_LOAD, 0, 0, _NUMBER_AT), (_AT_LEAST, 0, 1, machine.highest), refuse,
    ]  # fmt: skip
    return [*start, *chain.from_iterable(rules), _done(_ALLOW)]


def packed(instructions: Sequence[_Instruction]) -> bytes:
    """Return a filter as the kernel takes it: each instruction a struct sock_filter."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def _rule(number: int, body: Sequence[_Instruction]) -> list[_Instruction]:
    """Return what decides on one call: its ``body`` always ends with a verdict."""
    return [(_EQUAL, 0, len(body), number), *body]


def _unless_argument(position: int, values: Sequence[int], verdict: _Instruction) -> list[_Instruction]:
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_load_argument(position), *tests, verdict, _done(_ALLOW)]


def _if_argument(position: int, values: Sequence[int], verdict: _Instruction) -> list[_Instruction]:
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_load_argument(position), *tests, _done(_ALLOW), verdict]


def _load_argument(position: int) -> _Instruction:
    return _LOAD, 0, 0, _ARGUMENTS_AT + 8 * position  # its lower half: both processors are little-endian


def _fail(error: int) -> _Instruction:
    return _done(0x00050000 | error)


def _done(verdict: int) -> _Instruction:
    return _RETURN, 0, 0, verdict


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
