"""A store, a directory and a delivery with accounts whose scripts run, without listeners."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from config.logging import get_logger
from filters.asked import Asked
from filters.authentication.results import Result
from filters.context import Kind, Message, Recipient
from filters.delivery import Delivery
from filters.envelope import Envelope, Outcome, make_trace
from filters.forwarding import Forwarding
from filters.recipients.deciding import Personal
from filters.spam.result import SpamResult
from filters.verdict import ACCEPT, Verdict
from mailserver.operations.accounts import settle_accounts
from mailserver.personal_wiring import build_personal
from mailserver.services import Services
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
    personal: Personal
    metadata: Metadata
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
        spam: SpamResult | None = None,
        results: tuple[Result, ...] = (),
        asked: tuple[Asked, ...] = (),
        spooled: bool = False,
    ) -> list[Outcome]:
        resolve = self.services.directory.resolve
        resolved = tuple([Recipient(one, await resolve(one)) for one in recipients])
        envelope = Envelope(
            *(kind, sender, resolved, make_trace(), self.services.clock.now()),
            results=results,
            asked=(asked,),
            spam=spam,
        )
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


@asynccontextmanager
async def script_site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_test_services(tmp_path) as services:
        directory, log = services.directory, get_logger("test")
        accounts = {}
        for address in (ADA, BEN):
            accounts[address] = (await directory.add_account(address, "hash")).id
        await directory.add_alias("both@example.test", [ADA, BEN])
        await settle_accounts(services)
        metadata = Metadata(directory.database, services.store)
        personal = build_personal(services, metadata, lambda: False, learned=services.learned)
        delivery = Delivery(
            services.settings,
            directory,
            services.store,
            services.clock,
            log,
            personal=personal,
            forwarding=Forwarding(
                *(services.settings, directory, services.keyring, services.resolver),
                *(services.offload, services.clock, log),
            ),
        )
        try:
            yield Site(services, delivery, personal, metadata, accounts)
        finally:
            await metadata.close()


def codes(outcomes: list[Outcome]) -> list[int]:
    return [one.code for one in outcomes]
