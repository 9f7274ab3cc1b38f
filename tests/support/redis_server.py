"""A real Redis server of a test's own, on a free port."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from types import TracebackType
from typing import Self

from tests.support.programs import SYSTEM_PATH, need
from tests.support.server import until

PASSWORD = "not to be shown"


class RedisServer:
    """`with RedisServer() as redis`: serves inside the block, at the same port after a restart."""

    def __init__(self) -> None:
        need("redis-server", "redis-cli")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/3"

    def __enter__(self) -> Self:
        self._folder = tempfile.mkdtemp(prefix="mailserver-redis-")
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Returns when it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        options |= {"dir": self._folder, "requirepass": PASSWORD, "logfile": ""}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        server = shutil.which("redis-server", path=SYSTEM_PATH)
        assert server is not None
        self._process = subprocess.Popen(
            [server, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self.ask("PING") == "PONG")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It takes connections and answers nothing, until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> str:
        """A command by redis-cli, "" when it fails."""
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), "-n", "3", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": SYSTEM_PATH, "REDISCLI_AUTH": PASSWORD},
        )
        return done.stdout.strip() if done.returncode == 0 else ""
