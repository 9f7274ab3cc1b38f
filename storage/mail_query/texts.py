"""Conditions about text: the word index first, then the messages that it leaves open.

What the index does not cover is looked at itself, so that the result is the same whether the index
is whole, half filled or missing. Strings compare as storage/search has them.
"""

from array import array
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeVar

from message.headers import cached
from message.meta import meta_fields, unpack_meta
from message.search_text import SearchText, field_contains, octets, search_text
from net.pacing import Slices
from net.threads import Offload
from storage.errors import MessageMissing
from storage.mail_query.conditions import Condition, Contains, HeaderContains, Where
from storage.mail_query.places import common, union, without
from storage.mail_query.table import Rows
from storage.reads import Reads
from storage.search.index import SearchIndex
from storage.search.looking import Answer, Look, look_for_field, look_for_text
from storage.values import AccountId, BlobId, MailboxId

T = TypeVar("T")
_FEW: Final = 20
"""Among so few their headers are quicker than the index."""

_METAS: Final = 250
_TEXTS: Final = 50
_INLINE: Final = 32 * 1024
_BLOCK: Final = 5_000
_FEWER: Final = 20
"""So many times fewer blobs are looked for one by one."""


class Covered:
    """Which rows the index does not cover, remembered from look to look: what it covers it goes on
    to cover.
    """

    def __init__(self) -> None:
        self._index: object = None
        self._rows: Rows | None = None
        self._upto = self._checked = 0
        self._open = array("I")

    async def open_rows(self, rows: Rows, answer: Answer, pause: Slices) -> "array[int]":
        """Those that a look did not look at, ascending."""
        checked, before = self._checked, self._open
        blobs, since, upto = rows.blobs, answer.since, answer.upto
        if rows is not self._rows or answer.index is not self._index or upto < self._upto:
            checked, before = 0, array("I")
        count = len(rows)
        late = upto + 1
        found = array("I")
        for start in range(0, len(before), _BLOCK):
            part = before[start : start + _BLOCK]
            found.extend([at for at in part if since.get(blobs[at], late) > upto])
            await pause()
        for start in range(checked, count, _BLOCK):
            block = blobs[start : min(start + _BLOCK, count)]
            found.extend([at for at, b in enumerate(block, start) if since.get(b, late) > upto])
            await pause()
        self._rows, self._index, self._upto = rows, answer.index, upto
        self._checked, self._open = count, found
        return found


