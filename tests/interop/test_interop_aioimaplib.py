"""aioimaplib: IDLE on two connections, pushes from SMTP, APPEND, flags and removal elsewhere."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aioimaplib import aioimaplib

from tests.interop.databases import both_databases
from tests.interop.site import HOST, Account, Site, simple

pytestmark = both_databases
LARGE = simple("large", "lorem ipsum größe\r\n" * 100_000)
# generous: what is measured is that a push comes, not how fast this machine is
PUSH_SECONDS = 5


@asynccontextmanager
async def connection(site: Site, account: Account) -> AsyncIterator[aioimaplib.IMAP4_SSL]:
    """Logged in over TLS, INBOX selected."""
    client = aioimaplib.IMAP4_SSL(HOST, site.port("imaps"), ssl_context=site.tls(), timeout=10)
    await client.wait_hello_from_server()
    assert (await client.login(account.address, account.password)).result == "OK"
    assert (await client.select()).result == "OK"
    try:
        yield client
    finally:
        await client.logout()


@asynccontextmanager
async def idling(client: aioimaplib.IMAP4_SSL) -> AsyncIterator[None]:
    """Inside the block the client idles."""
    idle = await client.idle_start(timeout=30)
    try:
        yield
    finally:
        client.idle_done()
        await asyncio.wait_for(idle, 10)


async def pushed(client: aioimaplib.IMAP4_SSL, text: bytes) -> None:
    """Returns when the server has pushed a line that ends so."""
    seen: list[bytes] = []
    try:
        async with asyncio.timeout(PUSH_SECONDS):
            while not any(line.endswith(text) for line in seen):
                seen += await client.wait_server_push()
    except TimeoutError:
        raise AssertionError(f"{text!r} did not come, but {seen}") from None


def deliver(site: Site, account: Account, title: str) -> None:
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=10) as client:
        client.sendmail("a@world.test", [account.address], simple(title))


async def test_delivered_mail_is_pushed_to_every_connection(site: Site, account: Account) -> None:
    async with connection(site, account) as one, connection(site, account) as two:
        async with idling(one), idling(two):
            await asyncio.to_thread(deliver, site, account, "pushed")
            await pushed(one, b"1 EXISTS")
            await pushed(two, b"1 EXISTS")
        found = await one.fetch("1", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        assert b"Subject: pushed" in b"".join(found.lines)


async def test_changes_elsewhere_are_pushed(site: Site, account: Account) -> None:
    await asyncio.to_thread(site.append, account, simple("first"))
    async with connection(site, account) as watcher, connection(site, account) as other:
        async with idling(watcher):
            await other.append(simple("second"), "INBOX")
            await pushed(watcher, b"2 EXISTS")
            await other.copy("1", "INBOX")
            await pushed(watcher, b"3 EXISTS")
            await other.store("1", "+FLAGS", r"(\Flagged \Deleted)")
            await pushed(watcher, rb"FLAGS (\Flagged \Deleted))")
            await other.expunge()
            await pushed(watcher, b"1 EXPUNGE")
        assert (await watcher.search("ALL")).lines[0] == b"1 2"


async def test_move_and_uid_commands(site: Site, account: Account) -> None:
    for title in ("one", "two"):
        await asyncio.to_thread(site.append, account, simple(title))
    async with connection(site, account) as client:
        assert client.has_capability("MOVE")
        assert (await client.uid("move", "1", "Archive")).result == "OK"
        assert (await client.uid_search("ALL")).lines[0] == b"2"
        answer = await client.namespace()
        assert b'(("" "/"))' in answer.lines[0]
        assert (await client.id(name="aioimaplib")).result == "OK"
        status = await client.status("Archive", "(MESSAGES UIDNEXT)")
        assert b"MESSAGES 1" in status.lines[0]


async def test_folders_tags_and_searches(site: Site, account: Account) -> None:
    async with connection(site, account) as client:
        for answer in (
            await client.create("Work/made"),
            await client.subscribe("Work/made"),
            await client.rename("Work/made", "Work/kept"),
            await client.append(simple("one", "a zebra\r\n"), "INBOX", r"\Seen $label1"),
            await client.append(simple("two"), "INBOX"),
            await client.store("2", "+FLAGS", r"(\Flagged blue)"),
            await client.store("2", "-FLAGS", r"(\Flagged)"),
            await client.uid("copy", "1:2", "Work/kept"),
        ):
            assert answer.result == "OK", answer
        assert (await client.search("KEYWORD", "$label1")).lines[0] == b"1"
        assert (await client.search("KEYWORD", "blue", "UNFLAGGED")).lines[0] == b"2"
        assert (await client.search("BODY", "zebra")).lines[0] == b"1"
        listed = b"".join((await client.list('""', "*")).lines)
        assert b"Work/kept" in listed and b"Work/made" not in listed
        assert (await client.delete("Work/kept")).result == "OK"
        await client.store("1:2", "+FLAGS.SILENT", r"(\Deleted)")
        assert (await client.expunge()).lines[:2] == [b"1 EXPUNGE", b"1 EXPUNGE"]
    assert await asyncio.to_thread(site.messages, account) == []


async def test_a_large_message(site: Site, account: Account) -> None:
    async with connection(site, account) as client:
        assert (await client.append(LARGE, "INBOX")).result == "OK"
        found = await client.uid("fetch", "1", "(RFC822.SIZE BODY.PEEK[])")
        assert LARGE in [bytes(line) for line in found.lines]
