"""A whole server as its users see it: a real process with accounts, raw clients, and what arrived.

Accounts are made through the control socket, so that each test has one of its own. The clients are
those of the SMTP and IMAP tests; `Pinger` measures in a process of its own how fast others are
served meanwhile.
"""

import asyncio
import itertools
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.fields import Endpoint
from mailserver import control
from tests.support import imap_server, smtp_receiving
from tests.support.server import PASSWORD, ROOT, ServerProcess, configuration

SENDER = "friend@elsewhere.test"
TRACE = re.compile(
    rb"Return-Path: <[^<>\r\n]*>\r\nReceived: from [^\r\n]+(?:\r\n\t[^\r\n]+)+\r\n"
    rb"(?:Authentication-Results: mx\.example\.test;(?:\r\n\t[^\r\n]+)+\r\n)?(?:\r\n)?"
)
"""What the server puts above a message; an empty line more where the message has no header."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Whole:
    """A running server."""

    process: ServerProcess

    async def account(self, quota: int = 0) -> str:
        """The address of a fresh account."""
        address = f"user{next(_numbers)}@example.test"
        await self.control(
            "account.add",
            address=address,
            password=PASSWORD,
            quota=quota,
            name="",
            admin=False,
        )
        return address

    async def control(self, operation: str, **args: object) -> Any:
        """An operation by the control socket, as the commands do it."""
        return await control.call(self.process.data, operation, args, lambda *_: None)

    @asynccontextmanager
    async def smtp(self, listener: str = "smtp") -> AsyncIterator[smtp_receiving.Client]:
        """A connection that has read nothing."""
        at = Endpoint(host="127.0.0.1", port=self.process.port(listener))
        client = await smtp_receiving.Client.connect(at, tls=listener == "submissions")
        try:
            yield client
        finally:
            client.close()

    @asynccontextmanager
    async def imap(
        self, account: str = "", mailbox: str = "INBOX", *, tls: bool = False
    ) -> AsyncIterator[imap_server.Client]:
        """A connection that has read the greeting; logged in when an account is named."""
        port = self.process.port("imaps" if tls else "imap")
        client = await imap_server.Client.connect(port, tls)
        try:
            assert (await client.line()).startswith(b"* OK")
            if account:
                await client.ok(f'LOGIN {account} "{PASSWORD}"')
                await client.ok(f'SELECT "{mailbox}"')
            yield client
        finally:
            await client.close()

    async def messages(self, account: str) -> list[bytes]:
        """Every message of the INBOX, octet for octet, in order of arrival."""
        async with self.imap(account) as client:
            await client.ok("ENABLE UTF8=ACCEPT")  # else headers beyond ASCII come encoded
            found = []
            for uid in await uids(client):
                found.append(await body_of(client, uid))
            return found

    async def count(self, account: str) -> int:
        """Messages in the INBOX."""
        async with self.imap(account) as client:
            return len(await uids(client))

    def complaints(self) -> list[str]:
        """Lines of the log that tell of errors of the server's own."""
        wrong = ('"level":"error"', '"level":"critical"', "Traceback")
        return [line for line in self.process.log if any(word in line for word in wrong)]


class WatchedProcess(ServerProcess):
    """The server with tests/support/watched.py around it."""

    def popen(self) -> subprocess.Popen[str]:
        watched = ROOT / "tests" / "support" / "watched.py"
        return subprocess.Popen(
            [sys.executable, str(watched), "--config", str(self.config), "serve"],
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )

    def blocked(self) -> list[dict[str, Any]]:
        """The longest times without a turn of the loop, worst first; after the server stopped."""
        (found,) = self.events("loop")
        worst: list[dict[str, Any]] = found["worst"]
        return worst


class ColdProcess(ServerProcess):
    """Has the memory and the limits of a server that shares nothing with the tests."""

    warm = False


@contextmanager
def whole(
    folder: Path, extra: str = "", *, made: type[ServerProcess] = ServerProcess
) -> Iterator[Whole]:
    """Serves inside the block; a complaint in the log at its end is a failure."""
    with made(folder / "server", configuration(extra=extra, lmtp=True)) as process:
        running = Whole(process)
        yield running
        assert process.process is not None
        assert process.process.poll() is None, "\n".join(process.log[-30:])
        assert not running.complaints(), "\n".join(running.complaints()[:3])


async def uids(client: imap_server.Client) -> list[int]:
    """All UIDs of the selected mailbox."""
    lines = await client.ok("UID SEARCH ALL")
    (found,) = [line for line in lines if line.startswith(b"* SEARCH")]  # EXISTS may come beside it
    return [int(word) for word in found.split()[2:]]


async def body_of(client: imap_server.Client, uid: int) -> bytes:
    """BODY.PEEK[] of one message."""
    return await fetched(client, f"UID FETCH {uid} (BODY.PEEK[])")


async def fetched(client: imap_server.Client, command: str) -> bytes:
    """The one literal of the only answer to a FETCH of a section."""
    (response,) = await client.ok(command)
    found = re.search(rb"BODY\[[^\]]*\](?:<\d+>)? (?:\{(\d+)\}\r\n|(NIL)|\"([^\"]*)\")", response)
    assert found is not None, response[:200]
    if found[1] is None:
        return found[3] or b""
    start = found.end()
    assert len(response) >= start + int(found[1])
    return response[start : start + int(found[1])]


def without_trace(message: bytes) -> bytes:
    """A delivered message as its sender sent it."""
    found = TRACE.match(message)
    assert found is not None, message[:500]
    return message[found.end() :]


def stuffed(message: bytes) -> bytes:
    """A message as DATA carries it, without the dot that ends it (RFC 5321 §4.5.2)."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]


@dataclass(frozen=True, slots=True)
class Pings:
    """Round trips of one command, in milliseconds."""

    count: int
    median: float
    p99: float
    worst: float

    def __str__(self) -> str:
        return (
            f"{self.count} pings: median {self.median:.1f} ms, p99 {self.p99:.1f} ms,"
            f" max {self.worst:.1f} ms"
        )


class Pinger:
    """An idle user's NOOPs, one every 5 ms, while others work; read `pings` after the block."""

    def __init__(self, server: Whole, account: str, source: str = "127.0.0.1") -> None:
        self._arguments = [str(server.process.port("imap")), account, PASSWORD, source]
        self.pings = Pings(0, 0, 0, 0)

    async def __aenter__(self) -> "Pinger":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "tests" / "support" / "pinging.py"),
            *self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"pinging\n"
        return self

    async def __aexit__(self, *_: object) -> None:
        output = (await self._process.communicate(b"\n"))[0]
        self.pings = Pings(**json.loads(output))
