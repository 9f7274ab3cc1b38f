"""Submission for other accounts and groups: who may, what Sender says, and until when."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from storage.directory_values import Submission
from tests.smtp.test_submission import logged_in
from tests.support.smtp_receiving import ADA, BEN, OUTSIDE, Client, Receiving, receiving

GROUP = "mixed@example.test"


async def delegated(running: Receiving, *, on_behalf: bool) -> None:
    """Ada lets Ben send for her."""
    ada, ben = [await running.directory.account(one) for one in (ADA, BEN)]
    assert ada is not None and ben is not None
    await running.directory.delegations.allow(ada.id, ben.id, on_behalf=on_behalf)


async def as_ben(running: Receiving) -> Client:
    client = await running.client("submissions")
    await logged_in(client, BEN)
    return client


async def submit(client: Client, header: str, sender: str = BEN) -> str:
    """The last reply."""
    for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{OUTSIDE}>", "DATA"):
        answer = await client.say(line)
        if answer[:1] not in "23":
            return answer
    client.write(f"{header}\r\nSubject: x\r\n\r\nhello\r\n.\r\n".encode())
    return await client.reply()


def found(running: Receiving) -> EmailMessage:
    return message_from_bytes(running.store.bodies.pop(), policy=default)


async def test_nobody_sends_for_others_unasked(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await as_ben(running)
        assert (await submit(client, f"From: {ADA}", ADA))[:9] == "553 5.7.1"
        assert (await submit(client, f"From: {ADA}"))[:9] == "550 5.7.1"
        assert not running.store.bodies


async def test_send_as_looks_like_the_owner(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await delegated(running, on_behalf=False)
        client = await as_ben(running)
        for sender in (ADA, BEN, "ada+x@example.test"):
            assert (await submit(client, f"From: Ada <{ADA}>", sender))[:3] == "250"
            sent = found(running)
            assert (sent["From"], sent["Sender"]) == (f"Ada <{ADA}>", None)
        assert (await submit(client, f"From: {ADA}\r\nSender: {BEN}"))[:3] == "250"
        assert found(running)["Sender"] == BEN


async def test_on_behalf_names_who_sent_it(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await delegated(running, on_behalf=True)
        client = await as_ben(running)
        for header in (
            f"From: {ADA}",
            f"From: {ADA}\r\nSender: {ADA}",  # a delegate does not hide behind the owner
            f"From: {ADA}\r\nSender: x@elsewhere.test",
            f"From: {ADA}, {BEN}",
        ):
            assert (await submit(client, header, ADA))[:3] == "250"
            assert found(running).get_all("Sender") == [BEN]
        own = "Sender: ben+desk@example.test"
        assert (await submit(client, f"From: {ADA}\r\n{own}"))[:3] == "250"
        assert found(running)["Sender"] == "ben+desk@example.test"


async def test_a_delegate_of_two_owners_does_not_hide_behind_one(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await delegated(running, on_behalf=True)
        cy = await running.directory.add_account("cy@example.test", "hash")
        ben = await running.directory.account(BEN)
        assert ben is not None
        await running.directory.delegations.allow(cy.id, ben.id, on_behalf=False)
        client = await as_ben(running)
        for author, sender in ((ADA, BEN), (BEN, None)):
            assert (await submit(client, f"From: {author}\r\nSender: {cy.address}"))[:3] == "250"
            assert found(running)["Sender"] == sender


async def test_the_owner_of_an_account_is_not_bound(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await delegated(running, on_behalf=True)
        client = await running.client("submissions")
        await logged_in(client)
        assert (await submit(client, f"From: {BEN}", ADA))[:9] == "550 5.7.1"
        assert (await submit(client, f"From: {ADA}", ADA))[:3] == "250"
        assert found(running)["Sender"] is None


async def test_what_is_revoked_ends_on_open_connections(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await delegated(running, on_behalf=False)
        client = await as_ben(running)
        for line in (f"MAIL FROM:<{ADA}>", f"RCPT TO:<{OUTSIDE}>", "DATA"):
            assert (await client.say(line))[:1] in "23"
        ada, ben = [await running.directory.account(one) for one in (ADA, BEN)]
        assert ada is not None and ben is not None
        await running.directory.delegations.revoke(ada.id, ben.id)
        client.write(f"From: {ADA}\r\n\r\nhello\r\n.\r\n".encode())
        assert (await client.reply())[:9] == "550 5.7.1"
        assert (await client.say(f"MAIL FROM:<{ADA}>"))[:9] == "553 5.7.1"


async def test_members_of_a_group_send_as_it_where_it_allows(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await as_ben(running)
        assert (await submit(client, f"From: {GROUP}", GROUP))[:9] == "553 5.7.1"
        assert (await submit(client, f"From: {GROUP}"))[:9] == "550 5.7.1"
        await running.directory.set_send_as(GROUP, True)
        assert (await submit(client, f"From: {GROUP}", GROUP))[:3] == "250"
        assert found(running)["Sender"] is None


async def test_any_author_includes_those_of_delegation(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await delegated(running, on_behalf=False)
        await running.directory.set_submission(BEN, Submission(from_header="any"))
        client = await as_ben(running)
        for author, sender in ((ADA, None), ("ceo@bank.test", BEN)):
            assert (await submit(client, f"From: {author}"))[:3] == "250"
            assert found(running)["Sender"] == sender
