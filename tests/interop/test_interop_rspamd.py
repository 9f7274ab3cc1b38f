"""A real rspamd as scorer beside our own rules, by HTTP over TCP and over a Unix socket."""

import re
from pathlib import Path

import pytest

from tests.support.filter_daemons import rspamd
from tests.support.smtp_receiving import ADA, receiving

HEAD = (
    "From: A <a@b.test>\r\nTo: <ada@example.test>\r\nSubject: hello\r\n"
    "Date: Sat, 28 Nov 2026 22:00:00 +0000\r\nMessage-ID: <1@b.test>\r\n\r\n"
)


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
async def test_its_symbols_are_told_and_count(tmp_path: Path, unix: bool) -> None:
    with rspamd(tmp_path / "rspamd") as daemon:
        url = daemon.socket if unix else daemon.http
        spam = {"rspamd": {"url": url, "timeout": "30s"}}
        async with receiving(tmp_path / "server", spam=spam) as running:
            client = await running.client()
            await client.greet()
            for text in ("just text", "xyzzyspam " + "y" * 300_000):
                await client.say("MAIL FROM:<a@b.test>")
                await client.say(f"RCPT TO:<{ADA}>")
                await client.say("DATA")
                lines = "\r\n".join(text[at : at + 500] for at in range(0, len(text), 500))
                assert (await client.say(HEAD + lines + "\r\n.")).startswith("250")
            clean, spam_ = (re.sub(rb"\r\n[ \t]+", b" ", one) for one in running.store.bodies)
        log = daemon.log.read_text()
    assert b"RSPAMD_TEST_WORD" not in clean and b"X-Spam-Status" not in clean
    assert b"RSPAMD_TEST_WORD" in spam_ and b"X-Spam-Status: Yes" in spam_
    assert "ip: 127.0.0.1" in log and "from: <a@b.test>" in log
