"""ManageSieve connections that have ended leave no circle of references."""

from pathlib import Path

import pytest

from imap.managesieve.connection import Connection
from tests.support.freed import eventually, uncollected
from tests.support.managesieve import Sieve, log_in, serving


@pytest.mark.parametrize("end", ["LOGOUT", "close", "STARTTLS", "AUTHENTICATE", "literal"])
async def test_what_has_ended_is_free_without_a_collection(tmp_path: Path, end: str) -> None:
    async with serving(tmp_path) as sieve:
        with uncollected(Connection) as left:
            await _converse(sieve, end)
            await eventually(lambda: not left())
        assert sieve.server.held == 0


async def _converse(sieve: Sieve, end: str) -> None:
    client = await sieve.connect()
    await sieve.until(client, b"OK")
    if end == "STARTTLS":
        await client.send("STARTTLS\r\n")
        await client.line()
        await client.start_tls()
        await sieve.until(client, b"OK")
    if end == "AUTHENTICATE":
        await client.send('AUTHENTICATE "LOGIN"\r\n')
        await client.line()
    else:
        await log_in(client)
        await client.send('PUTSCRIPT "a" "keep;"\r\n')
        await client.line()
    if end == "LOGOUT":
        await client.send("LOGOUT\r\n")
        await client.line()
    elif end == "literal":
        await client.send("CHECKSCRIPT {100000+}\r\nkeep;")
    await client.close()
