"""Operations on accounts, aliases and domains, with a real store and directory beneath."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from auth.login_values import Login
from filters.autotags.model import TagModel
from filters.spam.weights import Weights
from mailserver.control import Progress
from mailserver.operations.accounts import settle_accounts
from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from storage.credential_values import Protocol
from storage.errors import NoSuchAccount, StoreUnavailable
from storage.values import AccountId
from tests.support.directories import PASSWORD
from tests.support.services import open_test_services

ADA = "ada@example.test"


def quiet(_done: int, _total: int, _what: str) -> None:
    """No progress is shown."""


SILENT: Progress = quiet


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as opened:
        yield opened


def is_folder(path: str) -> bool:
    return Path(path).is_dir()


async def run(services: Services, operation: str, **args: Any) -> Any:
    return await perform(services, operation, args, SILENT)


async def add(services: Services, address: str = ADA, **args: Any) -> Any:
    return await run(services, "account.add", address=address, password=PASSWORD, **args)


async def account_id(services: Services, address: str = ADA) -> AccountId:
    account = await services.directory.account(address)
    assert account is not None
    return account.id


async def may_log_in(services: Services, password: str = PASSWORD) -> bool:
    outcome = await services.auth.login(ADA, password, peer="127.0.0.1", protocol=Protocol.IMAP)
    return isinstance(outcome, Login)


async def test_add_list_show(services: Services) -> None:
    shown = await add(services, name="Ada L.", quota=2 << 30, admin=True)
    number = await account_id(services)
    assert shown.pop("password")["grade"] == "good"
    assert shown == {
        "address": ADA,
        "name": "Ada L.",
        "enabled": True,
        "admin": True,
        "source": "",
        "role": "administrator",
        "administers": [],
        "quota": 2 << 30,
        "used": 0,
        "messages": 0,
        "maildir": str(services.store.maildir(number)),
        "quota_messages": 0,
        "imap_mask": [],
        "gmail_labels": False,
        "submission": {},
    }
    assert is_folder(shown["maildir"])
    await add(services, "bob@example.test", name="", quota=0, admin=False)
    listed = await run(services, "account.list")
    assert listed[0] == shown
    alone = await run(services, "account.show", address="ADA@example.test")
    assert alone == shown | {"verified": None, "second_factor": [], "passkeys": 0}
    assert [row["address"] for row in listed] == [ADA, "bob@example.test"]
    assert (await services.store.usage(number)).limit_bytes == 2 << 30
    names = {mailbox.name for mailbox in await services.store.mailboxes(number)}
    assert names == {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"}


async def test_what_cannot_be_done_is_one_line(services: Services) -> None:
    await add(services)
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("account.add", {"address": ADA, "password": PASSWORD}, "already"),
        ("account.add", {"address": "a@elsewhere.test", "password": PASSWORD}, "domain add"),
        ("account.add", {"address": "b@example.test", "password": "x" * 73}, "72 octets"),
        ("account.add", {"address": "b@example.test", "password": ""}, "empty"),
        ("account.show", {"address": "b@example.test"}, "no account"),
        ("account.passwd", {"address": "b@example.test", "password": "x"}, "no account"),
        ("account.disable", {"address": "b@example.test"}, "no account"),
        ("account.enable", {"address": "b@example.test"}, "no account"),
        ("account.delete", {"address": "b@example.test"}, "no account"),
        ("alias.add", {"alias": ADA, "targets": ["b@elsewhere.test"]}, "already"),
        ("alias.add", {"alias": "x@example.test", "targets": []}, "at least one"),
        ("alias.delete", {"alias": "x@example.test"}, "no alias"),
        ("domain.add", {"domain": "example.test"}, "already"),
        ("domain.add", {"domain": "no domain"}, "not a domain"),
        ("domain.delete", {"domain": "example.test"}, "configuration"),
        ("domain.delete", {"domain": "other.test"}, "not served"),
    ]
    for operation, args, text in bad:
        with pytest.raises(OperationError, match=text) as caught:
            await run(services, operation, **args)
        assert "\n" not in str(caught.value)
    assert len(await services.directory.accounts()) == 1


async def test_passwd_disable_enable(services: Services) -> None:
    await add(services)
    closed: list[AccountId] = []
    services.auth.on_revoke(lambda change: closed.append(change.account))
    assert await may_log_in(services)
    await run(services, "account.passwd", address=ADA, password="another")
    assert not await may_log_in(services)
    assert await may_log_in(services, "another")
    assert (await run(services, "account.disable", address=ADA))["enabled"] is False
    assert not await may_log_in(services, "another")
    assert (await run(services, "account.enable", address=ADA))["enabled"] is True
    assert await may_log_in(services, "another")
    assert closed == [await account_id(services)] * 2


async def test_delete_removes_mailboxes_and_closes_sessions(services: Services) -> None:
    shown = await add(services)
    number = await account_id(services)
    closed: list[AccountId] = []
    services.auth.on_revoke(lambda change: closed.append(change.account))
    tag = TagModel("work", Weights(), 1.0, tagged=9, given=9, right=9)
    await services.auto_tags.keep(number, [tag], services.clock.now())
    assert len(await services.auto_tags.known(number)) == 1
    await run(services, "account.delete", address=ADA)
    assert set(closed) == {number}
    assert await run(services, "account.list") == []
    with pytest.raises(NoSuchAccount):
        await services.store.usage(number)
    assert await services.auto_tags.known(number) == []
    assert not is_folder(shown["maildir"])
    assert not await may_log_in(services)
    again = await add(services)
    assert again["maildir"] != shown["maildir"]


async def test_an_account_that_gets_no_mailboxes_is_not_left_behind(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is read-only")

    monkeypatch.setattr(services.store, "add_account", fails)
    with pytest.raises(OperationError, match="read-only"):
        await add(services)
    assert await services.directory.accounts() == []


async def test_half_made_accounts_are_mended_at_start(services: Services) -> None:
    account = await services.directory.add_account(ADA, "", quota_bytes=5000)
    shown = await run(services, "account.show", address=ADA)
    assert shown["messages"] == 0
    await settle_accounts(services)
    assert (await services.store.usage(account.id)).limit_bytes == 5000
    await services.directory.set_quota(ADA, 7000, 0)
    await settle_accounts(services)
    assert (await services.store.usage(account.id)).limit_bytes == 7000


async def test_a_half_deleted_account_can_be_deleted_again(services: Services) -> None:
    await add(services)
    await services.store.remove_account(await account_id(services))
    await run(services, "account.delete", address=ADA)
    assert await services.directory.accounts() == []


async def test_aliases(services: Services) -> None:
    await add(services)
    group = {"alias": "all@example.test", "targets": [ADA, "eve@elsewhere.test"], "send_as": True}
    rest = {"alias": "@example.test", "targets": [ADA], "send_as": False}
    assert await run(services, "alias.add", **group) == group
    assert await run(services, "alias.add", **rest) == rest
    assert await run(services, "alias.list") == [rest, group]
    await run(services, "alias.delete", alias="@EXAMPLE.test")
    assert await run(services, "alias.list") == [group]


async def test_domains(services: Services) -> None:
    free = {"accounts_most": 0, "quota_most": 0}
    assert await run(services, "domain.add", domain="Other.Test") == {
        "name": "other.test",
        "source": "command",
        **free,
    }
    assert await run(services, "domain.list") == [
        {"name": "example.test", "source": "config", **free},
        {"name": "other.test", "source": "command", **free},
    ]
    await run(services, "domain.delete", domain="other.test")
    assert len(await run(services, "domain.list")) == 1


@pytest.mark.parametrize("operation", ["account.add", "account.passwd"])
async def test_what_was_allowed_before_a_hash_is_asked_again(
    services: Services, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    chief = "chief@example.test"
    await add(services, chief)
    await add(services)
    role = {"address": chief, "role": "domain-administrator", "domains": ["example.test"]}
    await run(services, "account.role", **role)
    hash_password = services.auth.hash_password

    async def slow(password: str) -> str:
        await run(services, "account.role", address=chief, role="user")
        return await hash_password(password)

    monkeypatch.setattr(services.auth, "hash_password", slow)
    address = ADA if operation == "account.passwd" else "new@example.test"
    asked = {"as": chief, "address": address, "password": "quite another horse"}
    with pytest.raises(OperationError, match="may not"):
        await run(services, operation, **asked)
    assert await may_log_in(services)
    assert await services.directory.account("new@example.test") is None
