"""What an account's script says of a message is what happens to it: where it is stored, who else
gets it, what the sender hears. On a real store, directory and queue.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import pytest

from config.logging import get_logger
from filters.context import Kind, Message, Recipient
from filters.delivery import Delivery
from filters.envelope import Envelope, Outcome, make_trace
from filters.forwarding import Forwarding
from filters.verdict import ACCEPT, Action, Verdict
from mailserver.operations.accounts import settle_accounts
from mailserver.services import Services
from mailserver.wiring import personal_of
from message.headers import header_block, without_blank_line
from storage.metadata import Metadata
from storage.queue_file import message_offset
from storage.queue_values import Listed
from storage.values import AccountId, Content
from tests.support.services import open_test_services

ADA, BEN, OUTSIDE = "ada@example.test", "ben@example.test", "friend@far.test"
TEXT = (
    b"From: Friend <friend@far.test>\r\nTo: ada@example.test\r\nSubject: lunch\r\n"
    b"Message-ID: <1@far.test>\r\n\r\nAt noon?\r\n"
)


@dataclass(slots=True)
class Site:
    services: Services
    delivery: Delivery
    accounts: dict[str, AccountId]

    async def script(self, text: str, account: str = ADA, name: str = "main") -> None:
        scripts = self.services.directory.scripts
        await scripts.put(self.accounts[account], name, text.encode())
        await scripts.activate(self.accounts[account], name)

    async def mailboxes(self, *names: str, account: str = ADA) -> None:
        for name in names:
            await self.services.store.create(self.accounts[account], name)

    async def send(
        self,
        *recipients: str,
        text: bytes = TEXT,
        sender: str = OUTSIDE,
        kind: Kind = Kind.MX,
        verdict: Verdict = ACCEPT,
        spooled: bool = False,
    ) -> list[Outcome]:
        resolve = self.services.directory.resolve
        resolved = tuple([Recipient(one, await resolve(one)) for one in recipients])
        envelope = Envelope(kind, sender, resolved, make_trace(), self.services.clock.now())
        return await self.delivery.accept(envelope, self.message(text, spooled), verdict)

    def message(self, text: bytes, spooled: bool) -> Message:
        content = Content(len(text), blake2b(text, digest_size=16).digest(), data=text)
        if spooled:
            path = self.services.store.spool_dir / "spooled"
            path.write_bytes(text)
            content = replace(content, data=None, path=path)
        header = without_blank_line(header_block(text))
        return Message(content, header, eightbit=not text.isascii())

    async def stored(self, account: str = ADA) -> dict[str, list[tuple[str, bytes]]]:
        """Flags and octets of what each mailbox has; empty ones are left out."""
        store, owner = self.services.store, self.accounts[account]
        found: dict[str, list[tuple[str, bytes]]] = {}
        for box in await store.mailboxes(owner):
            view = await store.view(owner, box.id)
            if not view.uids:
                continue
            rows, _ = await store.placed_rows(owner, box.id, view.uids)
            for row, flags in zip(rows, view.flags, strict=True):
                data = await store.read_message(owner, box.id, row)
                found.setdefault(box.name, []).append((view.flags_text(flags).decode(), data))
        return found

    async def names(self, account: str = ADA) -> list[str]:
        """The mailboxes of all copies."""
        stored = await self.stored(account)
        return sorted(name for name, copies in stored.items() for _ in copies)

    async def queued(self) -> list[tuple[str, tuple[str, ...], bytes]]:
        """Sender, recipients and octets of what goes out, in order of arrival."""
        files = sorted((self.services.settings.data_dir / "queue").glob("[0-9]*"))
        found = []
        async for one, path in _zipped(self.services.store.queue.entries(), files):
            offset, size = message_offset(path)
            data = path.read_bytes()[offset : offset + size]
            found.append((one.sender, tuple(to.address for to in one.recipients), data))
        return found


async def _zipped(
    entries: AsyncIterator[Listed], files: list[Path]
) -> AsyncIterator[tuple[Listed, Path]]:
    position = 0
    async for one in entries:
        yield one, files[position]
        position += 1
    assert position == len(files)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_test_services(tmp_path) as services:
        directory, log = services.directory, get_logger("test")
        accounts = {}
        for address in (ADA, BEN):
            accounts[address] = (await directory.add_account(address, "hash")).id
        await directory.add_alias("both@example.test", [ADA, BEN])
        await settle_accounts(services)
        metadata = Metadata(directory.database, services.store)
        delivery = Delivery(
            services.settings,
            directory,
            services.store,
            services.clock,
            log,
            personal=personal_of(services, metadata),
            forwarding=Forwarding(
                *(services.settings, directory, services.keyring, services.resolver),
                *(services.offload, services.clock, log),
            ),
        )
        try:
            yield Site(services, delivery, accounts)
        finally:
            await metadata.close()


def codes(outcomes: list[Outcome]) -> list[int]:
    return [one.code for one in outcomes]


async def test_without_a_script_it_is_in_the_inbox(site: Site) -> None:
    assert codes(await site.send(ADA)) == [250]
    assert await site.names() == ["INBOX"]


async def test_filed_with_flags_where_the_script_says(site: Site) -> None:
    await site.mailboxes("Meals/Noon")
    await site.script(
        'require ["fileinto", "imap4flags"];'
        'if header :contains "subject" "lunch" '
        '{ fileinto :flags ["\\\\Seen", "food"] "Meals/Noon"; }'
    )
    assert codes(await site.send("both@example.test")) == [250]
    stored = await site.stored()
    assert list(stored) == ["Meals/Noon"]
    ((flags, data),) = stored["Meals/Noon"]
    assert set(flags.split()) == {"\\Seen", "food"} and data.endswith(TEXT)
    assert await site.names(BEN) == ["INBOX"]
    await site.send(ADA, text=TEXT.replace(b"lunch", b"work"))
    assert await site.names() == ["INBOX", "Meals/Noon"]


async def test_several_copies_of_one_account(site: Site) -> None:
    await site.mailboxes("A", "B")
    await site.script(
        'require ["fileinto", "copy"]; fileinto :copy "A"; fileinto "B"; fileinto "B"; keep;'
    )
    await site.send(ADA, spooled=True)
    assert await site.names() == ["A", "B", "INBOX"]


async def test_a_mailbox_that_is_not_there_is_the_inbox(site: Site) -> None:
    await site.script('require "fileinto"; fileinto "Nowhere";')
    await site.send(ADA)
    assert await site.names() == ["INBOX"]


@pytest.mark.parametrize("spooled", [False, True])
async def test_discarded(site: Site, spooled: bool) -> None:
    await site.script("discard;")
    assert codes(await site.send(ADA, spooled=spooled)) == [250]
    assert await site.names() == [] and await site.queued() == []
    assert list(site.services.store.spool_dir.iterdir()) == []


async def test_junk_goes_to_junk_unless_the_script_files_it(site: Site) -> None:
    junk = Verdict(Action.JUNK)
    await site.script("keep;")
    await site.send(ADA, verdict=junk)
    assert await site.names() == ["Junk"]
    await site.script('require "fileinto"; fileinto "INBOX";')
    await site.send(ADA, verdict=junk, text=TEXT.replace(b"<1@", b"<2@"))
    assert await site.names() == ["INBOX", "Junk"]


async def test_redirected_out_and_to_another_account(site: Site) -> None:
    await site.script(
        'require "copy"; redirect :copy "else@where.test"; redirect "ben@example.test";'
    )
    await site.mailboxes("Ada", account=BEN)
    await site.script('require "fileinto"; fileinto "Ada";', BEN)
    assert codes(await site.send(ADA)) == [250]
    assert await site.names() == [] and await site.names(BEN) == ["Ada"]
    ((sender, recipients, data),) = await site.queued()
    assert recipients == ("else@where.test",) and data.endswith(TEXT)
    assert sender.startswith("SRS0=") and sender.endswith("@example.test")


async def test_redirects_that_lead_nowhere_lose_nothing(site: Site) -> None:
    for address in ("nobody@example.test", ADA):
        await site.script(f'redirect "{address}";')
        await site.send(ADA)
    assert await site.names() == ["INBOX", "INBOX"]


async def test_two_that_redirect_to_each_other(site: Site) -> None:
    await site.script(f'redirect "{BEN}";')
    await site.script(f'redirect "{ADA}"; keep;', BEN)
    assert codes(await site.send(ADA)) == [250]
    assert await site.names(BEN) == ["INBOX"]


async def test_refused_by_all_is_the_answer(site: Site) -> None:
    await site.script('require "reject"; reject "Not here,\r\nplease";')
    (outcome,) = await site.send(ADA)
    assert (outcome.code, outcome.status, outcome.text) == (550, "5.7.1", "Not here, please")
    assert await site.names() == [] and await site.queued() == []


async def test_refused_by_one_of_two_is_reported(site: Site) -> None:
    await site.script('require "ereject"; ereject "Nicht für mich";')
    assert codes(await site.send(ADA, BEN)) == [250, 250]
    assert (await site.names(), await site.names(BEN)) == ([], ["INBOX"])
    ((sender, recipients, data),) = await site.queued()
    assert (sender, recipients) == ("", (OUTSIDE,))
    assert b"Action: failed" in data and ADA.encode() in data and BEN.encode() not in data
    assert codes(await site.send(ADA, BEN, kind=Kind.LMTP)) == [550, 250]


@pytest.mark.parametrize(
    "script",
    [
        "this is no script",
        'require "variables"; set "a" "x"; ' + 'set "a" "${a}${a}";' * 40 + " discard;",
        'require ["ihave"]; error "on purpose";',
    ],
)
async def test_whatever_is_wrong_with_a_script_the_message_arrives(site: Site, script: str) -> None:
    await site.script(script)
    assert codes(await site.send(ADA)) == [250]
    assert len(await site.names()) <= 1
    if "discard" not in script:
        assert await site.names() == ["INBOX"]
