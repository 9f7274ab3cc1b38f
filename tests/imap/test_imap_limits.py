"""Bad input and bad clients: a bound and a reason for each, and other clients unharmed."""

import asyncio
from pathlib import Path

import pytest

from imap.context import Bounds, Timing
from tests.support.imap_server import PASSWORD, USER, Client, Imap, message, serving


async def _alive(imap: Imap) -> None:
    """Another client is served as if nothing had happened."""
    client = await imap.session(mailbox="INBOX")
    await client.ok("NOOP")


async def _bye(client: Client) -> bytes:
    """The BYE, after whatever came before it; then the connection is closed."""
    while not (line := await client.line()).startswith(b"* BYE"):
        assert line, "closed without a reason"
    assert await client.line() == b""
    return line


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"a LOGIN user@exam", id="half a command"),
        pytest.param(b"a LOGIN {10+}\r\nuser", id="half a literal"),
        pytest.param(b"a AUTHENTICATE PLAIN\r\n", id="no answer to AUTHENTICATE"),
    ],
)
async def test_who_says_nothing_before_login_is_told_goodbye(sent: bytes, tmp_path: Path) -> None:
    async with serving(tmp_path, timing=Timing(login=0.2)) as imap:
        client = await imap.client()
        await client.send(sent)
        assert b"Autologout" in await _bye(client)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"a UID FETCH 1:*", id="half a command"),
        pytest.param(b"a APPEND INBOX {1000000+}\r\nSubject: x", id="literal not sent"),
        pytest.param(b"a IDLE\r\n", id="idle"),
    ],
)
async def test_autologout_after_login(sent: bytes, tmp_path: Path) -> None:
    async with serving(tmp_path, timing=Timing(idle=0.2)) as imap:
        client = await imap.session(mailbox="INBOX")
        await client.send(sent)
        assert b"Autologout" in await _bye(client)
        assert not list((tmp_path / "data" / "tmp").glob("append*"))


async def test_a_literal_of_a_gigabyte_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        _, tagged = await client.command("APPEND INBOX {1073741824}")
        assert tagged.startswith(b"NO [TOOBIG]")
        _, tagged = await client.command("LOGIN {1073741824}")
        assert tagged.startswith(b"BAD [TOOBIG]")
        await client.ok("NOOP")
        _, tagged = await client.command("APPEND INBOX {99999999999999999999}")
        assert tagged.startswith((b"NO", b"BAD"))
        await client.ok("NOOP")


async def test_a_literal_of_a_gigabyte_that_is_sent_unasked_ends_the_connection(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.send(b"a APPEND INBOX {1073741824+}\r\n" + b"x" * 100_000)
        await _bye(client)
        await _alive(imap)


async def test_a_message_over_the_limit_is_discarded_and_the_next_command_runs(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, limits={"message_size": "1M"}) as imap:
        client = await imap.session(mailbox="INBOX")
        tagged = await client.append(b"Subject: x\r\n\r\n" + b"y" * 2_000_000)
        assert tagged.startswith(b"NO [TOOBIG]")
        assert await client.ok("NOOP") == []


async def test_long_lines_and_garbage_never_desynchronise(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        _, tagged = await client.command(b"SELECT " + b"x" * 100_000)
        assert tagged.startswith(b"BAD [TOOBIG]")
        _, tagged = await client.command(b"SELECT a\0b")
        assert tagged.startswith(b"BAD")
        _, tagged = await client.command(b"SELECT a\rb")
        assert tagged.startswith(b"BAD")
        _, tagged = await client.command(b"FETCH (((((((")
        assert tagged.startswith(b"BAD")
        await client.ok("NOOP")


async def test_floods_of_nonsense_end_with_a_reason(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.client()
        await client.send(b"x y z\r\n" * 1000)
        assert b"bad commands" in await _bye(client)
        patient = await imap.client()
        await patient.send(b"".join(b"%d NOOP\r\n" % number for number in range(1000)))
        assert b"before login" in await _bye(patient)
        await _alive(imap)


async def test_connections_from_one_address_are_limited(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"connections_per_address": 3}) as imap:
        clients = [await imap.client() for _ in range(3)]
        refused = await imap.connect()
        assert b"Too many connections from your address (3)" in await _bye(refused)
        refused = await imap.connect(tls=True)
        assert b"Too many connections" in await _bye(refused)
        await clients[0].send("a LOGOUT\r\n")
        await _bye_then_ok(clients[0])
        await _alive(imap)


async def test_local_networks_are_not_limited(tmp_path: Path) -> None:
    limits = {"connections_per_address": 1}
    async with serving(tmp_path, limits=limits, strangers=False) as imap:
        for _ in range(3):
            await imap.client()


async def _bye_then_ok(client: Client) -> None:
    assert (await client.line()).startswith(b"* BYE")
    assert (await client.line()).startswith(b"a OK")
    assert await client.line() == b""


async def test_connections_in_all_are_limited(tmp_path: Path) -> None:
    async with serving(tmp_path, bounds=Bounds(connections=2)) as imap:
        for _ in range(2):
            await imap.client()
        assert (await _bye(await imap.connect())).startswith(b"* BYE [UNAVAILABLE]")


async def test_thousands_of_connections_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"connections_per_address": 20}) as imap:
        clients = await asyncio.gather(*[imap.connect() for _ in range(400)])
        greetings = await asyncio.gather(*[client.line() for client in clients])
        assert sum(line.startswith(b"* OK") for line in greetings) == 20
        assert sum(line.startswith(b"* BYE [LIMIT]") for line in greetings) == 380
        await clients[greetings.index(next(g for g in greetings if g.startswith(b"* OK")))].ok(
            f'LOGIN {USER} "{PASSWORD}"'
        )


