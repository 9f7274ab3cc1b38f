"""Starts `python -m mailserver ...` as a fork of a process that has imported the program already.

Importing takes a second of a core, and the tests start the program a thousand times. What is
started so is still a process of its own, run by its command line, with its pipes, signals and exit
status. What has an environment of its own is started the long way, as is everything outside of
pytest, and what tests start themselves (test_command_start.py, test_interop_start.py).

    python -m tests.support.warm SOCKET

is the process itself: one at a time it reads requests from the socket with the number SOCKET, each
with the files 0, 1, 2 and a pipe. To the pipe it writes a line with the number of the process, and
another with its exit status. It ends with the socket.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

from mailserver.operations.registry import load_all

ROOT = Path(__file__).parents[2]
MODULES = ("mailserver.cli.main", "mailserver.offline", "mailserver.serve")
OWN = "PYTEST_"
"""How the names of variables begin that change from test to test and mean nothing here."""
Files = tuple[int, int, int]

allowed = False
"""Set by pytest."""
_lock = threading.Lock()
_started: "Warm | None" = None


class WarmProcess:
    """What tests use of subprocess.Popen. `stderr` is the reading end of a pipe, if one was asked
    for.
    """

    def __init__(self, status: int, stderr: IO[str] | None) -> None:
        self._status, self._lock = os.fdopen(status, "rb", buffering=0), threading.Lock()
        self.stderr = stderr
        self.returncode: int | None = None
        self.pid = int(self._status.readline())

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, negative of a signal's number. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            if self.returncode is None:
                _wait_for(self._status.fileno(), deadline, timeout)
                self.returncode = os.waitstatus_to_exitcode(int(self._status.readline()))
                self._status.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _wait_for(file: int, deadline: float | None, timeout: float | None) -> None:
    waiting = select.poll()
    waiting.register(file, select.POLLIN)
    left = None if deadline is None else max(0, deadline - time.monotonic()) * 1000
    if not waiting.poll(left):
        raise subprocess.TimeoutExpired("mailserver", timeout or 0)


class Warm:
    """The process that is forked, and the way to it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = _compared(environment)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=ROOT,
            )
        self._requests = ours
        atexit.register(self._end)

    def _end(self) -> None:
        self._requests.close()
        self._process.wait(20)

    def popen(
        self, arguments: Sequence[str], folder: Path, files: Files, stderr: IO[str] | None = None
    ) -> WarmProcess:
        """Runs `mailserver ARGUMENTS` in `folder` with these files as 0, 1 and 2."""
        reading, writing = os.pipe()
        request = json.dumps([arguments, str(folder)]).encode()
        try:
            socket.send_fds(self._requests, [request], [*files, writing])
        finally:
            os.close(writing)
        return WarmProcess(reading, stderr)


def warm_for(environment: Mapping[str, str]) -> Warm | None:
    """None where a program with this environment is to be started the long way."""
    global _started
    if not allowed:
        return None
    with _lock:
        if _started is None:
            _started = Warm(environment)
    return _started if _started.environment == _compared(environment) else None


def serving(warm: Warm, arguments: Sequence[str], folder: Path) -> WarmProcess:
    """A process with its standard error in a pipe; the other two are those of the tests."""
    reading, writing = os.pipe()
    try:
        return warm.popen(arguments, folder, (0, 1, writing), os.fdopen(reading))
    finally:
        os.close(writing)


def run(
    warm: Warm, arguments: Sequence[str], input_text: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with `capture_output` and `text`."""
    names = ("input", "output", "errors")
    files = [os.fdopen(os.memfd_create(name), "w+", encoding="utf-8") for name in names]
    given, output, errors = files
    given.write(input_text)
    given.seek(0)
    numbers = (given.fileno(), output.fileno(), errors.fileno())
    try:
        process = warm.popen(arguments, Path.cwd(), numbers)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read(), errors.read())
    finally:
        for file in files:
            file.close()


def _compared(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(OWN)}


class _Forking:
    """The process itself."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._running: dict[int, int] = {}
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waking, False)

    def serve(self) -> tuple[list[str], str] | None:
        """In a forked process returns what it is to do, in the first one None at its end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking)
        waiting = select.poll()
        waiting.register(self._requests, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        while True:
            ready = [number for number, _ in waiting.poll()]
            if self._woken in ready:
                os.read(self._woken, 1 << 16)
                self._reap()
            if self._requests.fileno() in ready:
                request, files, _, _ = socket.recv_fds(self._requests, 1 << 16, 4)
                if not request:
                    return None
                arguments, folder = json.loads(request)
                if self._fork(files):
                    return arguments, folder

    def _fork(self, files: list[int]) -> bool:
        """Whether this is the new process."""
        *three, status = files
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number, file in enumerate(three):
                os.dup2(file, number)
            self._close()
        for file in three:
            os.close(file)
        if pid == 0:
            os.close(status)
            return True
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d\n" % pid)
        self._running[pid] = status
        return False

    def _close(self) -> None:
        self._requests.close()
        for file in (self._woken, self._waking, *self._running.values()):
            os.close(file)

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            file = self._running.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # nobody asks
                os.write(file, b"%d\n" % status)
            os.close(file)


def main() -> None:
    """Imports what the program has, then forks. Each forked process runs the command line."""
    for module in MODULES:
        import_module(module)
    load_all()
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()
    wanted = _Forking(socket.socket(fileno=int(sys.argv[1]))).serve()
    if wanted is None:
        return
    arguments, folder = wanted
    os.chdir(folder)
    sys.argv[1:] = arguments
    runpy.run_module("mailserver", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
