"""Attachments of stored mail as items of the drive: which a login sees, and what they hold once
they were read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final

from auth.rights import ALL, effective
from filters.drive.gate import Subject
from filters.drive.octets import PartOctets
from filters.drive.service import Asker
from message.part_octets import Encoded, Examiner
from message.section import Leaf
from message.sniffed import media_type
from net.threads import Offload, Pool
from storage.acl import BoxKey
from storage.attachments import Attachment, Attachments, Holder
from storage.blob_values import LETTER
from storage.directory import Directory
from storage.drive_names import part_id, tidy_name
from storage.drive_parts import DriveParts, Judged, KnownPart
from storage.drive_values import Item, NoSuchItem, State
from storage.errors import MessageMissing
from storage.values import AccountId, BlobId, MailboxId

_HEAD: Final = 64 * 1024
_PAGES: Final = 5
_LEAVES: Final = 2000
"""Pages of messages, and parts of them, that are looked at at once."""
_READABLE: Final = frozenset("lr")


@dataclass(frozen=True, slots=True)
class FoundPart:
    """An attachment that is there: its item, and where it is."""

    item: Item
    holder: Holder
    known: KnownPart | None
    leaf: Leaf


class Parts:
    """Of all accounts."""

    def __init__(
        self, attachments: Attachments, known: DriveParts, directory: Directory, offload: Offload
    ) -> None:
        self._attachments, self._known = attachments, known
        self._directory, self._offload = directory, offload

    async def visible(self, asker: Asker) -> frozenset[MailboxId]:
        """Mailboxes whose messages the login may read."""
        lists = await self._directory.acl.lists(asker.account)
        found = set()
        for box in await self._attachments.store.mailboxes(asker.account):
            entries = lists.get(BoxKey.of(box), ()) if lists else ()
            rights = effective(entries, asker.account, box.account) if entries else ALL
            if set(asker.grant.cut(rights, box.name, box.special_use)) >= _READABLE:
                found.add(box.id)
        return frozenset(found)

    async def page(
        self,
        account: AccountId,
        within: frozenset[MailboxId],
        before: BlobId | None,
        limit: int,
    ) -> tuple[list[list[FoundPart]], BlobId | None]:
        """Attachments by message, the newest first, of messages before one; of so many messages
        that there are `limit`, or of what is looked at at once. And before which to go on.
        """
        found: list[list[FoundPart]] = []
        count = looked = 0
        for _ in range(_PAGES):
            holders, rest = await self._attachments.page(account, within, before)
            for holder in holders:
                if not holder.leaves:
                    continue
                parts = await self._of(account, holder)
                if parts:
                    found.append(parts)
                    count += len(parts)
                looked += len(holder.leaves)
                if count >= limit or looked >= _LEAVES:
                    return found, holder.blob
            if rest is None:
                return found, None
            before = rest
        return found, before

    async def find(
        self,
        account: AccountId,
        number: BlobId,
        part: str,
        within: frozenset[MailboxId] | None = None,
    ) -> FoundPart:
        """Raises NoSuchItem."""
        for holder in await self._attachments.holder(account, number, within):
            for one in await self._of(account, holder, part):
                return one
        raise NoSuchItem("There is no such attachment")

    async def read(self, account: AccountId, found: FoundPart) -> KnownPart:
        """What it holds; read through once for that. Raises NoSuchItem."""
        if found.known is not None:
            return found.known
        try:
            known = await self._examined(account, found)
        except MessageMissing:
            raise NoSuchItem("There is no such attachment") from None
        await self._known.put(account, known)
        return known

    def subject(self, account: AccountId, found: FoundPart, known: KnownPart) -> Subject:
        """For the gate."""
        octets = PartOctets(self._attachments, account, found.holder, known.encoded)
        judge = partial(self._known.judge, account, known.message, known.part)
        return Subject(known.content, octets, known.judged, judge)

    async def _of(
        self, account: AccountId, holder: Holder, part: str | None = None
    ) -> list[FoundPart]:
        try:
            found = await self._attachments.of(account, holder, part)
        except MessageMissing:
            return []
        known = await self._known.of(account, [holder.blob]) if found else []
        return [*_items(found, known)]

    async def _examined(self, account: AccountId, found: FoundPart) -> KnownPart:
        leaf = found.leaf
        whole = Encoded(leaf.body_offset, leaf.length, "binary", leaf.length)
        octets = PartOctets(self._attachments, account, found.holder, whole)
        reading = _Reading(leaf.encoding)
        async for piece in octets.raw(0, leaf.length):
            await self._offload.run(Pool.MIME, reading.feed, piece)
        return reading.known(found)


class _Reading:
    """A part as it is read through once."""

    def __init__(self, encoding: str) -> None:
        self._examiner, self._hash, self._head = Examiner(encoding), sha256(), b""

    def feed(self, piece: bytes) -> None:
        self._take(self._examiner.feed(piece))

    def _take(self, octets: bytes) -> None:
        self._hash.update(octets)
        if len(self._head) < _HEAD:
            self._head += octets[: _HEAD - len(self._head)]

    def known(self, found: FoundPart) -> KnownPart:
        """When all of it was read."""
        self._take(self._examiner.finish())
        leaf, examiner = found.leaf, self._examiner
        place = (leaf.body_offset, leaf.length, examiner.encoding)
        encoded = Encoded(*place, examiner.size, examiner.width)
        content = LETTER + self._hash.hexdigest()
        kind = media_type(self._head)
        return KnownPart(found.holder.blob, found.item.part, encoded, content, kind, Judged())


def _items(found: Sequence[Attachment], known: Sequence[KnownPart]) -> Iterator[FoundPart]:
    for one in found:
        read = next((each for each in known if each.part == one.number), None)
        at = one.holder.received
        item = Item(
            part_id(one.holder.blob, one.number),
            tidy_name(one.name or ""),
            "",
            "" if read is None else read.content,
            one.size if read is None else read.encoded.size,
            media_type(one.head) if read is None else read.type,
            at,
            at,
            State.PENDING if read is None else read.judged.state,
            one.holder.blob,
            one.number,
        )
        yield FoundPart(item, one.holder, read, one.leaf)
