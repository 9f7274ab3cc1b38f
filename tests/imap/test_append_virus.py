"""Viruses that come by APPEND, CATENATE and REPLACE: nothing of them is stored (real clamd)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import false_clamd as false
from tests.support.clamd import EICAR, NAME, Clamd, running_clamd
from tests.support.false_clamd import false_clamd
from tests.support.imap_server import Client, serving

INFECTED = b"Subject: x\r\n\r\n" + EICAR + b"\r\n"
CLEAN = b"Subject: x\r\n\r\nharmless\r\n"
REFUSED = b"NO [CANNOT] Message contains a virus: " + NAME.encode()
LATER = b"NO [UNAVAILABLE] Virus scanner not available, try again later"


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with running_clamd() as running:
        yield running


def virus(address: str, **more: Any) -> dict[str, Any]:
    return {"virus": {"clamd": address, **more}}


async def stored(client: Client, mailbox: str = "INBOX") -> int:
    (response,) = await client.ok(f"STATUS {mailbox} (MESSAGES)")
    return int(response.rpartition(b" ")[2].rstrip(b")"))


async def test_append(tmp_path: Path, clamd: Clamd) -> None:
    async with serving(tmp_path, more=virus(clamd.unix)) as imap:
        client = await imap.session()
        assert await client.append(INFECTED) == REFUSED
        assert (await client.append(CLEAN)).startswith(b"OK [APPENDUID")
        assert await stored(client) == 1


async def test_of_several_messages_none_is_stored(tmp_path: Path, clamd: Clamd) -> None:
    async with serving(tmp_path, more=virus(clamd.tcp)) as imap:
        client = await imap.session()
        parts = [b"{%d+}\r\n" % len(one) + one for one in (CLEAN, INFECTED)]
        _, told = await client.command(b"APPEND INBOX " + b" ".join(parts))
        assert told == REFUSED
        assert await stored(client) == 0


async def test_a_message_on_disk(tmp_path: Path, clamd: Clamd) -> None:
    large = b"Subject: x\r\n\r\n" + b"y" * 70 * 1000 + b"\r\n" + b"z\r\n" * 1_000_000
    async with serving(tmp_path, more=virus(clamd.unix)) as imap:
        client = await imap.session()
        assert await client.append(large + EICAR + b"\r\n") == REFUSED
        assert (await client.append(large)).startswith(b"OK")
        spool = tmp_path / "data" / "tmp"
        async with asyncio.timeout(20):
            while list(spool.glob("append*")):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_catenate_and_replace(tmp_path: Path, clamd: Clamd) -> None:
    """The virus comes in two halves; only the whole message has it."""
    async with serving(tmp_path, more=virus(clamd.unix)) as imap:
        client = await imap.session()
        await client.append(CLEAN)
        await client.ok("SELECT INBOX")
        halves = [b"Subject: x\r\n\r\n" + EICAR[:30], EICAR[30:]]
        texts = b" ".join(b"TEXT {%d+}\r\n" % len(one) + one for one in halves)
        _, told = await client.command(b"APPEND INBOX CATENATE (" + texts + b")")
        assert told == REFUSED
        literal = b"{%d+}\r\n" % len(INFECTED) + INFECTED
        _, told = await client.command(b"REPLACE 1 INBOX " + literal)
        assert told == REFUSED
        assert await stored(client) == 1
        assert await client.ok("FETCH 1 (UID)") == [b"* 1 FETCH (UID 1)"]


@pytest.mark.parametrize(("on_error", "expected"), [("defer", LATER), ("accept", b"OK")])
async def test_clamd_away(tmp_path: Path, on_error: str, expected: bytes) -> None:
    more = virus("unix:/nowhere/clamd.ctl", on_error=on_error)
    async with serving(tmp_path, more=more) as imap:
        client = await imap.session()
        assert (await client.append(CLEAN)).startswith(expected)
        assert await stored(client) == (expected == b"OK")


async def test_a_clamd_that_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    async with false_clamd(false.hang) as clamd:
        more = virus(clamd.address, timeout="1s")
        async with serving(tmp_path, more=more) as imap:
            client, other = await imap.session(), await imap.session()
            waiting = asyncio.create_task(client.append(CLEAN))
            for _ in range(20):
                await other.ok("NOOP")
            assert not waiting.done()
            assert await waiting == LATER


async def test_marked_signatures_are_stored(tmp_path: Path, clamd: Clamd) -> None:
    async with serving(tmp_path, more=virus(clamd.unix, mark=["Test.*"])) as imap:
        client = await imap.session()
        assert (await client.append(INFECTED)).startswith(b"OK")
