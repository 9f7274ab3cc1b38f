"""An IMAP server of its own on free ports for tests, with a real store, and a raw client."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import bcrypt

from auth.login import Authenticator
from config.clock import SystemClock
from config.logging import get_logger
from config.settings import Settings
from filters.virus_scanner import VirusScanner
from imap.context import Bounds, Timing
from imap.server import ImapServer
from net.threads import Offload
from net.tls import TlsContexts
from storage import store as stores
from storage.directory import Directory
from storage.metadata import Metadata
from storage.store import Store
from storage.values import AccountId, Content, Delivery, Flags, LocalRecipient, System
from tests.support.deflating import DeflatingWriter, inflate

USER, OTHER, ADMIN = "user@example.test", "other@example.test", "admin@example.test"
PASSWORD = "correct horse"
_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@dataclass(slots=True)
class Imap:
    """A serving IMAP server and what stands behind it."""

    server: ImapServer
    store: Store
    directory: Directory
    metadata: Metadata
    accounts: dict[str, AccountId]
    clients: "list[Client]" = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.addresses["imap"][0].port

    @property
    def tls_port(self) -> int:
        return self.server.addresses["imaps"][0].port

    async def deliver(
        self, data: bytes, mailbox: str = "INBOX", user: str = USER, flags: Sequence[str] = ()
    ) -> int:
        """A message arrives; its UID."""
        system = System.SEEN if "\\Seen" in flags else System(0)
        words = frozenset(flag for flag in flags if not flag.startswith("\\"))
        content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
        recipient = LocalRecipient(self.accounts[user], user, mailbox, Flags(system, words))
        result = await self.store.deliver(
            Delivery(content, "sender@example.org", time.time(), "trace", [recipient])
        )
        return result.local[0].uid

    async def connect(self, *, tls: bool = False) -> "Client":
        """A connection; it is closed at the end of the test."""
        client = await Client.connect(self.tls_port if tls else self.port, tls)
        self.clients.append(client)
        return client

    async def client(self, *, tls: bool = False) -> "Client":
        """A connection that has read the greeting."""
        client = await self.connect(tls=tls)
        await client.line()
        return client

    async def session(self, user: str = USER, mailbox: str = "") -> "Client":
        """A connection that is logged in, with a mailbox selected if one is named."""
        client = await self.client()
        await client.ok(f'LOGIN {user} "{PASSWORD}"')
        if mailbox:
            await client.ok(f'SELECT "{mailbox}"')
        return client


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    plaintext: bool = True,
    timing: Timing | None = None,
    bounds: Bounds | None = None,
    limits: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
    strangers: bool = True,
    database: str = "sqlite",
    words: bool = True,
) -> AsyncIterator[Imap]:
    """Serves with three accounts, one of them an administrator's, and a self-signed certificate.

    `strangers`: clients count as such; else they come from filters.local_networks. Without `words`
    the word index is filled by `store.search.settle` alone.
    `more` are further sections of the settings. `strangers`: clients count as such; else they come
    from filters.local_networks.
    """
    settings = Settings.model_validate(
        {
            "hostname": "mx.example.test",
            "domains": ["example.test"],
            "data_dir": folder / "data",
            "listen": {"imap": ["127.0.0.1:0"], "imaps": ["127.0.0.1:0"]},
            "auth": {"bcrypt_rounds": 4, "plaintext_from": ["127.0.0.0/8"] if plaintext else []},
            "limits": limits or {},
            "filters": {"local_networks": [] if strangers else ["127.0.0.0/8"]},
            **(more or {}),
        }
    )
    settings.data_dir.mkdir(parents=True)
    offload, clock = Offload(), SystemClock()
    store = await stores.Store.open(
        settings.data_dir,
        settings.data_dir / settings.store.maildir,
        database,
        offload,
        clock,
        settings.hostname,
        search=words,
    )
    directory = await Directory.open(settings, clock, offload)
    metadata = Metadata(directory.database, store)
    auth = Authenticator(settings, directory, offload, clock)
    accounts = {}
    for address in (USER, OTHER, ADMIN):
        admin = address == ADMIN
        accounts[address] = (await directory.add_account(address, _HASH, admin=admin)).id
        await store.add_account(accounts[address])
    tls = await offload.disk(TlsContexts.create, None, None, settings.data_dir, "localhost")
    log = get_logger("imap")
    scanner = VirusScanner(offload, clock, log)
    scanner.reload(settings)
    server = ImapServer(
        settings,
        store,
        auth,
        directory,
        metadata,
        tls,
        clock,
        offload,
        log,
        timing=timing,
        bounds=bounds,
        scanner=scanner,
    )
    await server.start()
    imap = Imap(server, store, directory, metadata, accounts)
    try:
        yield imap
    finally:
        for client in imap.clients:
            await client.close()
        await server.stop()
        scanner.close()
        await auth.close()
        await metadata.close()
        await store.close()
        await directory.close()
        offload.close()


_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Client:
    """A client that sends what it is told and keeps what it reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._tags = 0
        self._deflating: DeflatingWriter | None = None
        self._inflating: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, port: int, tls: bool = False) -> Self:
        context = trusting() if tls else None
        return cls(
            *await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=64 * 1024**2)
        )

    async def start_tls(self) -> None:
        await self._writer.start_tls(trusting())

    def compress(self) -> None:
        """Deflates and inflates from here on."""
        self._deflating = DeflatingWriter(self._writer)
        source, self._reader = self._reader, asyncio.StreamReader(64 * 1024**2)
        self._inflating = asyncio.create_task(inflate(source, self._reader))

    async def send(self, data: bytes | str) -> None:
        """Sends octets as they are, or deflated after `compress`."""
        octets = data if isinstance(data, bytes) else data.encode()
        (self._deflating or self._writer).write(octets)
        await self._writer.drain()

    async def line(self) -> bytes:
        """The next line without its CRLF; b"" at the end."""
        async with asyncio.timeout(20):
            return (await self._reader.readline()).removesuffix(b"\r\n")

    async def response(self) -> bytes:
        """The next response with its literals, as sent; b"" at the end."""
        async with asyncio.timeout(20):
            data = await self._reader.readline()
            while (found := _LITERAL.search(data)) is not None:
                data += await self._reader.readexactly(int(found[1]))
                data += await self._reader.readline()
            return data

    async def command(self, text: str | bytes) -> tuple[list[bytes], bytes]:
        """Untagged responses, and the tagged one without its tag."""
        self._tags += 1
        tag = b"t%d" % self._tags
        octets = text.encode() if isinstance(text, str) else text
        await self.send(b"%s %s\r\n" % (tag, octets))
        return await self.until(tag)

    async def until(self, tag: bytes) -> tuple[list[bytes], bytes]:
        """Responses up to the one with this tag."""
        untagged: list[bytes] = []
        while True:
            response = await self.response()
            if response.startswith(tag + b" "):
                return untagged, response[len(tag) + 1 : -2]
            if not response:
                raise EOFError(b"".join(untagged))
            untagged.append(response[:-2])

    async def ok(self, text: str | bytes) -> list[bytes]:
        """Untagged responses of a command that must succeed."""
        untagged, tagged = await self.command(text)
        assert tagged.startswith(b"OK"), tagged
        return untagged

    async def append(self, data: bytes, mailbox: str = "INBOX", flags: str = "") -> bytes:
        """The tagged answer of an APPEND with LITERAL+."""
        head = f'APPEND "{mailbox}" ({flags}) {{{len(data)}+}}\r\n'.encode()
        return (await self.command(head + data))[1]

    async def idle(self) -> None:
        """Starts IDLE under the tag `idle`."""
        await self.send("idle IDLE\r\n")
        assert (await self.line()).startswith(b"+")

    async def done(self) -> list[bytes]:
        """Ends IDLE."""
        await self.send("DONE\r\n")
        untagged, tagged = await self.until(b"idle")
        assert tagged.startswith(b"OK")
        return untagged

    async def close(self) -> None:
        if self._inflating is not None:
            self._inflating.cancel()
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass  # the server was quicker


def trusting() -> ssl.SSLContext:
    """A client context for the test's self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def message(subject: str = "Hello", body: str = "Hi there\r\n", **fields: str) -> bytes:
    """A small message; `fields` are further headers, `_` for `-`."""
    named = {
        "From": "Ann <ann@example.org>",
        "To": USER,
        "Subject": subject,
        "Date": "Tue, 03 Feb 2026 04:05:06 +0100",
        "Message-ID": f"<{abs(hash(subject))}@example.org>",
    } | {key.replace("_", "-"): value for key, value in fields.items()}
    head = "".join(f"{key}: {value}\r\n" for key, value in named.items())
    return f"{head}\r\n{body}".encode()
