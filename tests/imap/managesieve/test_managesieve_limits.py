"""The ManageSieve listener under pressure: bounds of connections, time, memory and size."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from imap.managesieve.context import Bounds, Timing
from tests.support.imap_server import OTHER, USER, Client
from tests.support.managesieve import Sieve, authenticate, log_in, serving

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 2190\r\n"


async def greeted(sieve: Sieve) -> Client:
    client = await sieve.connect()
    await sieve.until(client, b"OK")
    return client


async def test_an_address_has_so_many_connections_and_is_told_why(tmp_path: Path) -> None:
    async with serving(tmp_path, more={"limits": {"connections_per_address": 2}}) as sieve:
        first, _ = await greeted(sieve), await greeted(sieve)
        third = await sieve.connect()
        assert await third.line() == b'BYE (TRYLATER) "Too many connections from your address (2)"'
        assert await third.line() == b""
        await first.send("LOGOUT\r\n")
        assert await first.line() == b'OK "Good-bye"' and await first.line() == b""
        await wait_for(lambda: sieve.server.connections == 1)
        await greeted(sieve)


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def test_the_server_has_so_many_connections(tmp_path: Path) -> None:
    async with serving(tmp_path, bounds=Bounds(connections=1)) as sieve:
        await greeted(sieve)
        assert (await (await sieve.connect()).line()).startswith(b"BYE (TRYLATER)")


async def test_an_account_has_so_many_connections(tmp_path: Path) -> None:
    async with serving(tmp_path, more={"limits": {"connections_per_account": 1}}) as sieve:
        first = await sieve.session()
        second = await greeted(sieve)
        await second.send(authenticate())
        assert await second.line() == b'NO (TRYLATER) "Too many connections of your account"'
        await log_in(second, OTHER)
        await first.send("UNAUTHENTICATE\r\n")
        assert (await first.line()).startswith(b"OK")
        await log_in(await greeted(sieve))


async def test_who_is_behind_a_proxy_counts_as_himself(tmp_path: Path) -> None:
    more = {
        "listen": {"managesieve": ["127.0.0.1:0"], "proxy_protocol_from": ["127.0.0.0/8"]},
        "limits": {"connections_per_address": 1},
    }
    async with serving(tmp_path, more=more) as sieve:
        clients = [await sieve.connect() for _ in range(3)]
        await clients[0].send(V1)
        assert (await clients[0].line()).startswith(b'"IMPLEMENTATION"')
        await clients[1].send(V1)
        assert (await clients[1].line()).startswith(b"BYE (TRYLATER) ")
        await clients[2].send(V1.replace(b"192.0.2.7", b"192.0.2.8"))
        assert (await clients[2].line()).startswith(b'"IMPLEMENTATION"')


async def test_commands_before_login_are_few(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, bounds=Bounds(anonymous_commands=14)) as sieve:
        client = await greeted(sieve)
        answers = []
        for _ in range(11):
            await client.send(authenticate(password="wrong"))
            answers.append(await client.line())
        assert answers == [b'NO "Authentication failed"'] * 11
        await client.send("NOOP\r\n" * 5)
        assert [await client.line() for _ in range(3)] == [b'OK "Done"'] * 3
        assert await client.line() == b'BYE "Too many commands before login"'
        assert await client.line() == b""


async def test_nonsense_after_login_ends_the_connection_in_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path, bounds=Bounds(bad_commands=3)) as sieve:
        client = await sieve.session()
        await client.send("X\r\nX\r\nX\r\nNOOP\r\n" + "X\r\n" * 5)
        lines = [await client.line() for _ in range(9)]
        assert [line[:3] for line in lines] == [b"NO "] * 3 + [b"OK "] + [b"NO "] * 4 + [b"BYE"]


@pytest.mark.parametrize(
    ("timing", "sent"),
    [
        (Timing(login=0.2), b""),
        (Timing(command=0.2), b"NOOP"),
        (Timing(command=0.2), b"NOOP {10+}\r\nx"),
    ],
)
async def test_who_says_nothing_more_is_let_go(tmp_path: Path, timing: Timing, sent: bytes) -> None:
    async with serving(tmp_path, timing=timing) as sieve:
        client = await greeted(sieve)
        await client.send(sent)
        assert await client.line() == b'BYE (TRYLATER) "Nothing was asked for too long"'
        assert await client.line() == b""


async def test_an_idle_session_ends_and_amid_authenticate_too(tmp_path: Path) -> None:
    async with serving(tmp_path, timing=Timing(idle=0.2)) as sieve:
        client = await sieve.session()
        assert (await client.line()).startswith(b"BYE (TRYLATER)")
    async with serving(tmp_path / "again", timing=Timing(login=0.2)) as sieve:
        client = await greeted(sieve)
        await client.send('AUTHENTICATE "LOGIN"\r\n')
        assert await client.line() == b'"VXNlcm5hbWU6"'
        assert (await client.line()).startswith(b"BYE (TRYLATER)")


async def test_who_does_not_read_is_let_go(tmp_path: Path) -> None:
    async with serving(tmp_path, timing=Timing(write=0.3)) as sieve:
        client = await sieve.session()
        await sieve.directory.scripts.put(sieve.accounts[USER], "large", b"#" * 200_000)
        # without being read, until the server does not read either
        flood = asyncio.create_task(client.send('GETSCRIPT "large"\r\n' * 2000))
        await wait_for(lambda: sieve.server.connections == 0)
        await asyncio.wait([flood])


async def test_a_script_before_login_and_one_too_large_are_not_taken(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        client = await greeted(sieve)
        await client.send(b"CHECKSCRIPT {16385+}\r\n" + b"#" * 16385 + b"\r\nNOOP\r\n")
        assert await client.line() == b'NO (QUOTA/MAXSIZE) "Not more than 16384 octets are taken"'
        assert await client.line() == b'OK "Done"'
        await log_in(client)
        await client.send(b'PUTSCRIPT "a" {300000+}\r\n' + b"#" * 300_000 + b"\r\nNOOP\r\n")
        assert await client.line() == b'NO (QUOTA/MAXSIZE) "Not more than 262144 octets are taken"'
        assert await client.line() == b'OK "Done"'
        await client.send(b"CHECKSCRIPT {99999999+}\r\n")
        assert await client.line() == b'BYE "Too much input that cannot be used"'


async def test_what_all_scripts_on_their_way_take_is_bounded(tmp_path: Path) -> None:
    async with serving(tmp_path, bounds=Bounds(held=150_000)) as sieve:
        one, two = await sieve.session(), await sieve.session()
        await one.send(b'PUTSCRIPT "a" {100000+}\r\n#')
        await wait_for(lambda: sieve.server.held == 100_000)
        await two.send(b'PUTSCRIPT "a" {100000+}\r\n' + b"#" * 100_000 + b"\r\n")
        assert await two.line() == b'NO (TRYLATER) "Server busy, try again later"'
        await one.close()
        await wait_for(lambda: sieve.server.held == 0)
        await two.send(b'PUTSCRIPT "a" {100000+}\r\n' + b"#" * 100_000 + b"\r\n")
        assert await two.line() == b'OK "Stored"'
        assert sieve.server.held == 0


async def test_scripts_of_an_account_are_bounded(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        client = await sieve.session()
        for n in range(64):
            await client.send(f'PUTSCRIPT "{n}" "keep;"\r\n')
            assert await client.line() == b'OK "Stored"'
        for command in (b'PUTSCRIPT "more" "keep;"', b'HAVESPACE "more" 1'):
            await client.send(command + b"\r\n")
            expected = b'NO (QUOTA/MAXSCRIPTS) "An account has at most 64 scripts"'
            assert await client.line() == expected
        await client.send('PUTSCRIPT "0" "discard;"\r\n')
        assert await client.line() == b'OK "Stored"'


async def test_another_password_or_a_block_ends_the_session(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        client, other = await sieve.session(), await sieve.session(OTHER)
        await sieve.directory.set_password(USER, "other hash")
        assert (await client.line()).startswith(b"BYE ")
        await other.send("NOOP\r\n")
        assert await other.line() == b'OK "Done"'
        await sieve.directory.blocks.add(ip_network("127.0.0.0/8"))
        assert await other.line() == b'BYE "Your network is blocked"'
        assert await (await sieve.connect()).line() == b'BYE "Your network is blocked"'


async def test_all_scripts_together_have_a_quota(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        client = await sieve.session()
        for n in range(8):
            await sieve.directory.scripts.put(sieve.accounts[USER], f"{n}", b"#" * 262_144)
        await client.send('HAVESPACE "more" 1\r\nHAVESPACE "more" 262145\r\n')
        expected = b'NO (QUOTA) "The scripts of an account have at most 2097152 octets"'
        assert await client.line() == expected
        assert (await client.line()).startswith(b"NO (QUOTA/MAXSIZE)")


async def test_an_error_of_the_server_s_own_leaves_the_connection_alive(tmp_path: Path) -> None:
    async def check(text: bytes) -> Sequence[str]:
        raise RuntimeError("on purpose")

    async with serving(tmp_path, check=check) as sieve:
        client = await sieve.session()
        await client.send('CHECKSCRIPT "keep;"\r\nNOOP\r\n')
        with capture_logs() as logged:
            assert await client.line() == b'NO (TRYLATER) "Internal error"'
        assert [one["event"] for one in logged] == ["command failed"]
        assert await client.line() == b'OK "Done"'


async def test_stopping_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        client = await sieve.session()
        await sieve.server.stop()
        assert await client.line() == b'BYE (TRYLATER) "The server is shutting down"'


async def test_a_slow_check_holds_up_nobody_else(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def check(text: bytes) -> Sequence[str]:
        if text == b"slow":
            await release.wait()
        return ()

    async with serving(tmp_path, check=check) as sieve:
        one, two = await sieve.session(), await sieve.session()
        await one.send('CHECKSCRIPT "slow"\r\nNOOP "behind"\r\n')
        await two.send('CHECKSCRIPT "keep;"\r\n')
        assert await two.line() == b'OK "It is right"'
        release.set()
        assert await one.line() == b'OK "It is right"'
        assert await one.line() == b'OK (TAG "behind") "Done"'


async def test_who_stops_sending_is_still_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        reader, writer = await asyncio.open_connection("127.0.0.1", sieve.port)
        writer.write(authenticate() + b'PUTSCRIPT "a" "keep;"\r\nLISTSCRIPTS\r\nNOOP {9+}\r\nx')
        writer.write_eof()
        async with asyncio.timeout(20):
            said = await reader.read()
        assert said.endswith(b'OK "Logged in"\r\nOK "Stored"\r\n"a"\r\nOK "These are all"\r\n')
        writer.close()


async def test_who_ends_tls_amid_a_command_is_gone_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def check(text: bytes) -> Sequence[str]:
        begun.set()
        await release.wait()
        return ()

    async with serving(tmp_path, check=check) as sieve:
        client = await greeted(sieve)
        await client.send("STARTTLS\r\n")
        await client.line()
        await client.start_tls()
        await sieve.until(client, b"OK")
        await log_in(client)
        await client.send('CHECKSCRIPT "keep;"\r\n')
        await begun.wait()
        await client.close()
        await wait_for(lambda: sieve.server.connections == 0)
        assert caplog.records == []


async def test_a_handshake_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as sieve:
        client = await greeted(sieve)
        await client.send("STARTTLS\r\n")
        assert await client.line() == b'OK "Begin TLS"'
        await client.send("NOOP\r\n" * 100)  # no TLS
        await wait_for(lambda: sieve.server.connections == 0)
        await greeted(sieve)


async def test_a_flood_of_commands_leaves_others_their_turn(tmp_path: Path) -> None:
    count = 20_000
    async with serving(tmp_path) as sieve:
        flooding, other = await sieve.session(), await sieve.session()

        async def flood() -> None:
            await flooding.send(b"NOOP\r\n" * count)
            for _ in range(count):
                assert await flooding.line() == b'OK "Done"'

        task, turns = asyncio.create_task(flood()), 0
        while not task.done():
            await other.send("NOOP\r\n")
            assert await other.line() == b'OK "Done"'
            turns += 1
        await task
        assert turns > 8
