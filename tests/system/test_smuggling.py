"""One message sent is one message seen, whatever ends its lines; nothing said before TLS counts."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.smtp_receiving import Client
from tests.support.whole import SENDER, Whole, whole, without_trace

HEAD = b"Subject: honest\r\n\r\n"
CR, LF, CRLF, NUL = b"\r", b"\n", b"\r\n", b"\0"
ENDS = (CR, LF, CRLF)
# Each pair of line ends around a dot by which some server ends a message (SEC Consult 2023 and
# what followed), and the odd ones: CR doubled, NUL within, dots doubled.
ENDINGS = [a + b"." + b for a in ENDS for b in ENDS if (a, b) != (CRLF, CRLF)] + [
    b"\n.\n\r",
    b"\n\r.\n\r",
    b"\r\r\n.\r\r\n",
    b"\r\n.\r\r\n",
    b"\n\n.\n\n",
    b"\r\n.\n\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n\0\r\n.\0\r\n",
    b"\r\0\n.\r\0\n",
    b"\0\n.\0\n",
    b"\n..\n",
    b"\r..\r",
    b"\r\n.\r.\r\n",
]
# Line ends of Unicode and of terminals: octets like any other here.
SEPARATORS = [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("smuggling")) as running:
        yield running


def evil(account: str) -> bytes:
    """What a smuggler puts behind the ending: a whole second transaction."""
    lines = [
        f"MAIL FROM:<{SENDER}>",
        f"RCPT TO:<{account}>",
        "DATA",
        "Subject: smuggled",
        "",
        "smuggled",
        ".",
        "",
    ]
    return "\r\n".join(lines).encode()


async def begin(client: Client, account: str, verb: str = "DATA") -> None:
    """A transaction, up to DATA's 354 or to where BDAT may come."""
    assert (await client.say(f"MAIL FROM:<{SENDER}>"))[:3] == "250"
    assert (await client.say(f"RCPT TO:<{account}>"))[:3] == "250"
    if verb == "DATA":
        assert (await client.say("DATA"))[:3] == "354"


@asynccontextmanager
async def greeted(server: Whole, listener: str) -> AsyncIterator[Client]:
    async with server.smtp(listener) as client:
        await client.greet("LHLO" if listener == "lmtp" else "EHLO")
        yield client


async def in_step(client: Client, account: str, text: str) -> None:
    """One command, one reply; and the next message is an ordinary one."""
    assert await client.say("NOOP twelve") == "250 2.0.0 Ok"
    await begin(client, account)
    assert (await client.say(f"Subject: {text}\r\n\r\nafter\r\n."))[:3] == "250"


async def send_split(client: Client, data: bytes, cuts: list[int]) -> None:
    """Sends in pieces that arrive one by one."""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        client.write(data[start:end])
        await client.writer.drain()
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
async def test_no_ending_but_one_ends_a_message(server: Whole, listener: str) -> None:
    account = await server.account()
    async with greeted(server, listener) as client:
        for number, ending in enumerate(ENDINGS):
            await begin(client, account)
            client.write(HEAD + b"text" + ending + evil(account))
            assert (await client.reply()).startswith("550 5.6.0"), ending
            # the smuggler's own last dot ended the only message: nothing of his was obeyed
            await in_step(client, account, f"after {number}")
    seen = [without_trace(message) for message in await server.messages(account)]
    expected = [b"Subject: after %d\r\n\r\nafter\r\n" % number for number in range(len(ENDINGS))]
    assert seen == expected


async def test_packets_end_nothing(server: Whole) -> None:
    account = await server.account()

    async def attempt(ending: bytes, cut: int) -> None:
        async with greeted(server, "smtp") as client:
            await begin(client, account)
            start = len(HEAD) + 4
            data = HEAD + b"text" + ending + evil(account)
            await send_split(client, data, [start + cut, start + len(ending)])
            assert (await client.reply()).startswith("550 5.6.0"), (ending, cut)
            assert await client.say("NOOP") == "250 2.0.0 Ok"

    for ending in ENDINGS:
        await asyncio.gather(*(attempt(ending, cut) for cut in range(len(ending))))
    assert await server.count(account) == 0


async def test_the_end_in_single_octets(server: Whole) -> None:
    account = await server.account()
    async with greeted(server, "smtp") as client:
        await begin(client, account)
        data = HEAD + b"..text\r\n.\r\nNOOP\r\n"
        await send_split(client, data, list(range(1, len(data))))
        assert [(await client.reply())[:3] for _ in range(2)] == ["250", "250"]
    assert [without_trace(one) for one in await server.messages(account)] == [HEAD + b".text\r\n"]


async def test_separators_of_other_worlds_are_octets(server: Whole) -> None:
    account = await server.account()
    sent = []
    async with greeted(server, "smtp") as client:
        for separator in SEPARATORS:
            message = (
                b"Subject: honest"
                + separator
                + b"Bcc: nobody@example.test"
                + b"\r\nX-Next: a"
                + separator
                + b".b\r\n\r\ntext"
                + separator
                + b"."
                + separator
                + evil(account).replace(b"\r\n.\r\n", b"\r\n").replace(b"\r\n", separator)
                + b"\r\n"
            )
            await begin(client, account)
            assert (await client.say(message + b"."))[:3] == "250", separator
            sent.append(message)
    assert [without_trace(one) for one in await server.messages(account)] == sent
    async with server.imap(account) as reader:
        assert await reader.ok("UID SEARCH HEADER Bcc nobody") == [b"* SEARCH"]


