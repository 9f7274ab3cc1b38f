"""SMTP into the real store: what was sent is what the store reads back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.clock import SystemClock
from net.threads import Offload
from storage.store import Store
from storage.values import AccountId
from tests.support.smtp_receiving import ADA, BEN, OUTSIDE, Receiving, receiving, without_id

HEAD = b"From: a@b.test\r\nSubject: stored\r\nMessage-ID: <1@b.test>\r\nList-Id: python\r\n\r\n"
RULES = {"rule": [{"header": "List-Id", "contains": "Python", "tag": "lists"}]}


@asynccontextmanager
async def stored(folder: Path) -> AsyncIterator[Receiving]:
    """A server on a real store that has the directory's accounts."""
    offload = Offload()
    data = folder / "data"
    data.mkdir()
    store = await Store.open(
        data, data / "mail", "sqlite", offload, SystemClock(), "mx.example.test"
    )
    try:
        async with receiving(folder, store=store, tagging=RULES) as running:
            for account in await running.directory.accounts():
                await store.add_account(account.id)
            yield running
    finally:
        await store.close()
        await asyncio.to_thread(offload.close)


async def mails(running: Receiving, account: AccountId, mailbox: str = "INBOX") -> list[bytes]:
    """Every message of a mailbox."""
    store: Store = running.store  # type: ignore[assignment]
    box = await store.mailbox(account, mailbox)
    view = await store.view(account, box.id)
    rows = [row async for part in store.rows(account, box.id, view.uids) for row in part]
    bodies = [await store.read_body(account, row.blob, box.id, row.uid) for row in rows]
    view.release()
    return bodies


async def ids(running: Receiving) -> tuple[AccountId, AccountId]:
    found = [await running.directory.account(address) for address in (ADA, BEN)]
    assert found[0] is not None and found[1] is not None
    return found[0].id, found[1].id


@pytest.mark.parametrize("size", [0, 4_000, 300_000, 3_000_000])
async def test_bytes_come_back(tmp_path: Path, size: int) -> None:
    body = HEAD + b".dot\r\n" + (b"\xe9" * 76 + b"\r\n") * (size // 78)
    async with stored(tmp_path) as running:
        client = await running.client()
        await client.begin(OUTSIDE, ADA, "both@example.test", "away@example.test")
        client.write((b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        assert (await client.reply())[:3] == "250"
        for account in await ids(running):
            (mail,) = await mails(running, account)
            path, received, _ = mail.split(b"\r\n", 2)
            assert mail.endswith(b"\r\n" + body) and path == b"Return-Path: <%b>" % OUTSIDE.encode()
            assert received.startswith(b"Received: from client.test")
        assert list(running.store.spool_dir.iterdir()) == []


async def test_tags_are_keywords(tmp_path: Path) -> None:
    async with stored(tmp_path) as running:
        store: Store = running.store  # type: ignore[assignment]
        client = await running.client()
        await client.begin(OUTSIDE, ADA)
        assert (await client.say(HEAD + b"."))[:3] == "250"
        ada, _ = await ids(running)
        box = await store.mailbox(ada, "INBOX")
        view = await store.view(ada, box.id)
        assert view.flags_text(view.flags[0]) == b"lists"
        view.release()


async def test_a_full_mailbox_is_told_at_rcpt(tmp_path: Path) -> None:
    async with stored(tmp_path) as running:
        store: Store = running.store  # type: ignore[assignment]
        ada, _ = await ids(running)
        await store.set_limits(ada, 0, 1)
        client = await running.client()
        await client.begin(OUTSIDE, ADA)
        assert (await client.say(HEAD + b"."))[:3] == "250"
        await client.say("MAIL FROM:<a@b.test>")
        assert without_id(await client.say(f"RCPT TO:<{ADA}>")) == "452 4.2.2 Mailbox full"
        assert (await client.say(f"RCPT TO:<{BEN}>"))[:3] == "250"


async def test_an_account_that_vanished_is_no_failure(tmp_path: Path) -> None:
    async with stored(tmp_path) as running:
        store: Store = running.store  # type: ignore[assignment]
        ada, ben = await ids(running)
        client = await running.client()
        await client.begin(BEN, ADA)
        await store.remove_account(ada)
        assert (await client.say(HEAD + b"."))[:3] == "250"
        assert await mails(running, ben) is not None
