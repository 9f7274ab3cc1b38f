"""Dry runs of scripts and rules over stored mail: what would change is told, and nothing does."""

from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from storage.contact_service import ContactService
from storage.values import AccountId, Append, Content, Flags, System
from tests.support.services import open_test_services

ADA = "ada@example.test"
SCRIPT = """require ["fileinto", "envelope", "imap4flags", "extlists", "body", "vacation", "copy"];
if header :contains "subject" "lists" { fileinto "Lists"; stop; }
if body :text :contains "offer" { discard; stop; }
if envelope :is "from" "boss@work.test" { addflag "\\\\Flagged"; }
if header :contains "subject" "answer" { vacation "away"; redirect :copy "me@home.test"; }
if address :list "from" ":addrbook:default" { addflag "friend"; }
"""


def message(subject: str, sender: str = "x@world.test", body: str = "text") -> bytes:
    return (
        f"Return-Path: <{sender}>\r\n"
        "Received: from mail.world.test (mail.world.test [192.0.2.1]) by mx.example.test with"
        " ESMTP; Tue, 03 Feb 2026 04:05:06 +0000\r\n"
        f"From: <{sender}>\r\nTo: <{ADA}>\r\nSubject: {subject}\r\n\r\n{body}\r\n"
    ).encode()


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as opened:
        await run(opened, "account.add", address=ADA, password="correct horse")
        yield opened


async def run(services: Services, operation: str, **args: Any) -> Any:
    return await perform(services, operation, args, lambda *_: None)


async def put(services: Services, mailbox: str, data: bytes, flags: Flags | None = None) -> None:
    account = await services.directory.account(ADA)
    assert account is not None
    box = await services.store.mailbox(account.id, mailbox)
    content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
    await services.store.append(account.id, box.id, [Append(content, flags or Flags(), 1.7e9)])


async def state(services: Services) -> object:
    account = await services.directory.account(ADA)
    assert account is not None
    boxes = await services.store.mailboxes(account.id)
    rows = {box.name: await uids_and_flags(services, account.id, box.id) for box in boxes}
    return rows, services.directory.scripts.changes


async def uids_and_flags(services: Services, account: AccountId, mailbox: Any) -> object:
    view = await services.store.view(account, mailbox)
    uids = list(view.uids)
    view.release()
    found = []
    async for rows in services.store.rows(account, mailbox, uids):
        found += [(row.uid, row.flags) for row in rows]
    return found


async def test_what_would_change_is_told_and_nothing_is_done(services: Services) -> None:
    account = await services.directory.account(ADA)
    assert account is not None
    service = ContactService(services.directory.contacts, services.offload)
    await service.add_address(account.id, "friend@world.test", "Friend")
    for data, flags in (
        (message("nothing"), None),
        (message("lists and more"), None),
        (message("an offer", body="a special OFFER"), None),
        (message("work", "boss@work.test"), None),
        (message("work again", "boss@work.test"), Flags(System.FLAGGED)),
        (message("answer me"), None),
        (message("hello", "friend@world.test"), None),
    ):
        await put(services, "INBOX", data, flags)
    await services.store.create(account.id, "Lists")
    before = await state(services)
    told: list[tuple[int, int, str]] = []
    args = {"address": ADA, "text": SCRIPT, "last": 100, "mailbox": "inbox"}
    found = await perform(services, "sieve.test", args, lambda *one: told.append(one))
    assert (found["tested"], found["changed"], found["failed"]) == (7, 5, 0)
    assert told == []  # so few need no progress
    rows = {row["subject"]: row for row in found["messages"]}
    assert [row["message"] for row in found["messages"]] == [f"INBOX/{n}" for n in range(1, 8)]
    assert rows["nothing"]["actions"] == [{"text": "keep (implicit)", "line": 0}]
    assert rows["lists and more"]["actions"] == [{"text": 'fileinto "Lists"', "line": 2}]
    assert rows["lists and more"]["matched"] == [2]
    assert rows["lists and more"]["effects"] == ["move from INBOX to Lists"]
    assert rows["an offer"]["actions"] == [{"text": "discard", "line": 3}]
    assert (rows["work"]["changed"], rows["work again"]["changed"]) == (True, False)
    assert [one["text"].partition(" ")[0] for one in rows["answer me"]["actions"]] == [
        *("vacation", "redirect", "keep"),
    ]
    assert rows["hello"]["actions"][0]["text"] == 'keep :flags "friend" (implicit)'
    assert await state(services) == before


async def test_a_script_of_the_account_a_rule_and_the_newest_alone(services: Services) -> None:
    for n in range(60):
        await put(services, "Archive", message(f"number {n}"))
    await run(services, "sieve.put", address=ADA, name="mine", text="discard;", activate=True)
    await run(services, "sieve.put", address=ADA, name="other", text="stop;")
    told: list[tuple[int, int, str]] = []
    args = {"address": ADA, "last": 100, "mailbox": "Archive"}
    found = await perform(services, "sieve.test", args, lambda *one: told.append(one))
    assert (found["script"], found["tested"], found["changed"]) == ("mine", 60, 60)
    assert told[0] == (1, 60, "mine") and told[-1] == (60, 60, "mine")
    found = await run(services, "sieve.test", address=ADA, name="other", last=3, mailbox="Archive")
    assert [row["uid"] for row in found["messages"]] == [58, 59, 60] and not found["changed"]
    rule = {"name": "Sevens", "conditions": [{"type": "header", "name": "Subject", "value": "7"}],
            "actions": [{"type": "file", "mailbox": "Sevens"}]}  # fmt: skip
    found = await run(services, "sieve.test", **args, rule=rule)
    assert found["script"] == "Sevens"
    assert [row["subject"][7:] for row in found["messages"] if row["changed"]] == [
        *("7", "17", "27", "37", "47", "57"),
    ]
    # what is where it would go already does not change
    rule["actions"] = [{"type": "archive"}]
    assert (await run(services, "sieve.test", **args, rule=rule))["changed"] == 0


async def test_an_included_script_sees_the_body(services: Services) -> None:
    await put(services, "INBOX", message("x", body="filler\r\n" * 20_000 + "special offer"))
    text = 'require ["body", "fileinto"]; if body :contains "special offer" { discard; }'
    await run(services, "sieve.put", address=ADA, name="inner", text=text)
    args = {"address": ADA, "last": 1, "mailbox": "INBOX"}
    text = 'require "include"; include "inner";'
    assert (await run(services, "sieve.test", text=text, **args))["changed"] == 1


async def test_what_fails_is_told_with_its_line(services: Services) -> None:
    await put(services, "INBOX", message("x"))
    text = 'require ["reject"];\nreject "no";\nreject "again";'
    found = await run(services, "sieve.test", address=ADA, text=text, last=1, mailbox="INBOX")
    (row,) = found["messages"]
    assert (found["failed"], found["changed"], row["line"]) == (1, 0, 3) and row["error"]
    base = {"address": ADA, "last": 1, "mailbox": "INBOX"}
    wrongs: list[dict[str, Any]] = [
        {"text": "kep"},
        {"name": "nothing"},
        {"rule": {"name": "x"}, "mailbox": "Nowhere"},
        {"rule": {}},
        {},
    ]
    for wrong in wrongs:
        with pytest.raises(OperationError):
            await run(services, "sieve.test", **{**base, **wrong})
