"""Restricts decoder processes with a seccomp filter, in case a hostile file controls one.

A decoder runs as the same user as its function. Unrestricted, it could read the function's environment (on Lambda, its
credentials), request the next event from the runtime API on 127.0.0.1, or kill the function. The filter denies new
processes and programs, sockets, signals to other processes and access to their memory. It is a deny list, so that
libraries keep working. It cannot check paths; RLIMIT_FSIZE prevents writing to files.
https://docs.kernel.org/userspace-api/seccomp_filter.html
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
# Which process a descriptor signals, and how: F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP.
_FCNTL_SIGNALS, _IOCTL_SIGNALS = (8, 10, 15), (0x8901, 0x8902)


@dataclass(frozen=True)
class Processor:
    """System call numbers of a processor, from Linux' asm/unistd.h. ``audit`` identifies it in a filter."""

    audit: int
    forbidden: Sequence[int]
    own_process_only: Sequence[int]
    clone: int
    fcntl: int
    ioctl: int
    seccomp: int
    highest: int  # higher numbers belong to another ABI and are denied


# The same on all processors: pidfd_send_signal, io_uring_setup, _enter, _register, pidfd_open, pidfd_getfd,
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

type _Instruction = tuple[int, int, int, int]  # code, instructions to skip if true, and if false, value
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _AUDIT_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL = (_RETURN, 0, 0, 0x7FFF0000), (_RETURN, 0, 0, 0x80000000)
_DENY, _UNKNOWN_CALL = (_RETURN, 0, 0, 0x50000 | errno.EPERM), (_RETURN, 0, 0, 0x50000 | errno.ENOSYS)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def hide_memory() -> None:
    """Hide this process's memory and environment from other processes of the user.

    Also disables core dumps. Child processes do not inherit it.
    https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine() -> bool:
    """Permanently deny all threads of this process the system calls that no decoder needs.

    Returns False, and leaves only the other limits, if the kernel or the processor does not support the filter.
    """
    libc, machine = ctypes.CDLL(None, use_errno=True), _MACHINES.get(platform.machine())
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or machine is None:
        return False
    code = program(machine, os.getpid())
    described = _Program(len(code) // 8, code)
    flags = _SECCOMP_FILTER_FLAG_TSYNC
    refused: int = libc.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(described))
    return not refused


def program(machine: Processor, pid: int) -> bytes:
    """Return the filter for a process as struct sock_filter[]; denied calls fail with EPERM."""
    # clone3 has its flags in memory, which a filter cannot read; without it, libraries use clone.
    rules = [_rule(_CLONE3, [_UNKNOWN_CALL])]
    rules += [_rule(number, [_DENY]) for number in machine.forbidden]
    rules += [_rule(number, _compare(0, (pid, 0), _ALLOW, _DENY)) for number in machine.own_process_only]
    rules += [
        _rule(machine.clone, [_load_argument(0), (_ANY_BIT, 1, 0, _CLONE_THREAD), _DENY, _ALLOW]),
        _rule(machine.fcntl, _compare(1, _FCNTL_SIGNALS, _DENY, _ALLOW)),
        _rule(machine.ioctl, _compare(1, _IOCTL_SIGNALS, _DENY, _ALLOW)),
    ]
    start = [
        (_LOAD, 0, 0, _AUDIT_AT), (_EQUAL, 1, 0, machine.audit), _KILL,
        (_LOAD, 0, 0, _NUMBER_AT), (_AT_LEAST, 0, 1, machine.highest), _DENY,
    ]  # fmt: skip
    instructions = [*start, *chain.from_iterable(rules), _ALLOW]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def _rule(number: int, body: Sequence[_Instruction]) -> list[_Instruction]:
    """Return the instructions for one call; ``body`` must always return."""
    return [(_EQUAL, 0, len(body), number), *body]


def _compare(
    position: int, values: Sequence[int], if_equal: _Instruction, otherwise: _Instruction
) -> list[_Instruction]:
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_load_argument(position), *tests, otherwise, if_equal]


def _load_argument(position: int) -> _Instruction:
    return _LOAD, 0, 0, _ARGUMENTS_AT + 8 * position  # its lower half: both processors are little-endian
