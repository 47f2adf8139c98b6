"""What may the process that decodes images not do?

Everything it does not need: sockets, other programs, other processes, files, much memory, much
time. It keeps one socket to its parent and gets one open file per request.
"""

from __future__ import annotations

import ctypes
import platform
import resource
import signal
import struct
from pathlib import Path

MEMORY_BYTES = 1024 * 1024 * 1024
"""What decoding may use beyond what the loaded libraries already do."""
REQUEST_CPU_SECONDS = 10

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_MODE_FILTER = 2
_RETURN_ALLOW, _RETURN_ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LOAD_WORD, _JUMP_EQUAL, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16
_CLONE3 = 435
_CLONE_THREAD = 0x00010000

# Numbers of the refused system calls: socket, connect, bind, listen, fork, vfork, execve,
# execveat, ptrace, kill, unlink, rename, mkdir, and their newer forms (Linux system call tables);
# before them the architecture's mark and its number of `clone`, which may only make threads.
_REFUSED = {
    "x86_64": (
        0xC000003E,
        56,
        (41, 42, 49, 50, 57, 58, 59, 322, 101, 62, 87, 263, 82, 264, 316, 83, 258),
    ),
    "aarch64": (0xC00000B7, 220, (198, 203, 200, 201, 221, 281, 117, 129, 35, 38, 276, 34)),
}


def enter() -> None:
    """Give up, for good, everything that decoding does not need. Call it after the imports."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    limit = _virtual_bytes() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    allow_time()
    _refuse_calls(libc)


def allow_time() -> None:
    """Give the next request its share of processor time; the kernel ends what exceeds it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (spent + REQUEST_CPU_SECONDS, hard))


def _virtual_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def _refuse_calls(libc: ctypes.CDLL) -> None:
    """A seccomp filter that answers EPERM; other architectures go without this layer."""
    known = _REFUSED.get(platform.machine())
    if known is None:
        return
    program = _filter(*known)
    code = ctypes.create_string_buffer(program)
    count = len(program) // 8
    header = struct.pack("HxxxxxxP", count, ctypes.addressof(code))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the filter of system calls")


def _filter(architecture: int, clone: int, numbers: tuple[int, ...]) -> bytes:
    """A classic BPF program over struct seccomp_data (seccomp(2)).

    clone3 is answered ENOSYS: the C library then uses clone, whose flags can be looked at.
    """
    # Where each step stands; a jump is the distance from the step after its own.
    allow = 5 + len(numbers)
    flags, unknown, refused, thread = allow + 1, allow + 3, allow + 4, allow + 5
    steps = [
        (_LOAD_WORD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_EQUAL, 0, refused - 2, architecture),
        (_LOAD_WORD, 0, 0, _AT_NUMBER),
        (_JUMP_EQUAL, unknown - 4, 0, _CLONE3),
        (_JUMP_EQUAL, flags - 5, 0, clone),
        *((_JUMP_EQUAL, refused - 6 - n, 0, number) for n, number in enumerate(numbers)),
        (_RETURN, 0, 0, _RETURN_ALLOW),
        (_LOAD_WORD, 0, 0, _AT_FIRST_ARGUMENT),
        (_JUMP_IF_SET, thread - flags - 2, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _RETURN_ERRNO | _ENOSYS),
        (_RETURN, 0, 0, _RETURN_ERRNO | _EPERM),
        (_RETURN, 0, 0, _RETURN_ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
