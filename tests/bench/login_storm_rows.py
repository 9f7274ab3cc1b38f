"""Logins when all clients come back at once, and while strangers guess passwords; no peer does the
same by default, so that the figures have bounds instead.

A thousand accounts with hashes of twelve rounds, a client and an address of 127.0.0.0/8 each, over
IMAP. Nobody counts as local, so that every limit holds; blocking is off in the flood, so that it
lasts.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from auth.password import hash_password
from config.load import load
from mailserver.opening import close_services, open_services
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.server import ServerProcess

CLIENTS = 1000
ATTACKERS = 100
A_SECOND = 1000
SECONDS = 30
PASSWORD = "correct horse"
CONFIG = """
hostname = "mx.bench.test"
domains = ["bench.test"]
[listen]
smtp = []
submission = []
submissions = []
managesieve = []
imap = ["127.0.0.1:0"]
imaps = []
http = []
https = []
[auth]
plaintext_from = ["127.0.0.0/8"]
bcrypt_rounds = 12
block_after = 0
[filters]
local_networks = []
[dns]
nameservers = ["127.0.0.1:9"]
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, and how many of the flood were sent and how they were answered."""

    crash: float
    restart: float
    known: float
    others: float
    sent: int
    answers: dict[str, int]


def _home(number: int) -> str:
    return f"127.2.{number // 250}.{number % 250 + 1}"


def _user(number: int) -> str:
    return f"u{number}@bench.test"


class Client:
    """One IMAP connection from an address."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def connected(cls, port: int, address: str) -> "Client":
        opened = asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        client = cls(*await asyncio.wait_for(opened, 60))
        greeting = await client._reader.readline()
        if not greeting.startswith(b"* OK"):
            client.close()
            raise ConnectionError(greeting.decode())
        return client

    async def login(self, user: str, password: str) -> str:
        """OK, or the code or first words of what was answered."""
        self.writer.write(f'a LOGIN {user} "{password}"\r\n'.encode())
        while True:
            line = await self._reader.readline()
            if not line:
                raise ConnectionError
            if line.startswith(b"a "):
                return line.split()[1].decode() + (
                    line.split()[2].decode() if b"a NO" in line else ""
                )

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def _timed_login(port: int, number: int, address: str) -> AsyncIterator[float]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    client = await Client.connected(port, address)
    answer = await client.login(_user(number), PASSWORD)
    if answer != "OK":
        raise RuntimeError(f"{_user(number)} was refused: {answer}")
    yield loop.time() - begun
    client.close()


async def _storm(port: int) -> float:
    """Seconds until every client is in."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    clients: list[Client] = []

    async def come(number: int) -> None:
        client = await Client.connected(port, _home(number))
        clients.append(client)
        answer = await client.login(_user(number), PASSWORD)
        if answer != "OK":
            raise RuntimeError(f"{_user(number)} was refused: {answer}")

    await asyncio.gather(*map(come, range(CLIENTS)))
    took = loop.time() - begun
    for client in clients:
        client.close()
    return took


class Flood:
    """Wrong passwords from many addresses at many accounts, at a steady rate."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.sent = 0
        self.answers: Counter[str] = Counter()
        self._idle: list[deque[Client]] = [deque() for _ in range(ATTACKERS)]
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        number = 0
        while True:
            due = int((loop.time() - begun) * A_SECOND)
            while number < due:
                task = asyncio.create_task(self._try(number))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                number += 1
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for idle in self._idle:
            for client in idle:
                client.close()

    async def _try(self, number: int) -> None:
        attacker = number % ATTACKERS
        idle = self._idle[attacker]
        client = None
        try:
            client = idle.popleft() if idle else None
            if client is None:
                client = await Client.connected(self._port, f"127.3.{attacker}.1")
            self.sent += 1
            account = (number // ATTACKERS + attacker) % ATTACKERS
            self.answers[await client.login(_user(account), f"wrong {number}")] += 1
            idle.append(client)
        except (OSError, ConnectionError):
            self.answers["not connected"] += 1
            if client is not None:
                client.close()


async def _under_flood(port: int) -> tuple[float, float, Flood]:
    """The longest logins from known addresses and from new ones while the flood lasts."""
    flood = Flood(port)
    running = asyncio.create_task(flood.run())
    await asyncio.sleep(5)
    known: list[float] = []
    others: list[asyncio.Task[float]] = []

    async def other(number: int) -> float:
        async with _timed_login(port, number, f"127.4.{number}.1") as took:
            return took

    for number in range(SECONDS):
        others.append(asyncio.create_task(other(number)))
        async with _timed_login(port, number + SECONDS, _home(number + SECONDS)) as took:
            known.append(took)
        await asyncio.sleep(0.7)
    slowest = max(await asyncio.gather(*others))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await flood.stop()
    return max(known), slowest, flood


async def _add_accounts(config: Path) -> None:
    services = await open_services(config, load(config))
    hashed = hash_password(PASSWORD, 12)
    try:
        for number in range(CLIENTS):
            await services.directory.add_account(_user(number), hashed)
        accounts = await services.directory.accounts()
        await asyncio.gather(*(services.store.add_account(one.id) for one in accounts))
    finally:
        await close_services(services)


def _say(text: str) -> None:
    print(f"login storm: {text}", file=sys.stderr, flush=True)


def measure(folder: Path) -> Figures:
    """All of it, on a fresh server in `folder`."""
    server = ServerProcess(folder, CONFIG)
    asyncio.run(_add_accounts(server.config))
    _say("accounts are there")
    server.start()
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.start(120)
    crash = asyncio.run(_storm(server.port("imap")))
    _say(f"back after a crash: {crash:.1f} s")
    server.stop()
    server.start(120)
    restart = asyncio.run(_storm(server.port("imap")))
    _say(f"back after a restart: {restart:.1f} s")
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    server.start(120)
    known, others, flood = asyncio.run(_under_flood(server.port("imap")))
    server.stop()
    _say(f"flood: {known:.2f} s from known addresses, {others:.2f} s from others, {flood.answers}")
    return Figures(crash, restart, known, others, flood.sent, dict(flood.answers))


_measured: list[Figures] = []


def _figures(side: Side) -> Figures:
    """One measurement for all rows: a crash of a thousand clients takes minutes."""
    if not side.ours:
        return Figures(0, 0, 0, 0, 0, {})
    if not _measured:
        folder = Path(tempfile.mkdtemp(prefix="storm"))
        try:
            _measured.append(measure(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return _measured[0]


ROWS = [
    Row(
        "login storm: 1,000 clients back after a restart",
        "s",
        lambda side: _figures(side).restart,
        limit=30,
        once=True,
    ),
    Row(
        "login storm: 1,000 clients back after a crash",
        "s",
        lambda side: _figures(side).crash,
        limit=300,
        once=True,
    ),
    Row(
        "login flood: the slowest right login from an address known before",
        "s",
        lambda side: _figures(side).known,
        limit=1,
        once=True,
    ),
    Row(
        "login flood: the slowest right login from a new address",
        "s",
        lambda side: _figures(side).others,
        limit=30,
        once=True,
    ),
]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="storm") as name:
        print(measure(Path(name)))
