"""Emails looked at, tagged, moved and deleted by the EmailService, as far as a login may."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auth.grant import Grant
from auth.login_values import Login
from filters.mailing.email_service import NoSuchEmail, NotPermitted
from filters.mailing.handling import Handling
from filters.mailing.local import LocalEmailService
from mailserver.services import Services
from storage.credential_values import CredentialId
from storage.errors import NoSuchMailbox
from storage.new_account import make_account
from storage.object_ids import email_number, mailbox_number, thread_number
from storage.values import AccountId
from tests.support.services import open_test_services
from tests.support.stores import appended, message


class Site:
    """An account, its EmailService and a login with all rights."""

    def __init__(self, services: Services, account: AccountId) -> None:
        self.store, self.account = services.store, account
        handling = Handling(services.store, services.directory)
        self.service = LocalEmailService(
            *(services.store, None, handling),  # type: ignore[arg-type]
            *(services.clock, services.offload),
        )
        self.login = self.only()

    def only(self, **grant: object) -> Login:
        kept = Grant(CredentialId(1), **grant) if grant else Grant()  # type: ignore[arg-type]
        return Login(self.account, "ada@example.test", admin=False, grant=kept)

    async def put(self, data: bytes, name: str = "INBOX") -> str:
        """Its id."""
        done = await self.store.append(self.account, name, [appended(data)])
        box = await self.store.mailbox(self.account, name)
        blobs = await self.store.contents(self.account, box.id, done.target)
        return email_number(blobs[done.target[0]])

    async def box(self, name: str) -> str:
        return mailbox_number(self.account, (await self.store.mailbox(self.account, name)).id)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_test_services(tmp_path) as services:
        made = await make_account(
            services.directory, services.store, "ada@example.test", "", name="Ada"
        )
        yield Site(services, made.id)


async def test_a_message_is_viewed_and_tagged(site: Site) -> None:
    service, login = site.service, site.login
    id_ = await site.put(message("Hello", subject="One"))
    await service.tag(login, [id_], ["$seen", "Work"], ["$flagged"])
    found = await service.view(login, id_)
    assert (found.id, found.content.subject, found.content.text) == (id_, "One", "Hello\n")
    assert found.keywords == ("$seen", "work")
    assert found.mailboxes == (await site.box("INBOX"),)
    assert await service.thread(login, found.thread) == [id_]
    await service.tag(login, [id_], [], ["WORK"])
    assert (await service.view(login, id_)).keywords == ("$seen",)
    with pytest.raises(ValueError, match="no keyword"):
        await service.tag(login, [id_], ["a b"], [])
    with pytest.raises(NoSuchEmail):
        await service.view(login, "M1")
    with pytest.raises(NoSuchEmail):
        await service.thread(login, thread_number(77))


async def test_a_move_leaves_one_copy(site: Site) -> None:
    service, login, store = site.service, site.login, site.store
    id_ = await site.put(message("Moved"))
    inbox = await store.mailbox(site.account, "INBOX")
    await store.copy(site.account, inbox.id, [1], "Sent")
    archive = await site.box("Archive")
    await service.move(login, [id_], archive)
    assert (await service.view(login, id_)).mailboxes == (archive,)
    await service.move(login, [id_], archive)
    assert (await service.view(login, id_)).mailboxes == (archive,)
    with pytest.raises(NoSuchMailbox):
        await service.move(login, [id_], "F1-99")


async def test_what_is_deleted_goes_to_trash_and_then_for_good(site: Site) -> None:
    service, login = site.service, site.login
    one, two = await site.put(message("1")), await site.put(message("2"))
    await service.delete(login, [one])
    assert (await service.view(login, one)).mailboxes == (await site.box("Trash"),)
    await service.delete(login, [one])
    await service.delete(login, [two], for_good=True)
    for id_ in (one, two):
        with pytest.raises(NoSuchEmail):
            await service.view(login, id_)


async def test_a_login_does_what_its_grant_allows(site: Site) -> None:
    service = site.service
    id_ = await site.put(message("Kept"))
    reader = site.only(read_only=True)
    assert (await service.view(reader, id_)).id == id_
    with pytest.raises(NotPermitted):
        await service.tag(reader, [id_], ["$seen"], [])
    with pytest.raises(NotPermitted):
        await service.move(reader, [id_], await site.box("Archive"))
    with pytest.raises(NotPermitted):
        await service.delete(reader, [id_])
    elsewhere = site.only(folders=("Sent",))
    with pytest.raises(NoSuchEmail):
        await service.view(elsewhere, id_)
    with pytest.raises(NoSuchEmail):
        await service.delete(elsewhere, [id_])
