"""NOTIFY: bounds, overflow, what is told while commands run, and the end of a session."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from imap import notifier
from imap.commands import notify
from imap.connection import Connection
from tests.support.imap_server import OTHER, USER, Client, message, serving

_ALL = "(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"
_SELECTED = "(selected (MessageNew (UID) MessageExpunge FlagChange))"


async def _told(client: Client, *wanted: bytes, before: Sequence[bytes] = ()) -> list[bytes]:
    """What comes by itself behind `before`, with all that is wanted, until NOOPs are answered."""
    told = list(before)
    while any(all(one not in line for line in told) for one in wanted):
        told.append((await client.response()).removesuffix(b"\r\n"))
        assert told[-1], told
    for _ in range(5):
        told += await client.ok("NOOP")
    return told


async def test_too_many_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "_NAMES", 2)
    async with serving(tmp_path) as imap:
        client = await imap.session()
        _, tagged = await client.command("NOTIFY SET (mailboxes (a b c) (MailboxName))")
        assert tagged.startswith(b"NO [NOTIFICATIONOVERFLOW]")
        await client.ok("NOTIFY SET (mailboxes (a b) (MailboxName))")


async def test_an_overflow_is_told_once_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "MOST", 3)
    async with serving(tmp_path) as imap:
        client, actor = await imap.session(mailbox="INBOX"), await imap.session()
        await client.ok(f"NOTIFY SET {_ALL} {_SELECTED}")
        monkeypatch.setattr(Connection, "attend", lambda _: None)
        for number in range(5):
            await actor.ok(f"CREATE box{number}")
        told = await client.ok("NOOP")
        assert told == []
        assert await client.line() == (
            b"* OK [NOTIFICATIONOVERFLOW] Too much happened, nothing further is told"
        )
        await imap.deliver(message("x"))
        await actor.ok("DELETE box0")
        assert await _told(client) == []


async def test_changes_that_come_together_are_one_line(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="Sent")
        await client.ok(f"NOTIFY SET {_ALL}")
        await asyncio.gather(*[imap.deliver(message(f"n{n}")) for n in range(20)])
        last = b"* STATUS INBOX (UIDNEXT 21 MESSAGES 20)"
        told = await _told(client, last)
        assert told[-1] == last
        assert len(told) < 20


async def test_nothing_comes_into_the_middle_of_a_literal(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        body = "line of text\r\n" * 100_000
        await client.append(message("large", body))
        await client.ok(f"NOTIFY SET {_ALL} {_SELECTED}")
        await client.send("f FETCH 1 BODY.PEEK[TEXT]\r\n")
        for number in range(20):
            await imap.deliver(message(f"n{number}"))
            await imap.deliver(message(f"n{number}"), "Sent")
        untagged, tagged = await client.until(b"f")
        assert tagged.startswith(b"OK")
        assert b"* 1 FETCH (BODY[TEXT] {%d}\r\n%b)" % (len(body), body.encode()) in untagged
        last = b"* STATUS Sent (UIDNEXT 21 MESSAGES 20)"
        untagged = await _told(client, last, b"* 21 FETCH (UID", before=untagged)
        fetched = [line for line in untagged if b"FETCH (UID" in line]
        assert fetched == [b"* %d FETCH (UID %d)" % (n, n) for n in range(2, 22)]
        assert last in untagged


async def test_with_qresync_expunges_come_as_vanished(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        for number in range(3):
            await imap.deliver(message(f"n{number}"))
        client, actor = await imap.session(), await imap.session(mailbox="INBOX")
        await client.ok("ENABLE QRESYNC")
        await client.ok("SELECT INBOX")
        await client.ok(f"NOTIFY SET {_SELECTED}")
        await actor.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
        await actor.ok("EXPUNGE")
        told = await _told(client, b"* VANISHED")
        assert told[-1] == b"* VANISHED 1,3"
        assert all(b"MODSEQ (" in line for line in told[:-1])


async def test_the_next_user_of_a_connection_hears_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await client.ok(f"NOTIFY SET {_ALL} {_SELECTED}")
        await client.ok("UNAUTHENTICATE")
        await client.ok('LOGIN other@example.test "correct horse"')
        await imap.deliver(message("x"), "Sent")
        assert await _told(client) == []


async def test_a_gone_client_leaves_nothing_behind(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await client.ok(f"NOTIFY SET {_ALL} (subscribed (MessageNew MessageExpunge)) {_SELECTED}")
        await client.close()
        async with asyncio.timeout(20):
            while [key for key in imap.store.bus._by_account if key is not None]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await imap.deliver(message("x"))
        assert not [key for key in imap.store.bus._by_account if key is not None]


async def test_what_others_subscribe_to_is_not_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        owner, guest = await imap.session(USER), await imap.session(OTHER)
        await owner.ok("CREATE Shared")
        await owner.ok(f"SETACL Shared {OTHER} lr")
        await guest.ok(
            f'NOTIFY SET (subtree ("Archive" "Other Users/{USER}/Shared")'
            " (MailboxName SubscriptionChange))"
        )
        await owner.ok("UNSUBSCRIBE Archive")
        await owner.ok("SUBSCRIBE Archive")
        await owner.ok("SUBSCRIBE Shared")
        assert await _told(guest) == []
        elsewhere = await imap.session(OTHER)
        await elsewhere.ok("UNSUBSCRIBE Archive")
        assert b"Archive" in b"".join(await _told(guest, b"Archive"))


async def test_its_own_replacement_is_not_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session(mailbox="INBOX")
        await imap.deliver(message("first"))
        await client.ok(f"NOTIFY SET {_SELECTED}")
        text = b"Subject: second\r\n\r\nx\r\n"
        await client.send(b"r REPLACE 1 INBOX {%d+}\r\n%b\r\n" % (len(text), text))
        told, tagged = await client.until(b"r")
        assert tagged.startswith(b"OK"), tagged
        told += await _told(client)
        assert not any(b"FETCH" in line for line in told), told
