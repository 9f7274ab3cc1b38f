"""Too much of anything: a clear answer, nothing stored, and the connection goes on in step."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.smtp_receiving import Client
from tests.support.whole import SENDER, Whole, uids, whole, without_trace

LIMIT = 1_000_000
HEAD = b"Subject: x\r\n\r\n"
LINE = b"y" * 76 + b"\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    limits = f'[limits]\nmessage_size = "{LIMIT}"\n'
    with whole(tmp_path_factory.mktemp("limits"), limits) as running:
        yield running


def sized(size: int) -> bytes:
    """A message of exactly so many octets."""
    return HEAD + (LINE * (size // len(LINE) + 1))[: size - len(HEAD) - 2] + b"\r\n"


async def good(client: Client, account: str) -> None:
    """The connection takes an ordinary message."""
    assert (await client.say(f"MAIL FROM:<{SENDER}>"))[:3] == "250"
    assert (await client.say(f"RCPT TO:<{account}>"))[:3] == "250"
    assert (await client.say("DATA"))[:3] == "354"
    assert (await client.say(HEAD + b"good\r\n."))[:3] == "250"


async def only_good(server: Whole, account: str, count: int = 1) -> None:
    """Nothing but the ordinary messages is there."""
    found = [without_trace(message) for message in await server.messages(account)]
    assert found == [HEAD + b"good\r\n"] * count
    assert list((server.process.data / "tmp").glob("smtp-*")) == []
    assert list((server.process.data / "tmp").glob("append*")) == []


@pytest.mark.parametrize("size", [2147483648, 4294967297, 10**19])
async def test_a_declared_size_of_gigabytes(server: Whole, size: int) -> None:
    account = await server.account()
    async with server.smtp() as client:
        assert f"SIZE {LIMIT}" in await client.greet()
        assert (await client.say(f"MAIL FROM:<{SENDER}> SIZE={size}")).startswith("552 5.3.4")
        assert (await client.say(f"RCPT TO:<{account}>"))[:3] == "503"
        await good(client, account)
    await only_good(server, account)


@pytest.mark.parametrize("declared", ["", f" SIZE={LIMIT}", " SIZE=10"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_more_than_the_limit_arrives(server: Whole, declared: str, chunked: bool) -> None:
    account = await server.account()
    message = sized(LIMIT + 1)
    async with server.smtp() as client:
        await client.greet()
        assert (await client.say(f"MAIL FROM:<{SENDER}>{declared}"))[:3] == "250"
        assert (await client.say(f"RCPT TO:<{account}>"))[:3] == "250"
        if chunked:
            for start in range(0, len(message), 200_000):
                piece = message[start : start + 200_000]
                last = b" LAST" if start + 200_000 >= len(message) else b""
                client.write(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            answers = [await client.reply() for _ in range(6)]
            assert [answer[:3] for answer in answers[:5]] == ["250"] * 5
            answer = answers[5]
        else:
            assert (await client.say("DATA"))[:3] == "354"
            client.write(message + b".\r\n")
            answer = await client.reply()
        assert answer.startswith("552 5.3.4")
        await good(client, account)
    await only_good(server, account)


async def test_the_limit_itself_is_taken(server: Whole) -> None:
    account = await server.account()
    message = sized(LIMIT)
    async with server.smtp() as client:
        await client.begin(SENDER, account)
        client.write(message + b".\r\n")
        assert (await client.reply())[:3] == "250"
    async with server.imap(account) as reader:
        assert (await reader.append(message)).startswith(b"OK")
    delivered, appended = await server.messages(account)
    assert without_trace(delivered) == appended == message


async def test_nul_by_every_door(server: Whole) -> None:
    account = await server.account()
    message = HEAD + b"a\0b\r\n"
    for listener, verb in (("smtp", "EHLO"), ("lmtp", "LHLO")):
        async with server.smtp(listener) as client:
            await client.begin(SENDER, account, verb=verb)
            client.write(message + b".\r\n")
            assert (await client.reply()).startswith("550 5.6.0 NUL")
            for line in (b"NO\0OP", b"MAIL FROM:<a\0@b.test>", b"\0", b"EHLO a\0b"):
                assert (await client.say(line))[:3] in ("500", "501")
            await good(client, account)
    async with server.imap(account) as reader:
        assert (await reader.append(message)).startswith(b"NO")
        for command in (b"NO\0OP", b'SELECT "a\0b"', b"CREATE {3+}\r\na\0b", b"\0"):
            _, tagged = await reader.command(command)
            assert tagged.startswith(b"BAD"), command
    await only_good(server, account, 2)


async def test_a_hundred_thousand_recipients(server: Whole) -> None:
    account = await server.account()
    async with server.smtp() as client:
        await client.greet()
        assert (await client.say(f"MAIL FROM:<{SENDER}>"))[:3] == "250"

        async def pour() -> None:
            # sub-addresses: each is another recipient that exists
            name, _, domain = account.partition("@")
            for start in range(0, 100_000, 1000):
                lines = (f"RCPT TO:<{name}+{n}@{domain}>\r\n" for n in range(start, start + 1000))
                client.write("".join(lines).encode())
                await client.writer.drain()

        pouring = asyncio.create_task(pour())
        answers = b""
        while answers.count(b"\n") < 100_000:
            answers += await asyncio.wait_for(client.reader.read(1 << 20), 20)
        await pouring
        lines = answers.split(b"\r\n")
        assert all(line.startswith(b"250 2.1.5") for line in lines[:1000])
        assert {line[:9] for line in lines[1000:-1]} == {b"452 4.5.3"}
        assert (await client.say("RSET"))[:3] == "250"
        await good(client, account)
    await only_good(server, account)


async def test_unknown_recipients_are_not_counted_for_ever(server: Whole) -> None:
    async with server.smtp() as client:
        await client.greet()
        assert (await client.say(f"MAIL FROM:<{SENDER}>"))[:3] == "250"
        client.write(b"".join(b"RCPT TO:<no%d@example.test>\r\n" % n for n in range(1100)))
        answers = []
        while answer := await client.reply():
            answers.append(answer[:3])
        assert set(answers[:-1]) == {"550"}
        assert answers[-1] == "421"


@pytest.mark.parametrize("head", ["{%d}", "{%d+}"])
async def test_append_above_the_limit(server: Whole, head: str) -> None:
    account = await server.account()
    message = sized(LIMIT + 1)
    async with server.imap(account) as client:
        (line,) = await client.ok("CAPABILITY")
        assert b"APPENDLIMIT=%d" % LIMIT in line
        command = f"APPEND INBOX {head % len(message)}".encode()
        if head.endswith("+}"):
            command += b"\r\n" + message
        _, tagged = await client.command(command)
        assert tagged.startswith(b"NO [TOOBIG]")
        assert await client.append(HEAD + b"good\r\n") != b""
        assert await uids(client) == [1]


@pytest.mark.parametrize("where", ["APPEND INBOX {1073741824}", "LOGIN {1073741824}"])
async def test_a_literal_of_a_gigabyte_that_waits_is_refused(server: Whole, where: str) -> None:
    account = await server.account()
    async with server.imap(account) as client:
        _, tagged = await client.command(where)
        assert b"[TOOBIG]" in tagged
        assert await uids(client) == []


async def test_a_literal_of_a_gigabyte_that_comes_unasked(server: Whole) -> None:
    account = await server.account()
    async with server.imap(account) as client:
        await client.send(b"a APPEND INBOX {1073741824+}\r\n" + b"x" * 65536)
        assert (await client.line()).startswith(b"* BYE")
        assert await client.line() == b""
    assert await server.count(account) == 0


@pytest.mark.parametrize("last", [HEAD + b"a\0b\r\n", sized(LIMIT + 1)])
async def test_of_several_messages_all_or_none(server: Whole, last: bytes) -> None:
    account = await server.account()
    async with server.imap(account) as client:
        command = b"APPEND INBOX"
        for message in (HEAD + b"one\r\n", sized(300_000), last):
            command += b" {%d+}\r\n" % len(message) + message
        _, tagged = await client.command(command)
        assert tagged.startswith(b"NO")
        assert await uids(client) == []
    assert list((server.process.data / "tmp").glob("append*")) == []


async def test_quota_is_no_way_around_the_limit(server: Whole) -> None:
    account = await server.account(quota=200_000)
    async with server.smtp() as client:
        await client.greet()
        assert (await client.say(f"MAIL FROM:<{SENDER}> SIZE=300000"))[:3] == "250"
        assert (await client.say(f"RCPT TO:<{account}>")).startswith("452 4.2.2")
    async with server.imap(account) as reader:
        assert (await reader.append(sized(300_000))).startswith(b"NO [OVERQUOTA]")
        assert await uids(reader) == []


async def test_half_a_command_is_no_command(server: Whole) -> None:
    """What a client sent before it went away is not obeyed, and leaves nothing behind."""
    account = await server.account()
    halves = [
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{account}>\r\nDATA\r\nSubject: half\r\n\r\ntext",
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{account}>\r\nDATA\r\nSubject: half\r\n\r\ntext\r\n.",
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{account}>\r\nBDAT 100 LAST\r\nSubject: half\r\n\r\n",
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{account}>\r\nBDAT 17\r\nSubject: half\r\n\r\n",
        f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{account}>\r\nDATA\r\n" + "x" * 900_000,
    ]
    for half in halves:
        async with server.smtp() as client:
            await client.greet()
            client.write(half.encode())
            client.writer.write_eof()
            while await client.reply():
                pass
    for half in (
        "a APPEND INBOX {100+}\r\nSubject: half",
        "a APPEND INBOX {1000000+}\r\n" + "y" * 900_000,
        "a STORE 1 +FLAGS (\\Deleted",
        "a DELETE Archive",
    ):
        async with server.imap(account) as reader:
            await reader.send(half)
            reader._writer.write_eof()
            while await reader.line():
                pass
    async with server.smtp() as client:
        await client.greet()
        await good(client, account)
    await only_good(server, account)
    async with server.imap(account) as reader:
        assert len(await reader.ok('LIST "" Archive')) == 1


async def test_log_ins_that_flood_are_slowed_not_refused_to_others(server: Whole) -> None:
    """Wrong passwords cost their sender time; another account logs in meanwhile."""
    account, other = await server.account(), await server.account()

    async def guess() -> bytes:
        async with server.imap() as client:
            answer = b""
            for number in range(3):
                try:
                    _, answer = await client.command(f"LOGIN {account} wrong{number}")
                except EOFError as error:
                    return bytes(error.args[0])
            return answer

    guessing = [asyncio.create_task(guess()) for _ in range(20)]
    async with server.imap(other) as client:
        await client.ok("NOOP")
    for answer in await asyncio.gather(*guessing):
        assert b"OK" not in answer.split()[:1]