@pytest.mark.parametrize("listener", ["smtp", "lmtp"])
async def test_no_ending_ends_a_chunk(server: Whole, listener: str) -> None:
    account = await server.account()
    async with greeted(server, listener) as client:
        for ending in ENDINGS:
            data = HEAD + b"text" + ending + evil(account)
            await begin(client, account, "BDAT")
            client.write(b"BDAT %d LAST\r\n" % len(data) + data)
            assert (await client.reply()).startswith("550 5.6.0"), ending
            assert await client.say("NOOP") == "250 2.0.0 Ok"
    assert await server.count(account) == 0


async def test_a_dot_in_chunks_is_text(server: Whole) -> None:
    """CRLF.CRLF is lawful in BDAT, also when chunks part it everywhere (RFC 3030 §3)."""
    account = await server.account()
    data = HEAD + b"text\r\n.\r\n" + evil(account)
    async with greeted(server, "smtp") as client:
        for cut in range(len(HEAD) + 4, len(HEAD) + 11):
            await begin(client, account, "BDAT")
            first, last = data[:cut], data[cut:]
            client.write(b"BDAT %d\r\n" % len(first) + first)
            client.write(b"BDAT %d LAST\r\n" % len(last) + last)
            assert [(await client.reply())[:3] for _ in range(2)] == ["250", "250"]
    assert [without_trace(one) for one in await server.messages(account)] == [data] * 7


@pytest.mark.parametrize(
    "size", ["-1", "+20", "0x14", "1_0", "٢٠", "20 20", "20 LAST x", "20LAST", "", "9" * 20, "20.0"]
)
async def test_a_chunk_of_unknown_size_ends_the_connection(server: Whole, size: str) -> None:
    account = await server.account()
    async with greeted(server, "smtp") as client:
        await begin(client, account, "BDAT")
        client.write(f"BDAT {size}\r\n".encode() + evil(account))
        answer = await client.reply()
        # a line that is no command at all is refused as such: nothing of it was a chunk
        assert answer[:3] in ("500", "501")
        assert await client.closed() or answer[:3] == "500"
    assert await server.count(account) == 0


async def test_a_chunk_that_claims_gigabytes_is_not_waited_for(server: Whole) -> None:
    account = await server.account()
    async with greeted(server, "smtp") as client:
        await begin(client, account, "BDAT")
        client.write(b"BDAT 9999999999999999999 LAST\r\n" + evil(account))
        assert (await client.reply())[:3] == "552"
        assert await client.closed()
    assert await server.count(account) == 0


@pytest.mark.parametrize("listener", ["smtp", "submission"])
async def test_what_was_said_before_tls_is_not_obeyed(server: Whole, listener: str) -> None:
    account = await server.account()
    async with server.smtp(listener) as client:
        await client.greet()
        injected = b"EHLO injected\r\n" + evil(account).replace(
            b"DATA\r\n", b"BDAT 3 LAST\r\na\r\n"
        )
        client.write(b"STARTTLS\r\n" + injected)
        assert (await client.reply())[:3] == "220"
        await client.starttls()
        # nothing is left in the connection: the first answer is to the first command
        assert (await client.say("MAIL FROM:<x@y.test>"))[:3] == "503"
        assert "STARTTLS" not in await client.say("EHLO client.test")
        assert (await client.say("RCPT TO:<" + account + ">"))[:3] == "503"
    assert await server.count(account) == 0


async def test_a_transaction_begun_before_tls_is_forgotten(server: Whole) -> None:
    account = await server.account()
    async with greeted(server, "smtp") as client:
        await begin(client, account, "BDAT")
        client.write(b"BDAT 10\r\nSubject: x")
        assert (await client.reply())[:3] == "250"
        client.write(b"STARTTLS\r\n")
        answer = (await client.reply())[:3]
        if answer == "220":
            await client.starttls()
            assert (await client.say("EHLO client.test"))[:3] == "250"
        client.write(b"BDAT 4 LAST\r\n\r\n\r\n")
        final = (await client.reply())[:3]
        assert (answer, final) in [("220", "503"), ("503", "250")]
    assert await server.count(account) == (final == "250")


async def test_imap_commands_before_tls_are_not_obeyed(server: Whole) -> None:
    account = await server.account()
    async with server.imap() as client:
        lines = [
            "a STARTTLS",
            f'b LOGIN {account} "correct horse"',
            "c APPEND INBOX {15+}",
            "Subject: x",
            "",
            "",
        ]
        await client.send("\r\n".join(lines))
        assert (await client.line()).startswith(b"a OK")
        await client.start_tls()
        assert await client.command("NOOP") == ([], b"OK NOOP completed")
        _, tagged = await client.command("SELECT INBOX")
        assert not tagged.startswith(b"OK")
    assert await server.count(account) == 0


@pytest.mark.parametrize("injected", [b"\n", b"\r", b"\0", b"\n\r"])
async def test_bare_line_ends_begin_no_imap_command(server: Whole, injected: bytes) -> None:
    account = await server.account()
    async with server.imap(account) as client:
        for command in (b"SEARCH SUBJECT x", b'LIST "" "x', b"CREATE {3+}\r\nabc"):
            _, tagged = await client.command(command + injected + b"z1 CREATE Injected")
            assert tagged.startswith(b"BAD")
        assert await client.ok('LIST "" Injected') == []
        assert await client.ok('LIST "" abc*') == []
