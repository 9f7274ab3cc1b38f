"""Email/copy between two accounts, on a real store (RFC 8621 §4.7)."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from auth.grant import FULL
from config.logging import get_logger
from filters.blob_scanning import BlobScanner
from filters.virus_scanner import VirusScanner
from storage.errors import StoreUnavailable
from storage.object_ids import account_number, mailbox_number
from storage.values import Flags, System
from tests.support.services import open_test_services
from tests.support.stores import ACCOUNT, OTHER, appended, message
from web.jmap.arguments import Arguments
from web.jmap.blob.reading import BlobReader
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError
from web.jmap.limits import Limits
from web.jmap.mail.creating import Creating
from web.jmap.mail.email import EmailType
from web.jmap.mail.email_copy import EmailCopy
from web.jmap.mail.email_set import EmailSet
from web.jmap.mail.intake import Intake
from web.jmap.methods import Call
from web.jmap.octets import Budget


def accounts(_call: Call[Context], account_id: str) -> Account:
    for number in (ACCOUNT, OTHER):
        if account_number(number) == account_id:
            return Account(number, FULL, "ada@example.test", Budget("the answer", 1 << 20))
    raise MethodError("accountNotFound")


async def test_an_email_goes_to_another_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_test_services(tmp_path) as services:
        store, limits = services.store, Limits()
        for number in (ACCOUNT, OTHER):
            await store.add_account(number)
        scanner = VirusScanner(services.offload, services.clock, get_logger("test"))
        blob_scanner = BlobScanner(services.blobs, scanner, get_logger("test"))
        emails = EmailType(store, services.directory, services.offload, limits)
        reader = BlobReader(emails, services.blobs, blob_scanner, services.offload)
        intake = Intake(store, scanner, services.offload)
        creating = Creating(reader, intake, services.clock, services.offload)
        email_set = EmailSet(store, services.directory, services.offload, limits, creating)
        copies = EmailCopy(
            *(email_set, reader, intake, store, services.directory, limits, accounts, accounts)
        )
        call: Any = Call(
            None, frozenset(), {}, Budget("references", 1 << 20), Budget("the answer", 1 << 20)
        )
        flags = Flags(System.SEEN, frozenset({"work"}))
        done = await store.append(ACCOUNT, "INBOX", [appended(message("moved"), flags, 5e8)])
        inbox = await store.mailbox(ACCOUNT, "INBOX")
        (blob,) = (await store.contents(ACCOUNT, inbox.id, done.target)).values()
        target = mailbox_number(OTHER, (await store.mailbox(OTHER, "Archive")).id)
        asked: dict[str, Any] = {
            "fromAccountId": account_number(ACCOUNT),
            "accountId": account_number(OTHER),
            "create": {
                "one": {"id": f"M{blob:x}", "mailboxIds": {target: True}},
                "none": {"id": "M1", "mailboxIds": {target: True}},
                "bad": {"id": f"M{blob:x}", "mailboxIds": {target: True}, "subject": "no"},
            },
            "onSuccessDestroyOriginal": True,
        }
        with pytest.raises(MethodError, match="stateMismatch"):
            await copies.copy(call, {**asked, "ifFromInState": "0"})
        responses = await copies.copy(call, asked)
        (kind, told), (implicit, gone) = responses
        assert (kind, implicit) == ("Email/copy", "Email/set")
        assert {id_: why["type"] for id_, why in told["notCreated"].items()} == {
            "none": "notFound",
            "bad": "invalidProperties",
        }
        made = told["created"]["one"]
        assert gone["destroyed"] == [f"M{blob:x}"] and call.created["one"] == made["id"]
        there = accounts(call, account_number(OTHER))
        ((email,), _) = await emails.get(
            there,
            [made["id"]],
            frozenset({"keywords", "mailboxIds", "receivedAt", "subject"}),
            emails.get_arguments(Arguments({})),
        )
        assert email["keywords"] == {"$seen": True, "work": True}
        assert email["mailboxIds"] == {target: True}
        assert (email["receivedAt"], email["subject"]) == ("1985-11-05T00:53:20Z", "A test")
        assert (await store.mailbox(ACCOUNT, "INBOX")).messages == 0

        done = await store.append(ACCOUNT, "INBOX", [appended(message("breaks off"))])
        (blob,) = (await store.contents(ACCOUNT, inbox.id, done.target)).values()
        add, times = intake.add, count()

        async def breaks_off(*arguments: Any) -> Any:
            if next(times):
                raise StoreUnavailable("the disk is gone")
            return await add(*arguments)

        monkeypatch.setattr(intake, "add", breaks_off)
        asked["create"] = {
            name: {"id": f"M{blob:x}", "mailboxIds": {target: True}} for name in ("one", "two")
        }
        with pytest.raises(MethodError, match="serverPartialFail"):
            await copies.copy(call, asked)
        assert (await store.mailbox(ACCOUNT, "INBOX")).messages == 1

        async def refuses(*_arguments: Any, **_more: Any) -> Any:
            raise StoreUnavailable("the disk is gone")

        monkeypatch.setattr(intake, "add", add)
        monkeypatch.setattr(store, "copy", refuses)
        two = {target: True, mailbox_number(OTHER, (await store.mailbox(OTHER, "INBOX")).id): True}
        asked["create"] = {"one": {"id": f"M{blob:x}", "mailboxIds": two}}
        before = (await store.usage(OTHER)).messages
        with pytest.raises(MethodError, match="serverPartialFail"):
            await copies.copy(call, asked)
        assert (await store.usage(OTHER)).messages == before  # in both mailboxes or in none
