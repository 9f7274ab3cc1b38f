"""SMTP connections that failed leave no circle of references, on the loop that the server uses:
TLS of the standard loop has circles of its own.
"""

from pathlib import Path

import pytest

from smtp.timeouts import Timeouts
from smtp.verbs import Connection
from tests.support.freed import eventually, uncollected
from tests.support.smtp_receiving import receiving


@pytest.mark.parametrize("end", ["silence", "silence in TLS", "garbage in TLS", "reset in TLS"])
async def test_what_has_failed_is_free_without_a_collection(tmp_path: Path, end: str) -> None:
    async with receiving(tmp_path, timeouts=Timeouts(command=0.5, handshake=0.2)) as running:
        with uncollected(Connection) as left:
            client = await running.client()
            await client.greet()
            if end != "silence":
                await client.say("STARTTLS")
            if end == "garbage in TLS":
                client.write(b"EHLO no handshake\r\n" * 10)
            if end == "reset in TLS":
                client.writer.transport.abort()
            else:
                await client.reader.read()
            client.close()
            await running.quiet()
            await eventually(lambda: not left())
