"""A ManageSieve server of its own on a free port for tests, with a real directory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt

from auth.admission import Admission
from auth.login import Authenticator
from config.clock import SystemClock
from config.logging import get_logger
from config.settings import Settings
from filters.scripts import BadScript, Check, Language
from imap.managesieve.context import Bounds, Timing
from imap.managesieve.server import ManageSieveServer
from net.threads import Offload
from net.tls import TlsContexts
from storage.directory import Directory
from storage.values import AccountId
from tests.support.imap_server import OTHER, PASSWORD, USER, Client

_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


async def simple_check(text: bytes) -> Sequence[str]:
    """Takes every text but those that say what shall come of them."""
    if b"WRONG" in text:
        raise BadScript("line 1, column 7: what is this?\r\nline 2, column 1: and this?")
    return ["line 1, column 2: this does nothing"] if b"POINTLESS" in text else []


@dataclass(slots=True)
class Sieve:
    """A serving ManageSieve server and what stands behind it."""

    server: ManageSieveServer
    directory: Directory
    admission: Admission
    accounts: dict[str, AccountId]
    clients: list[Client] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.addresses["managesieve"][0].port

    async def connect(self) -> Client:
        """A connection that has read nothing; it is closed at the end of the test."""
        client = await Client.connect(self.port)
        self.clients.append(client)
        return client

    async def session(self, user: str = USER) -> Client:
        """A connection that is logged in."""
        client = await self.connect()
        await self.until(client, b"OK")
        await log_in(client, user)
        return client

    async def until(self, client: Client, word: bytes) -> list[bytes]:
        """Reads up to the line that begins with `word`."""
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith(word):
            lines.append(await client.line())
            assert lines[-1], lines
        return lines


async def log_in(client: Client, user: str = USER) -> None:
    """Sends AUTHENTICATE PLAIN and expects OK."""
    await client.send(authenticate(user))
    line = await client.line()
    assert line.startswith(b"OK"), line


def authenticate(user: str = USER, password: str = PASSWORD) -> bytes:
    """The command with its initial response."""
    from base64 import b64encode

    initial = b64encode(f"\0{user}\0{password}".encode()).decode()
    return f'AUTHENTICATE "PLAIN" "{initial}"\r\n'.encode()


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    plaintext: bool = True,
    timing: Timing | None = None,
    bounds: Bounds | None = None,
    check: Check = simple_check,
    more: dict[str, Any] | None = None,
) -> AsyncIterator[Sieve]:
    """Serves two accounts with a self-signed certificate; clients count as strangers."""
    settings = Settings.model_validate(
        {
            "hostname": "mx.example.test",
            "domains": ["example.test"],
            "data_dir": folder / "data",
            "listen": {"managesieve": ["127.0.0.1:0"]},
            "auth": {"bcrypt_rounds": 4, "plaintext_from": ["127.0.0.0/8"] if plaintext else []},
            "filters": {"local_networks": []},
            **(more or {}),
        }
    )
    settings.data_dir.mkdir(parents=True)
    offload, clock = Offload(), SystemClock()
    directory = await Directory.open(settings, clock, offload)
    auth = Authenticator(settings, directory, offload, clock)
    accounts = {
        address: (await directory.add_account(address, _HASH)).id for address in (USER, OTHER)
    }
    admission = Admission(settings, clock, directory.blocks)
    server = ManageSieveServer(
        settings,
        auth,
        directory,
        await offload.disk(TlsContexts.create, None, None, settings.data_dir, "localhost"),
        get_logger("managesieve"),
        Language(("fileinto", "enotify"), ("mailto",), 4, check),
        admission,
        clock,
        timing=timing,
        bounds=bounds,
    )
    await server.start()
    sieve = Sieve(server, directory, admission, accounts)
    try:
        yield sieve
    finally:
        for client in sieve.clients:
            await client.close()
        await server.stop()
        await auth.close()
        await directory.close()
        offload.close()
