"""Follows one account's mail for what its user says about spam: journal in, lessons out.

Any step may be done twice: a lesson is known by its message, and the watermark goes into the
transaction of the last lessons before it. Messages are read one at a time, at most READ octets of
each, beside the loop.
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from filters.spam.signs import Place, came, flagged, mark_of, place_of
from net.threads import Offload
from storage import spam_changes
from storage.changes import Change
from storage.errors import MessageMissing, NoSuchAccount, StoreError
from storage.schema import ChangeKind, Origin
from storage.spam_changes import Sighting
from storage.spam_values import NOTHING, Known, Label, Lesson
from storage.store import Store
from storage.values import AccountId, MailboxId

READ: Final = 512 * 1024
JOURNAL: Final = 500
LESSONS: Final = 20
"""Messages learned in one transaction."""
LONGEST_PAUSE: Final = 1.0
_NOWHERE: Final = MailboxId(0)

Extract = Callable[[bytes], "array[int]"]
"""The features of a message; a function of a module, it may be called in a worker process."""


Hear = Callable[[AccountId, Label, bytes], Awaitable[None]]
"""Is told what an account says of which message; its work is done beside the loop."""


class Teacher(Protocol):
    """filters/spam/learned.py."""

    async def known(self, owner: AccountId, keys: list[bytes]) -> dict[bytes, Known]: ...

    async def teach(
        self, owner: AccountId, lessons: list[Lesson], watermark: int | None = None
    ) -> object: ...

    async def watermark(self, account: AccountId) -> int | None: ...

    async def mark(self, marks: Mapping[AccountId, int]) -> None: ...


@dataclass(slots=True)
class _Said:
    """What is to be remembered of a message, and learned from it, where it was seen last."""

    known: Known
    label: Label | None = None
    at: Sighting | None = None


@dataclass(slots=True)
class _Batch:
    """What was decided and is not taught yet, by the message's key."""

    said: dict[bytes, _Said] = field(default_factory=dict)
    lessons: int = 0


class Follower:
    """One for all accounts; used by filters/spam/training.py, one account at a time."""

    def __init__(
        self,
        store: Store,
        teacher: Teacher,
        offload: Offload,
        extract: Extract,
        *,
        hear: Hear | None = None,
    ) -> None:
        self._store, self._teacher = store, teacher
        self._offload, self._extract, self._hears = offload, extract, hear
        self._database = store.database
        self.older: frozenset[AccountId] = frozenset()
        """Accounts that were there before anybody followed them: who put what into their Junk is
        not known.
        """
        self._marks: dict[AccountId, int] = {}
        self._unwritten: set[AccountId] = set()

    async def follow(self, account: AccountId) -> bool:
        """A stretch of the account's journal; whether more is left. Raises StoreError, Busy,
        OSError.
        """
        reach = await spam_changes.reach(self._database, account)
        if reach is None:
            self._marks.pop(account, None)
            self._unwritten.discard(account)
            return False
        modseq, floor = reach
        mark = await self._mark(account)
        if mark is None or not floor <= mark <= modseq:
            await self._begin(account, modseq)
            return False
        changes = await self._store.journal(account, mark, JOURNAL)
        until = changes[-1].modseq if changes else modseq
        if until > mark:
            await self._take(account, changes, until)
        return until < modseq

    async def followed(self, account: AccountId) -> int:
        """Up to which modseq the journal is not needed any more (storage/prune.py)."""
        try:
            return await self._teacher.watermark(account) or 0
        except StoreError:
            return 0

    async def write_marks(self) -> None:
        """Makes watermarks durable that no lesson took along. Raises StoreError."""
        marks = {account: self._marks[account] for account in self._unwritten}
        if marks:
            self._unwritten.clear()
            try:
                await self._teacher.mark(marks)
            except BaseException:
                self._unwritten.update(marks)
                raise

    async def _mark(self, account: AccountId) -> int | None:
        mark = self._marks.get(account)
        if mark is None:
            mark = await self._teacher.watermark(account)
        if mark is None and account not in self.older:
            mark = 0
            await self._teacher.mark({account: mark})
        return mark

    async def _begin(self, account: AccountId, modseq: int) -> None:
        """Without a watermark that the journal reaches: what is in Junk is noted, not learned."""
        batch = _Batch()
        for box, place in (await self._places(account)).items():
            if place is Place.JUNK:
                async for seen in spam_changes.present(self._database, account, box):
                    await self._hear(account, batch, seen, Place.JUNK)
                    await self._teach(account, batch)
        await self._teach(account, batch, modseq)

    async def _take(self, account: AccountId, changes: list[Change], until: int) -> None:
        batch = _Batch()
        places = await self._places(account)
        sources = _sources(changes)
        for change in changes:
            place = places.get(change.mailbox)
            if place is None or not _may_say(change, place):
                continue
            source = places.get(_source(change, sources))
            async for seen in spam_changes.sightings(self._database, account, change):
                await self._hear(account, batch, seen, place, source or Place.OTHER)
                if batch.lessons >= LESSONS:
                    await self._teach(account, batch)
        if batch.said:
            await self._teach(account, batch, until)
        else:
            self._marks[account] = until
            self._unwritten.add(account)

    async def _places(self, account: AccountId) -> Mapping[MailboxId, Place]:
        try:
            boxes = await self._store.mailboxes(account)
        except NoSuchAccount:
            return {}
        by_use = {box.id: place_of(box.special_use, "") for box in boxes}
        used = set(by_use.values())
        # a name says something only where no mailbox has the use
        by_name = {box.id: place_of(box.special_use, box.name) for box in boxes}
        return {box: place if place not in used else by_use[box] for box, place in by_name.items()}

    async def _hear(
        self,
        account: AccountId,
        batch: _Batch,
        seen: list[Sighting],
        place: Place,
        source: Place = Place.OTHER,
    ) -> None:
        """What a piece of a change says, in order."""
        seen = [one for one in seen if _is_worth(one, place)]
        if not seen:
            return
        blobs = [one.blob for one in seen]
        keys = await spam_changes.keys(self._database, account, blobs)
        new = [key for key in set(keys.values()) if key not in batch.said]
        known = await self._teacher.known(account, new)
        for one in seen:
            key = keys.get(one.blob)
            if key is None:
                continue
            said = batch.said.get(key)
            before = said.known if said is not None else known.get(key, NOTHING)
            after, label = _judged(one, place, source, before)
            if after != before or (label is not None and label is not before.learned):
                _note(batch, key, one, after, label)

    async def _teach(self, account: AccountId, batch: _Batch, until: int | None = None) -> None:
        """Empties the batch."""
        said, batch.said, batch.lessons = batch.said, {}, 0
        items = list(said.items())
        for start in range(0, max(1, len(items)), LESSONS):
            piece = items[start : start + LESSONS]
            last = start + LESSONS >= len(items)
            lessons = [await self._lesson(account, key, one) for key, one in piece]
            if lessons or (last and until is not None):
                await self._teacher.teach(account, lessons, until if last else None)
        if until is not None:
            self._marks[account] = until
            self._unwritten.discard(account)

    async def _lesson(self, account: AccountId, key: bytes, said: _Said) -> Lesson:
        """With the features read from the message; a message that is gone teaches nothing."""
        if said.at is None or said.label not in (Label.SPAM, Label.HAM):
            return Lesson(key, said.known, said.label)
        began = asyncio.get_running_loop().time()
        try:
            features = await self._features(account, said.at, said.label)
        except MessageMissing:
            return Lesson(key, said.known)
        # others come first: half of the time at most is spent here
        spent = asyncio.get_running_loop().time() - began
        await asyncio.sleep(min(LONGEST_PAUSE, spent))
        return Lesson(key, said.known, said.label, features)

    async def _features(self, account: AccountId, at: Sighting, label: Label) -> "array[int]":
        data = await self._store.read_body(account, at.blob, at.mailbox, at.uid, 0, READ)
        if self._hears is not None:
            await self._hears(account, label, data)
        return await self._offload.process(self._extract, data)


