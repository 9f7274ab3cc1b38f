"""A real server process for tests: its own folder, free ports, accounts, signals.

The process is started from the command line as an operator would; its log is kept.
"""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mailserver import control
from tests.support import warm
from tests.support.warm import Warm, WarmProcess

ROOT = Path(__file__).parents[2]
MAILSERVER = [sys.executable, "-m", "mailserver"]
PASSWORD = "correct horse"
LISTENERS = (
    *("smtp", "submission", "submissions", "lmtp"),
    *("imap", "imaps", "managesieve", "http", "https"),
)


def configuration(
    *,
    domains: Sequence[str] = ("example.test",),
    database: str = "sqlite",
    lmtp: bool = False,
    extra: str = "",
) -> str:
    """A configuration text on ports chosen by the system. `extra` is further TOML.

    Nobody answers questions of DNS, at once, unless `extra` has a name server.
    """
    listen = "\n".join(
        f'{name} = ["127.0.0.1:0"]' if name != "lmtp" or lmtp else "lmtp = []" for name in LISTENERS
    )
    dns = "" if "[dns]" in extra else '[dns]\nnameservers = ["127.0.0.1:9"]\n'
    return (
        f'hostname = "mx.example.test"\ndomains = {json.dumps(list(domains))}\n'
        f"[listen]\n{listen}\n"
        f'[auth]\nplaintext_from = ["127.0.0.0/8", "::1/128"]\nbcrypt_rounds = 4\n'
        f'[store]\ndatabase = "{database}"\n{dns}{extra}'
    )


class ServerProcess:
    """`with ServerProcess(folder) as server`: serves inside the block, gets SIGTERM after it.

    `warm`: by tests/support/warm.py, where there is one.
    """

    warm = True

    def __init__(
        self, folder: Path, config: str | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.config = folder / "mailserver.toml"
        if config is not None or not self.config.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.config.write_text(config if config is not None else configuration())
        self.environment = {**os.environ, **(environment or {}), "PYTHONPATH": str(ROOT)}
        # an installed program has its byte code; without, each command compiles what it imports
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.addresses: dict[str, tuple[str, int]] = {}
        self.log: list[str] = []
        self.process: subprocess.Popen[str] | WarmProcess | None = None

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
            self.stop()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def port(self, name: str) -> int:
        """The port of a listener by its name in [listen]."""
        return self.addresses[name][1]

    def command(
        self, *arguments: str, input_text: str = "", expect: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Runs `mailserver ARGUMENTS` with this configuration; checks the exit status."""
        words = ["--config", str(self.config), *arguments]
        if (imported := self._imported()) is not None:
            done = warm.run(imported, words, input_text, timeout=60)
        else:
            done = subprocess.run(
                [*MAILSERVER, *words],
                input=input_text,
                capture_output=True,
                text=True,
                env=self.environment,
                timeout=60,
                check=False,
            )
        if expect is not None:
            assert done.returncode == expect, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        """What a command with --json prints, parsed."""
        return json.loads(self.command(*arguments, "--json").stdout)

    def perform(self, operation: str, **args: object) -> Any:
        """What an operation of the running server gives, without a process for the command."""
        return asyncio.run(control.call(self.data, operation, args, lambda *_: None))

    def add_account(self, address: str, password: str = PASSWORD, *options: str) -> None:
        """Makes an account, through the running server or without one."""
        arguments = ("account", "add", address, "--password-stdin", *options)
        self.command(*arguments, input_text=password + "\n")

    def start(self, wait: float = 45) -> None:
        """Starts and waits for the ready event; fails with the log when it does not come."""
        self.spawn()
        self.wait_ready(wait)

    def spawn(self) -> None:
        """Starts the process and the reader of its log."""
        self.log = []
        self.process = self.popen()
        self._ready: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def popen(self) -> subprocess.Popen[str] | WarmProcess:
        """The serving process, its log in a pipe."""
        words = ["--config", str(self.config), "serve"]
        if (imported := self._imported()) is not None:
            return warm.serving(imported, words, self.folder)
        return subprocess.Popen(
            [*MAILSERVER, *words],
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )

    def _imported(self) -> Warm | None:
        return warm.warm_for(self.environment) if self.warm else None

    def wait_ready(self, wait: float = 45) -> None:
        """Returns when every listener accepts."""
        try:
            event = self._ready.get(timeout=wait)
        except queue.Empty:
            event = None
        assert event is not None, "the server did not start:\n" + "\n".join(self.log[-30:])
        for name, (first, *_) in event["listen"].items():
            host, _, port = first.rpartition(":")
            self.addresses[name] = (host, int(port))

    def _read(self, process: subprocess.Popen[str] | WarmProcess) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.rstrip("\n"))
            if '"event":"ready"' in line:
                self._ready.put(json.loads(line))
        process.stderr.close()
        self._ready.put(None)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 45) -> int:
        """The exit status."""
        assert self.process is not None
        status = self.process.wait(seconds)
        self._reader.join(5)
        return status

    def stop(self) -> int:
        """SIGTERM; asserts exit status 0."""
        self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        assert status == 0, "\n".join(self.log[-30:])
        return status

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.signal(signal.SIGKILL)
        self.wait()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log entries with that event."""
        entries = [json.loads(line) for line in self.log if line.startswith("{")]
        return [entry for entry in entries if entry.get("event") == name]


@asynccontextmanager
async def serving(
    folder: Path,
    extra: str = "",
    *,
    accounts: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    database: str = "sqlite",
) -> AsyncIterator[ServerProcess]:
    """A server beside peers in the test's own loop, with accounts (of PASSWORD) and aliases.

    SIGTERM at the end, also when the test failed; an exit status other than 0 fails it.
    """
    server = ServerProcess(folder, configuration(database=database, extra=extra), environment)
    try:
        await asyncio.to_thread(server.start)
        for address in accounts:
            args = {"address": address, "password": PASSWORD}
            await control.call(server.data, "account.add", args, lambda *_: None)
        for alias, target in (aliases or {}).items():
            made = {"alias": alias, "targets": [target]}
            await control.call(server.data, "alias.add", made, lambda *_: None)
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            await asyncio.to_thread(server.stop)


def until(check: Any, seconds: float = 30, pause: float = 0.02) -> Any:
    """The first true value of `check()`; fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)
    return value