async def test_a_client_that_never_reads_is_dropped(tmp_path: Path) -> None:
    timing, bounds = Timing(write=0.2, still_here=0.1), Bounds(write_buffer=4096)
    async with serving(tmp_path, timing=timing, bounds=bounds) as imap:
        client = await imap.session()
        await client.append(b"Subject: big\r\n\r\n" + b"x" * 20_000_000)
        await client.ok("SELECT INBOX")
        client._reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.send("a FETCH 1 BODY.PEEK[]\r\n" * 3)
        async with asyncio.timeout(20):
            await imap.server._empty.wait()
        await _alive(imap)


async def test_commands_behind_starttls_are_not_run(tmp_path: Path) -> None:
    async with serving(tmp_path, plaintext=False) as imap:
        client = await imap.client()
        await client.send("a STARTTLS\r\nb LOGOUT\r\n")
        assert (await client.line()).startswith(b"a OK")
        await client.start_tls()
        _, tagged = await client.command("CAPABILITY")
        assert tagged.startswith(b"OK")


async def test_a_handshake_that_fails_harms_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.client()
        await client.send("a STARTTLS\r\n")
        await client.line()
        await client.send(b"this is no handshake at all\r\n" * 10)
        while await client.line():
            pass
        await _alive(imap)


async def test_wildcards_take_no_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.ok("CREATE " + "a" * 150)
        assert await client.ok('LIST "" "' + "*a%" * 100 + 'b"') == []


async def test_nul_needs_literal8_and_stores_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        assert (await client.append(b"Subject: x\r\n\r\na\0b\r\n")).startswith(b"NO")
        assert await client.ok("UID SEARCH ALL") == [b"* SEARCH"]


async def test_stop_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        idle, busy = await imap.session(mailbox="INBOX"), await imap.session()
        await idle.idle()
        await imap.server.stop()
        assert b"shutting down" in await _bye(idle)
        assert b"shutting down" in await _bye(busy)


async def test_a_revoked_account_loses_its_sessions(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        mine, other = await imap.session(mailbox="INBOX"), await imap.session("other@example.test")
        await mine.idle()
        await imap.directory.set_enabled(USER, False)
        assert b"access was changed" in await _bye(mine)
        await other.ok("NOOP")
        again = await imap.client()
        _, tagged = await again.command(f'LOGIN {USER} "{PASSWORD}"')
        assert tagged.startswith(b"NO [AUTHENTICATIONFAILED]")


async def test_memory_is_given_back_when_idle(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await imap.deliver(message("x", "y" * 200_000))
        await client.ok("NOOP")
        await client.ok("FETCH 1 BODY.PEEK[]")
        (connection,) = imap.server._connections
        assert connection._task is None
        assert connection._outbox._pieces == []
        assert connection.upload is None
