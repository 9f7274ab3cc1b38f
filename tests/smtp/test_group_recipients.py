"""A group of contacts as recipient: its owner writes to `slug+list@domain`, nobody else can."""

from pathlib import Path
from typing import Any

from storage.contact_service import ContactService
from storage.group_addresses import group_address, slug
from tests.smtp.test_submission import PLAINTEXT, logged_in
from tests.support.smtp_receiving import ADA, BEN, OUTSIDE, Receiving, receiving

MAIL = f"From: {ADA}\r\nTo: lunch-club+list@example.test\r\nSubject: x\r\n\r\nhello\r\n".encode()


async def make_group(running: Receiving, *members: str) -> None:
    account = await running.directory.account(ADA)
    assert account is not None
    service = ContactService(running.directory.contacts, running.offload)
    uids = [(await service.add_address(account.id, one)).listed.uid for one in members]
    await service.join(account.id, "Lunch Club!", uids)
    assert group_address("Lunch Club!", account) == "lunch-club+list@example.test"


async def test_the_owner_reaches_the_members(tmp_path: Path) -> None:
    async with receiving(tmp_path, **PLAINTEXT) as running:
        await make_group(running, BEN, OUTSIDE)
        client = await running.client("submission")
        await logged_in(client)
        await client.say(f"MAIL FROM:<{ADA}>")
        assert (await client.say("RCPT TO:<Lunch-Club+list@example.test>"))[:3] == "250"
        await client.say("DATA")
        assert (await client.say(MAIL + b"."))[:3] == "250"
        (delivery,) = running.store.delivered
        assert [one.address for one in delivery.queued] == [OUTSIDE]
        ben = await running.directory.account(BEN)
        assert ben is not None and [one.account for one in delivery.local] == [ben.id]
        ada = await running.directory.account(ADA)
        assert ada is not None
        met = await running.directory.contacts.correspondents.listed(ada.id)
        assert {one.address for one in met} == {BEN, OUTSIDE}


async def test_nobody_else_does_and_other_names_are_none(tmp_path: Path) -> None:
    async with receiving(tmp_path, **PLAINTEXT) as running:
        await make_group(running, BEN)
        stranger = await running.client("smtp")
        await stranger.greet()
        await stranger.say("MAIL FROM:<x@elsewhere.test>")
        assert (await stranger.say("RCPT TO:<lunch-club+list@example.test>"))[:3] == "550"
        other = await running.client("submission")
        await logged_in(other, BEN)
        await other.say(f"MAIL FROM:<{BEN}>")
        assert (await other.say("RCPT TO:<lunch-club+list@example.test>"))[:3] == "550"
        assert (await other.say("RCPT TO:<ben+list@example.test>"))[:3] == "250", "a sub-address"
        owner = await running.client("submission")
        await logged_in(owner)
        await owner.say(f"MAIL FROM:<{ADA}>")
        assert (await owner.say("RCPT TO:<supper+list@example.test>"))[:3] == "550"


async def test_a_member_that_is_nobody_is_named_and_limits_hold(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"limits": {"recipients": 2}}
    async with receiving(tmp_path, **PLAINTEXT, **limits) as running:
        await make_group(running, "gone@example.test")
        client = await running.client("submission")
        await logged_in(client)
        await client.say(f"MAIL FROM:<{ADA}>")
        refused = await client.say("RCPT TO:<lunch-club+list@example.test>")
        assert refused.startswith("550 5.2.1 gone@example.test of the group:")
        account = await running.directory.account(ADA)
        assert account is not None
        (gone,) = await running.directory.contacts.with_address(account.id, "gone@example.test")
        await running.directory.contacts.cards.delete_id(account.id, gone.id)
        await make_group(running, *(f"u{n}@elsewhere.test" for n in range(3)))
        assert (await client.say("RCPT TO:<lunch-club+list@example.test>"))[:3] == "452"


def test_slugs() -> None:
    assert [slug(name) for name in ("Café  d'Été", "a_b", "!!", "日本")] == [
        "cafe-d-ete",
        "a-b",
        "",
        "日本",
    ]
