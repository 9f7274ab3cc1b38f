"""Connections that have ended leave no circle of references, for which a collection would stop the
loop later.
"""

from pathlib import Path

import pytest

from imap.connection import Connection
from tests.support.freed import eventually, uncollected
from tests.support.imap_server import PASSWORD, USER, Client, serving


@pytest.mark.parametrize("end", ["LOGOUT", "IDLE", "close", "STARTTLS"])
async def test_what_has_ended_is_free_without_a_collection(tmp_path: Path, end: str) -> None:
    async with serving(tmp_path) as imap:
        with uncollected(Connection) as left:
            await _converse(imap.port, end)
            await eventually(lambda: not left())


async def _converse(port: int, end: str) -> None:
    client = await Client.connect(port)
    await client.line()
    if end == "STARTTLS":
        await client.command("STARTTLS")
        await client.start_tls()
    await client.command(f'LOGIN {USER} "{PASSWORD}"')
    await client.command("SELECT INBOX")
    if end == "LOGOUT":
        await client.command("LOGOUT")
    elif end == "IDLE":
        await client.send("a IDLE\r\n")
        await client.line()
    await client.close()
