"""The engine on aiosmtpd: the private names it stands on, STARTTLS and TLS on both loops."""

import asyncio
from importlib.metadata import version
from inspect import getsource, signature
from pathlib import Path

from aiosmtpd.smtp import SMTP

from smtp.verbs import Connection
from tests.support.freed import eventually, uncollected
from tests.support.smtp_receiving import ADA, receiving

# What the engine uses and replaces; another version of aiosmtpd or Python must be read again.
USED = ("_handle_client", "_reset_timeout", "_timeout_cb", "connection_made", "eof_received")
VERBS = ["AUTH", "BDAT", "DATA", "EHLO", "EXPN", "HELO", "HELP", "LHLO", "MAIL", "NOOP", "QUIT"]
VERBS += ["RCPT", "RSET", "STARTTLS", "VRFY"]


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("aiosmtpd") == "1.4.6"


def test_private_names_of_aiosmtpd() -> None:
    for name in USED:
        assert getattr(Connection, name) is not getattr(SMTP, name) or name == "connection_made"
    made = getsource(SMTP.connection_made)
    assert "self._handle_client()" in made and "_handler_coroutine" in made
    assert "_timeout_handle" in getsource(SMTP.__init__)
    assert "self._reader = reader" in getsource(SMTP._cb_client_connected)
    assert list(signature(SMTP._handle_client).parameters) == ["self"]


def test_private_names_of_the_standard_streams() -> None:
    reader = asyncio.StreamReader.__dict__
    assert {"_wait_for_data", "_maybe_resume_transport"} <= set(reader)
    assert "_replace_writer" in asyncio.StreamReaderProtocol.__dict__
    source = getsource(asyncio.StreamReader)
    # the engine keeps the buffer object for the connection's life
    assert source.count("self._buffer = ") == 1


def test_every_verb_is_the_servers_own() -> None:
    assert sorted(name for name in dir(Connection) if name.startswith("smtp_")) == [
        f"smtp_{verb}" for verb in sorted(VERBS)
    ]
    for verb in VERBS:
        assert getattr(Connection, f"smtp_{verb}") is not getattr(SMTP, f"smtp_{verb}", None)


async def test_what_has_ended_is_free_without_a_collection(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        with uncollected(Connection) as left:
            for end in ("QUIT", "", "STARTTLS"):
                client = await running.client("submission")
                await client.greet()
                if end == "STARTTLS":
                    await client.say(end)
                    await client.starttls()
                elif end:
                    await client.say(end)
                client.close()
            await running.quiet()
            await eventually(lambda: not left())


async def test_commands_injected_behind_starttls_are_discarded(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client("submission")
        await client.greet()
        client.write(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x.test>\r\nRSET\r\n")
        assert (await client.reply())[:3] == "220"
        await client.starttls()
        assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "503"
        assert " PLAIN LOGIN " in await client.say("EHLO good")
        assert (await client.say("NOOP"))[:3] == "250"


async def test_what_was_said_before_starttls_is_forgotten(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "250"
        assert (await client.say("STARTTLS now"))[:3] == "501"
        assert (await client.say("STARTTLS"))[:3] == "220"
        await client.starttls()
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "503"
        await client.say("EHLO client.test")
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say("DATA")
        assert (await client.say("Subject: x\r\n\r\n."))[:3] == "250"
        assert b"(using TLSv1.3 " in running.body and b"with ESMTPS id" in running.body


async def test_garbage_instead_of_a_handshake(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        assert (await client.say("STARTTLS"))[:3] == "220"
        client.write(b"EHLO no handshake\r\n" * 10)
        assert b"250" not in await client.reader.read()
        other = await running.client()
        await other.greet()
        client.close()
        await running.server.stop()
        assert running.server.connections == 0


async def test_large_mail_over_tls(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("STARTTLS")
        await client.starttls()
        await client.say("EHLO x")
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say("DATA")
        body = b"Subject: x\r\n\r\n" + (b"m" * 76 + b"\r\n") * 30_000
        client.write(body + b".\r\n")
        assert (await client.reply())[:3] == "250"
        assert running.body.endswith(body)
