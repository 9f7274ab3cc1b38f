"""Scripts that run when a client brings, copies or flags a message (RFC 6785): put by ManageSieve,
named by SETMETADATA, seen by IMAP.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support import imap_server
from tests.support.server import PASSWORD
from tests.support.whole import Whole, body_of, uids, whole

MESSAGE = (
    b"From: a@far.test\r\nTo: b@far.test\r\nSubject: invoice 7\r\nMessage-ID: <7@far.test>\r\n"
    b"\r\nPay.\r\n"
)
EXTRA = '[outbound]\nsmarthost = "smtp://127.0.0.1:9"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("scripts"), EXTRA) as running:
        yield running


async def put(server: Whole, account: str, name: str, script: str, *, active: bool = False) -> None:
    """Over ManageSieve, as a user's program does it."""
    port = server.process.port("managesieve")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    initial = b64encode(f"\0{account}\0{PASSWORD}".encode()).decode()
    text = script.encode()
    lines = [
        f'AUTHENTICATE "PLAIN" "{initial}"',
        f'PUTSCRIPT "{name}" {{{len(text)}+}}\r\n{script}',
        *([f'SETACTIVE "{name}"'] if active else []),
    ]
    await answer(reader)
    for line in lines:
        writer.write(line.encode() + b"\r\n")
        assert (await answer(reader)).startswith(b"OK"), line
    writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The last line of a reply."""
    while not (line := await asyncio.wait_for(reader.readline(), 20)).startswith(
        (b"OK", b"NO", b"BYE")
    ):
        assert line
    return line


@asynccontextmanager
async def ready(
    server: Whole, script: str, mailbox: str = "INBOX"
) -> AsyncIterator[imap_server.Client]:
    """A client of an account whose mailbox has the script."""
    account = await server.account()
    await put(server, account, "events", script)
    async with server.imap(account) as client:
        assert any(b"IMAPSIEVE=sieve://mx.example.test" in x for x in await client.ok("CAPABILITY"))
        await client.ok("CREATE Bills")
        await client.ok(f'SETMETADATA {mailbox} (/shared/imapsieve/script "events")')
        yield client


async def append(
    client: imap_server.Client, mailbox: str = "INBOX", message: bytes = MESSAGE
) -> None:
    await client.send(
        b"a APPEND %s {%d+}\r\n" % (mailbox.encode(), len(message)) + message + b"\r\n"
    )
    while not (line := await client.line()).startswith(b"a "):
        pass
    assert line.startswith(b"a OK"), line


async def eventually(client: imap_server.Client, mailbox: str, word: bytes, count: int = 1) -> None:
    """The mailbox has so many messages that a SEARCH finds; scripts run behind the command."""
    for _ in range(400):
        await client.ok(f"SELECT {mailbox}")
        (found,) = [
            line for line in await client.ok(f"UID SEARCH {word.decode()}") if b"SEARCH" in line
        ]
        if len(found.split()[2:]) == count:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{mailbox}: {found!r}")


async def test_what_is_appended_is_flagged_and_filed(server: Whole) -> None:
    script = """require ["imap4flags", "fileinto", "copy", "environment"];
    if allof (environment "imap.cause" "APPEND", header :contains "subject" "invoice") {
        fileinto :copy "Bills";
        addflag "money";
        keep;
    }"""
    async with ready(server, script) as client:
        await append(client)
        await eventually(client, "Bills", b"SUBJECT invoice")
        await eventually(client, "INBOX", b"KEYWORD money")
        (uid,) = await uids(client)
        assert await body_of(client, uid) == MESSAGE
        await append(client, message=MESSAGE.replace(b"invoice", b"hello"))
        await eventually(client, "INBOX", b"ALL", 2)
        await eventually(client, "Bills", b"ALL")


async def test_what_is_copied_and_what_is_flagged(server: Whole) -> None:
    script = """require ["imap4flags", "environment", "variables"];
    if environment "imap.cause" "COPY" { addflag "copied"; }
    if allof (environment "imap.cause" "FLAG",
              environment :matches "imap.changedflags" "*Flagged*",
              environment :matches "imap.user" "*@example.test",
              environment "imap.mailbox" "Bills") { addflag "starred"; }
    keep;"""
    async with ready(server, script, "Bills") as client:
        await append(client)
        await client.ok("SELECT INBOX")
        await client.ok("COPY 1 Bills")
        await eventually(client, "Bills", b"KEYWORD copied")
        await client.ok("STORE 1 +FLAGS (\\Flagged)")
        await eventually(client, "Bills", b"KEYWORD starred KEYWORD copied FLAGGED")
        await client.ok("SELECT INBOX")
        await client.ok("STORE 1 +FLAGS (\\Flagged)")
        await eventually(client, "INBOX", b"KEYWORD starred", 0)


async def test_reading_sets_a_flag_and_replacing_flags_takes_some_away(server: Whole) -> None:
    script = """require ["imap4flags", "environment", "imapsieve"];
    if environment "imap.changedflags" "\\\\Seen" { addflag "read"; }
    if environment "imap.changedflags" "\\\\Flagged" { addflag "unstarred"; } keep;"""
    async with ready(server, script) as client:
        await append(client)
        await client.ok("SELECT INBOX")
        await client.ok("FETCH 1 BODY[]")
        await eventually(client, "INBOX", b"KEYWORD read SEEN")
        await client.ok("STORE 1 FLAGS (\\Seen \\Flagged read)")
        await eventually(client, "INBOX", b"KEYWORD unstarred")
        await client.ok("STORE 1 FLAGS (\\Seen \\Flagged read)")
        await client.ok("STORE 1 FLAGS (\\Seen read)")
        await eventually(client, "INBOX", b"KEYWORD unstarred UNFLAGGED")


async def test_what_is_discarded_is_marked_deleted_and_never_expunged(server: Whole) -> None:
    async with ready(server, "discard;") as client:
        await append(client)
        await eventually(client, "INBOX", b"DELETED")


async def test_what_is_redirected_goes_out_as_resent(server: Whole) -> None:
    async with ready(server, 'require "copy"; redirect :copy "else@far.test";') as client:
        await append(client)
        for _ in range(400):
            if queue := await server.control("queue.list"):
                break
            await asyncio.sleep(0.05)
        (one,) = queue
        assert [to["address"] for to in one["recipients"]] == ["else@far.test"]
        (path,) = (server.process.data / "queue").glob("[0-9]*")
        data = path.read_bytes()
        assert b"Resent-To: <else@far.test>" in data and data.endswith(MESSAGE)
        await eventually(client, "INBOX", b"UNDELETED")


async def test_a_script_that_is_not_there_or_refuses_does_nothing(server: Whole) -> None:
    async with ready(server, 'require "reject"; reject "no";') as client:
        await append(client)
        await client.ok('SETMETADATA INBOX (/shared/imapsieve/script "gone")')
        await append(client)
        await eventually(client, "INBOX", b"UNDELETED", 2)
