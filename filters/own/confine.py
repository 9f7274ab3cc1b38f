"""What a filter process may use of the machine: memory, time, files, and no process of its own.

Blocks nothing that a filter needs, network included; it bounds mistakes. A filter is code of the
administrator and runs with the rights of the server.
"""

import ctypes
import os
import platform
import resource
import struct

FILE_SIZE = 16 * 1024**2
OPEN_FILES = 64

# Numbers of the system calls that make processes, by machine: fork, vfork, clone, clone3, execve,
# execveat; -1 where the machine has none.
_CALLS = {
    "x86_64": (0xC000003E, (57, 58, 56, 435, 59, 322)),
    "aarch64": (0xC00000B7, (-1, -1, 220, 435, 221, 281)),
}
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _DENY, _ABSENT = 0x7FFF0000, 0x00050001, 0x00050026
_THREAD = 0x00010000


def confine(memory: int) -> None:
    """Sets the limits of this process for good; `memory` in octets of address space."""
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, FILE_SIZE)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    forbid_processes()


def allow_cpu(seconds: float) -> None:
    """From here on so much processor time is left; the process is killed when it is used up, even
    if its server is gone.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def forbid_processes() -> bool:
    """Makes fork and exec fail with EPERM; threads may start. True when the kernel took it."""
    calls = _CALLS.get(platform.machine())
    if calls is None:
        return False
    program = _program(*calls)
    filters = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(filters))
    buffer = ctypes.create_string_buffer(header, len(header))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return not libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(buffer), 0, 0)


def _program(machine: int, calls: tuple[int, ...]) -> bytes:
    """seccomp's filter: clone of a thread passes, clone3 seems not to exist, so that clone is used
    in its place.
    """
    fork, vfork, clone, clone3, execve, execveat = calls
    lines = [(_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _ALLOW)]
    lines += [(_LOAD, 0, 0, _NUMBER)]
    for number in (fork, vfork, execve, execveat):
        if number >= 0:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _DENY)]
    lines += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _ABSENT)]
    lines += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    lines += [(_SET, 1, 0, _THREAD), (_RETURN, 0, 0, _DENY), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))


def end_with_parent(parent: int, seconds: float = 0.5) -> None:
    """Returns never; ends the process when its parent is gone. For a thread."""
    import time

    while os.getppid() == parent:
        time.sleep(seconds)
    os._exit(0)
