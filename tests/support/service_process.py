"""A service of a server in a process of its own, as an operator would start it."""

import json
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.server import MAILSERVER, ServerProcess, until


class ServiceProcess:
    """`with ServiceProcess(server) as service`: registered inside the block."""

    def __init__(self, server: ServerProcess, *options: str, name: str = "auth") -> None:
        self._server, self._command = server, ["service", "serve", name, *options]
        self.log: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(45) == 0, "\n".join(self.log)

    def start(self) -> None:
        """Returns when it is ready."""
        self.log = []
        self.process = subprocess.Popen(
            [*MAILSERVER, "--config", str(self._server.config), *self._command],
            stderr=subprocess.PIPE,
            text=True,
            env=self._server.environment,
            cwd=self._server.folder,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        until(lambda: self.events("ready") or self.process.poll() is not None, 45)
        assert self.events("ready"), "\n".join(self.log)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(45)

    def events(self, name: str) -> list[dict[str, object]]:
        """Log entries with that event."""
        entries = [json.loads(line) for line in self.log if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == name]

    @property
    def place(self) -> str:
        """Where it listens."""
        return str(self.events("ready")[0]["place"])

    @property
    def socket(self) -> Path:
        return Path(self.place.removeprefix("unix:"))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.rstrip("\n"))
        process.stderr.close()
