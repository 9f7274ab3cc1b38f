"""An account that nobody may change: what it holds before and after, over IMAP and on disk."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.imap_server import Client
from tests.support.whole import Whole

MARK = b"X-Bystander: untouched"
_PASSWORD = "nobody else knows it"
_MIRRORED = 4.0
"""Seconds after which flags stand in the names of files."""


@dataclass(frozen=True, slots=True)
class Bystander:
    """`before` is everything that it saw in the beginning."""

    server: Whole
    address: str
    before: tuple[list[bytes], dict[str, str]]

    @classmethod
    async def settled(cls, server: Whole) -> Self:
        """Makes the account and fills it."""
        address = "untouched-by-anyone@example.test"
        # else the first account, which is this one, is everybody's postmaster
        for made in ("postmaster@example.test", address):
            args = {"address": made, "password": _PASSWORD, "quota": 0, "name": "", "admin": False}
            await server.control("account.add", **args)
        async with server.imap() as client:
            await client.ok(f'LOGIN {address} "{_PASSWORD}"')
            await client.ok("CREATE Private/below")
            for number, box in enumerate(("INBOX", "Archive", "Private/below")):
                for flag in ("\\Seen", "\\Flagged $label1", ""):
                    text = b"Subject: %d %b\r\n%b\r\n\r\ntext\r\n" % (number, flag.encode(), MARK)
                    assert (await client.append(text, box, flag)).startswith(b"OK")
        await asyncio.sleep(_MIRRORED)
        return cls(server, address, await cls._look(server, address))

    async def check(self) -> None:
        """Everything is as it was, byte for byte."""
        after = await self._look(self.server, self.address)
        assert after[0] == self.before[0]
        assert after[1] == self.before[1]

    @staticmethod
    async def _look(server: Whole, address: str) -> tuple[list[bytes], dict[str, str]]:
        async with server.imap() as client:
            await client.ok(f'LOGIN {address} "{_PASSWORD}"')
            seen = await _boxes(client)
        return seen, await asyncio.to_thread(_files, server.process.data)


async def _boxes(client: Client) -> list[bytes]:
    listed = [line for line in await client.ok('LIST "" "*"') if b"Other Users" not in line]
    seen = [*listed, *await client.ok('LSUB "" "*"')]
    for line in listed:
        name = line.decode().rpartition(' "/" ')[2]
        if b"\\Noselect" in line or b"\\NonExistent" in line:
            continue
        seen += await client.ok(f"EXAMINE {name}")
        if any(one.endswith(b" EXISTS") and not one.startswith(b"* 0 ") for one in seen[-12:]):
            seen += await client.ok("FETCH 1:* (UID FLAGS MODSEQ INTERNALDATE BODY.PEEK[])")
        seen += await client.ok(f"GETACL {name}")
    return seen


def _files(data: Path) -> dict[str, str]:
    """Digests of its message files by path."""
    found = {}
    for path in (data / "mail").rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            if MARK in text:
                found[str(path)] = hashlib.sha256(text).hexdigest()
    return found