class Texts:
    """Of a store."""

    def __init__(self, search: SearchIndex, reads: Reads, offload: Offload) -> None:
        self._search, self._reads, self._offload = search, reads, offload

    async def matching(
        self,
        account: AccountId,
        rows: Rows,
        covered: Covered,
        condition: Contains | HeaderContains,
        among: Sequence[int],
    ) -> Sequence[int]:
        """Ascending rows of those that match, out of ascending ones."""
        in_field = isinstance(condition, HeaderContains)
        if not condition.text and not in_field:
            return among
        pause = Slices()
        if isinstance(condition, HeaderContains) and len(among) <= _FEW:
            return await self._by_header(account, rows, condition, among)
        answer = await self._search.look(account, look_of(condition))
        sure = await _placed(rows, answer.sure, among, pause)
        open_ = await common(await covered.open_rows(rows, answer, pause), among, pause)
        left = await union(open_, await _placed(rows, answer.unsure, among, pause), pause)
        left = await without(left, sure, pause)
        if isinstance(condition, HeaderContains):
            settled = await self._by_header(account, rows, condition, left)
        else:
            settled = await self._by_text(account, rows, condition, left, answer)
        return await union(sure, settled, pause)

    async def metas(self, account: AccountId, blobs: Sequence[BlobId]) -> dict[BlobId, bytes]:
        """What is kept of the headers and structures of up to some hundreds of messages."""
        return await self._reads.metas(account, blobs)

    async def _by_header(
        self, account: AccountId, rows: Rows, asked: HeaderContains, among: Sequence[int]
    ) -> list[int]:
        name, needle = asked.name.encode(), octets(asked.text)
        kept, pause = cached((name,)), Slices()
        found: list[int] = []
        for start in range(0, len(among), _METAS):
            piece = among[start : start + _METAS]
            metas = await self.metas(account, [BlobId(rows.blobs[at]) for at in piece])
            for at in piece:
                meta = metas.get(BlobId(rows.blobs[at]))
                if meta is None:
                    continue
                block = meta_fields(meta) if kept else None
                if block is None:
                    length = min(unpack_meta(meta).header_length, rows.sizes[at])
                    block = await self._read(account, BlobId(rows.blobs[at]), length)
                if field_contains(block, name, needle):
                    found.append(at)
                await pause()
        return found

    async def _by_text(
        self,
        account: AccountId,
        rows: Rows,
        asked: Contains,
        among: Sequence[int],
        answer: Answer,
    ) -> list[int]:
        needle, whole = octets(asked.text), asked.where is Where.TEXT
        look = partial(_contains, needle=needle, whole=whole)
        found: list[int] = []
        async for at, text in self._texts(account, rows, among, answer):
            if text is None:
                holds = await self._of_message(account, BlobId(rows.blobs[at]), look)
            else:
                holds = text.contains(needle, whole)
            found += [at] if holds else []
        return found

    async def _texts(
        self, account: AccountId, rows: Rows, among: Sequence[int], answer: Answer
    ) -> AsyncIterator[tuple[int, SearchText | None]]:
        """The texts that the index keeps, None for others; large ones one at a time."""
        large: list[int] = []

        def pieces() -> Iterator[Sequence[int]]:
            for start in range(0, len(among), _TEXTS):
                piece = among[start : start + _TEXTS]
                large.extend([at for at in piece if rows.blobs[at] in answer.loose])
                yield [at for at in piece if rows.blobs[at] not in answer.loose]
            yield from ([at] for at in large)

        pause = Slices()
        for piece in pieces():
            blobs = [rows.blobs[at] for at in piece]
            asked = [blob for blob in blobs if answer.covers(blob)]
            kept = await self._search.texts(account, asked) if asked else {}
            for at, blob in zip(piece, blobs, strict=True):
                yield at, kept.get(blob)
            await pause()

    async def _of_message(self, account: AccountId, blob: BlobId, call: Callable[[bytes], T]) -> T:
        data = await self._read(account, blob, None)
        if len(data) > _INLINE:
            return await self._offload.process(call, data)
        return call(data)

    async def _read(self, account: AccountId, blob: BlobId, length: int | None) -> bytes:
        """What has gone reads as nothing."""
        try:
            return await self._reads.body(account, blob, MailboxId(0), 0, 0, length)
        except MessageMissing:
            return b""


def look_of(condition: Contains | HeaderContains) -> Look:
    """What the index is asked."""
    if isinstance(condition, HeaderContains):
        return look_for_field(condition.name, condition.text)
    return look_for_text(condition.text, condition.where is Where.TEXT)


def settled_by_index(condition: Condition) -> bool:
    """Whether no message has to be looked at that the index covers."""
    if not isinstance(condition, Contains | HeaderContains) or not condition.text:
        return False
    return look_of(condition).settles


async def _placed(
    rows: Rows, blobs: set[int], among: Sequence[int], pause: Slices
) -> Sequence[int]:
    """Those of ascending rows that have one of the blobs."""
    column, found = rows.blobs, list[int]()
    if _FEWER * len(blobs) > len(among):
        for start in range(0, len(among), _BLOCK):
            found += [at for at in among[start : start + _BLOCK] if column[at] in blobs]
            await pause()
        return found
    wanted = sorted(blobs)
    for start in range(0, len(wanted), _METAS):
        found += [at for at in map(rows.place, wanted[start : start + _METAS]) if at >= 0]
        await pause()
    return await common(found, among, pause)


def _contains(data: bytes, needle: bytes, whole: bool) -> bool:
    return search_text(data).contains(needle, whole)