def _may_say(change: Change, place: Place) -> bool:
    """Mail that is delivered elsewhere than into Junk, and not marked as junk or as none, says
    nothing: it costs nothing here.
    """
    if change.kind is not ChangeKind.APPEND:
        return change.kind is ChangeKind.FLAGS
    if place is Place.JUNK or Origin(change.name) is not Origin.DELIVERY:
        return True
    return mark_of(spam_changes.delivered_words(change)) is not Label.NONE


def _is_worth(one: Sighting, place: Place) -> bool:
    """Of what an import brought elsewhere than into Junk only marks are remembered."""
    if not one.came or one.origin is Origin.CLIENT or place is Place.JUNK:
        return True
    return mark_of(one.words) is not Label.NONE


def _sources(changes: list[Change]) -> dict[tuple[int, int], MailboxId]:
    """Where messages were moved from, by modseq and their number: MOVE logs EXPUNGE and APPEND in
    one change, in the same order.
    """
    return {
        (change.modseq, len(change.uids)): change.mailbox
        for change in changes
        if change.kind is ChangeKind.EXPUNGE
    }


def _source(change: Change, moved: Mapping[tuple[int, int], MailboxId]) -> MailboxId:
    """Where messages were copied or moved from."""
    copied = spam_changes.copied_from(change)
    return copied or moved.get((change.modseq, len(change.uids)), _NOWHERE)


def _judged(
    one: Sighting, place: Place, source: Place, before: Known
) -> tuple[Known, Label | None]:
    if one.came:
        return came(place, one.words, one.origin is Origin.CLIENT, before, source)
    return flagged(one.words, one.answered, before)


def _note(batch: _Batch, key: bytes, one: Sighting, known: Known, label: Label | None) -> None:
    """The last label counts; `learned` is what it will be then."""
    if label is not None:
        known = replace(known, learned=label)
        batch.lessons += 1
    said = batch.said.setdefault(key, _Said(known))
    said.known = known
    if label is not None:
        said.label, said.at = label, one
