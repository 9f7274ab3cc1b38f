"""The host that relayed mail goes to: smtp-sink, which stays for as long as its side runs.

A sink that ended after the last message would take that message's reply with it, as often as not,
and be away when the sender asks again.
"""

import re
import subprocess
import threading
import time
from typing import IO

from tests.bench.peers import wait_for_port

_COUNTED = re.compile(rb"mesg=(\d+)\r")


class RelaySink:
    """Listens on a port of this machine and counts the messages that it has taken."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            ["/usr/sbin/smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{port}", "1000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._count, self._changed = 0, threading.Condition()
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="sink counter", daemon=True
        )
        self._reader.start()
        wait_for_port(port)

    @property
    def count(self) -> int:
        """Messages taken so far."""
        return self._count

    def wait(self, count: int, seconds: float) -> None:
        """Until so many messages were taken in all. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._count < count:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"the sink has {self._count} of {count} messages")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while piece := stream.read1(65536):  # type: ignore[attr-defined]
                if counted := _COUNTED.findall(piece):
                    with self._changed:
                        self._count = max(self._count, int(counted[-1]))
                        self._changed.notify_all()
