"""A real SmtpServer on loopback with a real directory and logins, and raw clients for it.

RecordingStore stands for the store where a test is about the protocol: it keeps each delivery, and
fails, waits or refuses when told to.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import structlog

from auth.login import Authenticator
from auth.password import hash_password
from config.clock import SystemClock
from config.fields import Endpoint
from config.logging import Logger
from config.settings import Settings
from filters.delivery import Delivery
from filters.dnslists import DnsLists
from filters.filter import Filter
from filters.forwarding import Forwarding
from filters.pipeline import Pipeline
from filters.registry import Tools
from filters.signing.keyring import Keyring
from filters.submitting import Submitting
from filters.virus_scanner import VirusScanner
from net.dns import Resolver
from net.threads import Offload
from net.tls import TlsContexts
from smtp.server import SmtpServer
from smtp.timeouts import Timeouts
from storage import values
from storage.directory import Directory
from storage.dkim_keys import DkimKeys
from storage.values import AccountId, Delivered, DeliveryResult, MailboxId, Usage
from tests.support.directories import PASSWORD, make_settings

# From here clients come that tests give other addresses, by the PROXY protocol.
PROXY = "127.0.0.77"
LOCAL = {
    "listen": {
        "smtp": ["127.0.0.1:0"],
        "submission": ["127.0.0.1:0"],
        "submissions": ["127.0.0.1:0"],
        "lmtp": ["127.0.0.1:0"],
        "proxy_protocol_from": [f"{PROXY}/32"],
    }
}
ADA, BEN = "ada@example.test", "ben@example.test"
OUTSIDE = "friend@elsewhere.test"


@dataclass(slots=True)
class RecordingStore:
    """What SMTP and delivery use of a Store."""

    spool_dir: Path
    delivered: list[values.Delivery] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    usages: dict[int, Usage] = field(default_factory=dict)
    failure: Exception | None = None
    room: bool = True
    gate: asyncio.Event | None = None
    at_gate: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = True

    def accepting(self, size: int) -> bool:
        return self.room

    async def usage(self, account: AccountId) -> Usage:
        return self.usages.get(account, Usage(0, 0))

    async def deliver(self, delivery: values.Delivery) -> DeliveryResult:
        if self.gate is not None:
            self.at_gate.set()
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        content = delivery.content
        body = content.data
        if content.path is not None:
            body = (await asyncio.to_thread(_take_over, content.path))[content.start :]
        if self.keep:
            self.delivered.append(delivery)
            first = delivery.local_prefix if delivery.local else b""
            self.bodies.append(first + content.prefix + (body or b""))
        local = [Delivered(one.account, MailboxId(1), 1) for one in delivery.local]
        return DeliveryResult(local, None)


def _take_over(path: Path) -> bytes:
    body = path.read_bytes()
    path.unlink()
    return body


@dataclass(slots=True)
class Receiving:
    """The parts of a running server."""

    settings: Settings
    store: RecordingStore
    directory: Directory
    server: SmtpServer
    pipeline: Pipeline
    delivery: Delivery
    offload: Offload
    lists: DnsLists
    forwarding: Forwarding
    scanner: VirusScanner
    clients: "list[Client]" = field(default_factory=list)

    def at(self, listener: str = "smtp") -> Endpoint:
        return self.server.addresses[listener][0]

    async def client(self, listener: str = "smtp") -> "Client":
        client = await Client.connect(self.at(listener), tls=listener == "submissions")
        self.clients.append(client)
        return client

    async def client_from(self, address: str) -> "Client":
        """A client that seems to come from an IPv4 address of the internet."""
        at = self.at()
        opened = await asyncio.open_connection(at.host, at.port, local_addr=(PROXY, 0))
        client = Client(*opened)
        client.write(f"PROXY TCP4 {address} 127.0.0.1 1025 25\r\n".encode())
        self.clients.append(client)
        return client

    async def quiet(self) -> None:
        """Returns when no connection is left."""
        async with asyncio.timeout(20):
            while self.server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    @property
    def body(self) -> bytes:
        """The only message, as it reached the store."""
        assert len(self.store.bodies) == 1
        return self.store.bodies[0]


class Client:
    """Raw bytes out, whole replies in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, endpoint: Endpoint, *, tls: bool = False) -> Self:
        context = client_context() if tls else None
        return cls(*await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> str:
        """The next reply, lines joined by LF, without the last line end; "" at the end."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 20)).decode()
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def say(self, line: str | bytes) -> str:
        """One command and its reply."""
        self.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def greet(self, verb: str = "EHLO") -> str:
        """Takes the greeting and says hello; returns what the server offers."""
        assert (await self.reply())[:3] == "220"
        return await self.say(f"{verb} client.test")

    async def begin(self, sender: str = OUTSIDE, *recipients: str, verb: str = "EHLO") -> None:
        """Up to DATA's 354."""
        await self.greet(verb)
        assert (await self.say(f"MAIL FROM:<{sender}>"))[:3] == "250"
        for recipient in recipients or (ADA,):
            assert (await self.say(f"RCPT TO:<{recipient}>"))[:3] == "250"
        assert (await self.say("DATA"))[:3] == "354"

    async def starttls(self) -> None:
        """After STARTTLS was answered."""
        await self.writer.start_tls(client_context())

    async def closed(self) -> bool:
        """True when the server has closed the connection."""
        return await asyncio.wait_for(self.reader.read(), 20) == b""

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Goes away without a word: RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


def without_id(reply: str) -> str:
    """A refusal's reply without the id under which it was recorded, which it must have."""
    text, found = re.subn(r" \(id [0-9a-f]+\.\d+\)$", "", reply)
    assert found, f"no id in: {reply}"
    return text


def client_context() -> ssl.SSLContext:
    """Trusts anybody: the certificate is not what these tests are about."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def receiving(
    folder: Path,
    *,
    timeouts: Timeouts | None = None,
    own_filters: list[Filter] | None = None,
    max_connections: int = 10_000,
    store: Any = None,
    **settings: Any,
) -> AsyncIterator[Receiving]:
    """A server with the accounts ada and ben, aliases `both`, `away`, `mixed`.

    Nobody answers questions of DNS, at once, unless the settings have a name server.
    """
    chosen = make_settings(folder, **{**LOCAL, **settings})
    clock, offload, log = SystemClock(), Offload(), plain_logger()
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    spool = chosen.data_dir / "tmp"
    spool.mkdir(exist_ok=True)
    directory = await Directory.open(chosen, clock, offload)
    await _fill(directory)
    recording: Any = store or RecordingStore(spool)
    authenticator = Authenticator(chosen, directory, offload, clock)
    nobody = [Endpoint(host="127.0.0.1", port=9)]
    resolver = Resolver(chosen.dns.nameservers or nobody, lifetime=2.0)
    lists = DnsLists(resolver, clock, log)
    scanner = VirusScanner(offload, clock, log)
    tools = Tools(clock, resolver, offload, directory, recording, lists=lists, scanner=scanner)
    pipeline = Pipeline(chosen, tools, log, filters=own_filters)
    await lists.check()
    keyring = Keyring(DkimKeys(directory.database), clock, offload, log)
    forwarding = Forwarding(chosen, directory, keyring, resolver, offload, clock, log)
    delivery = Delivery(chosen, directory, recording, clock, log, forwarding=forwarding)
    server = SmtpServer(
        chosen,
        pipeline,
        delivery,
        authenticator,
        directory,
        recording,
        await offload.disk(_contexts, chosen),
        clock,
        offload,
        log,
        submitting=Submitting(chosen, directory, clock, log),
        timeouts=timeouts or replace(Timeouts(), stop=1.0),
        max_connections=max_connections,
    )
    await server.start()
    running = Receiving(
        *(chosen, recording, directory, server, pipeline),
        *(delivery, offload, lists, forwarding, scanner),
    )
    try:
        yield running
    finally:
        for client in running.clients:
            client.close()
        await server.stop()
        scanner.close()
        await authenticator.close()
        await directory.close()
        await asyncio.to_thread(offload.close)


async def _fill(directory: Directory) -> None:
    if await directory.account(ADA):
        return
    hashed = hash_password(PASSWORD, 4)
    await directory.add_account(ADA, hashed, admin=True)
    await directory.add_account(BEN, hashed)
    await directory.add_account("gone@example.test", hashed)
    await directory.set_enabled("gone@example.test", False)
    await directory.add_alias("both@example.test", [ADA, BEN], send_as=True)
    await directory.add_alias("away@example.test", ["friend@far.test"])
    await directory.add_alias("mixed@example.test", [ADA, BEN, "friend@far.test"])


def plain_logger() -> Logger:
    """Prints without reading sources for tracebacks, which would block the loop."""
    logger: Logger = structlog.wrap_logger(
        structlog.PrintLogger(), processors=[structlog.processors.JSONRenderer(default=str)]
    )
    return logger


def _contexts(settings: Settings) -> TlsContexts:
    return TlsContexts.create(None, None, settings.data_dir, settings.hostname)
