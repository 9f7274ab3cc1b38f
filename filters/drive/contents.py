"""What a file or an attachment holds, and whether it may leave."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from config.logging import Logger
from filters.blob_scanning import BlobScanner
from filters.drive.gate import HOLD, Gate, Subject
from filters.drive.octets import BlobOctets
from filters.drive.parts import Parts
from filters.drive.service import Octets, Opened
from message.sniffed import INLINE
from storage.blob_values import Blob, BlobHash, NoSuchBlob, Scan
from storage.blobs import Blobs
from storage.drive_items import DriveItems
from storage.drive_names import part_of
from storage.drive_parts import Judged
from storage.drive_values import Disposition, Item, ItemId, NoSuchItem, State
from storage.values import AccountId, MailboxId

Ask = Callable[[float], Awaitable[State]]
"""What the scanner says, waited for so many seconds."""
Tell = Callable[[AccountId, str, str], Awaitable[None]]
"""Says to the owner of a file of that name what was found in it."""


@dataclass(frozen=True, slots=True)
class Content:
    """An item with its octets."""

    account: AccountId
    item: Item
    octets: Octets
    ask: Ask

    def disposition(self, wanted: Disposition) -> Disposition:
        """Only what a browser shows without running it is shown."""
        shown = wanted is Disposition.INLINE and self.item.type in INLINE
        return Disposition.INLINE if shown else Disposition.ATTACHMENT

    def opened(self, name: str, disposition: Disposition, *, whole_only: bool = False) -> Opened:
        """To be sent."""
        item = self.item
        about = (name, item.type, item.content, item.created, self.octets)
        return Opened(*about, disposition, whole_only)


class Contents:
    """Of all accounts."""

    def __init__(
        self,
        items: DriveItems,
        blobs: Blobs,
        parts: Parts,
        gate: Gate,
        scanner: BlobScanner,
        tell: Tell,
        log: Logger,
    ) -> None:
        self._items, self._blobs, self._parts, self._gate = items, blobs, parts, gate
        self._scanner, self._tell, self._log = scanner, tell, log

    async def find(
        self, account: AccountId, number: ItemId, within: frozenset[MailboxId] | None = None
    ) -> Content:
        """Raises NoSuchItem."""
        message = part_of(number)
        if message is None:
            return await self._file(account, number)
        found = await self._parts.find(account, *message, within)
        known = await self._parts.read(account, found)
        item = replace(
            found.item,
            content=known.content,
            size=known.encoded.size,
            type=known.type,
            state=known.judged.state,
        )
        subject = self._parts.subject(account, found, known)
        judge = partial(self._judged, account, item, subject)
        ask = partial(self._gate.state, replace(subject, judge=judge))
        return Content(account, item, subject.octets, ask)

    async def state(self, content: Content, *, hold: float = HOLD) -> State:
        """What the scanner says, waited for a little."""
        return await content.ask(hold)

    async def found(self, blob: Blob) -> None:
        """Tells everybody who has the content of what was found in it first."""
        for account, name in await self._items.owners(blob.hash):
            self._log.warning("infected", account=int(account), signature=blob.found)
            await self._tell(account, name, blob.found)

    async def _file(self, account: AccountId, number: ItemId) -> Content:
        item = await self._items.get(account, number)
        name = BlobHash(item.content)
        try:
            blob = await self._blobs.get(account, name)
        except NoSuchBlob:
            raise NoSuchItem("There is no such file") from None
        octets = BlobOctets(self._blobs, name, blob.size)
        return Content(account, item, octets, partial(self._state_of, blob))

    async def _state_of(self, blob: Blob, hold: float) -> State:
        judged = await self._scanner.judged(blob, wait=hold)
        if judged.scan is Scan.INFECTED:
            return State.INFECTED
        scanned = judged.scan is Scan.CLEAN or not self._scanner.may_leave(judged)
        return State(judged.scan.value) if scanned else State.UNSCANNED

    async def _judged(
        self, account: AccountId, item: Item, subject: Subject, judged: Judged
    ) -> None:
        """Writes it down, and tells the owner of what is found first."""
        await subject.judge(judged)
        if judged.state is State.INFECTED and subject.judged.state is not State.INFECTED:
            self._log.warning(
                "infected", account=int(account), item=item.id, signature=judged.finding
            )
            await self._tell(account, item.name, judged.finding)
