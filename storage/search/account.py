"""One account's word index, open: its segments, what it covers, looks into it and changes of it.

A blob is covered from the change on that brought its segment, and an answer covers what was covered
when the look began. Looks and changes take turns. Every error means that the caller may drop it:
nothing is lost but time.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from sqlalchemy import Connection

from message.search_text import SearchText
from net.pacing import Slices
from net.threads import Offload
from storage.search import tables
from storage.search.build import NOTHING, Built, Old, block_part, unpack_text
from storage.search.databases import SearchDamaged, SearchDatabase
from storage.search.looking import Answer, Look, Terms, docs_of, terms_of, together
from storage.search.parts import PartKey, Parts, unpacked
from storage.search.vocabulary import Blocks, Postings, block_of, directory_of, unpack_postings
from storage.values import AccountId

P = ParamSpec("P")
T = TypeVar("T")
_PAGE: Final = 200
# So much is looked through, or unpacked, in the loop; more goes to a thread.
_INLINE: Final = 32 * 1024
_QUICKER: Final = 16
"""So many times faster is a string looked for than what is unpacked."""

_BLOCKS: Final = 50


@dataclass(frozen=True, slots=True)
class Segment:
    """What is known of a segment without its parts."""

    id: int
    blobs: "array[int]"
    loose: "array[int]"


class AccountIndex:
    """Made by `load`."""

    def __init__(
        self, account: AccountId, database: SearchDatabase, parts: Parts, offload: Offload
    ) -> None:
        self.account = account
        self.mark = 0
        self.segments: dict[int, Segment] = {}
        self._database, self._parts, self._offload = database, parts, offload
        self._turn = asyncio.Lock()
        self._since: dict[int, int] = {}  # when a blob came to be covered
        self._itself = object()
        self._last = 0
        self._changes = 0
        self._loaded = False
        self._stored = 0

    async def load(self) -> None:
        """Reads what is kept; another format is dropped. Raises SearchDamaged, StoreUnavailable."""
        if not self._loaded:
            async with self._turn:
                await self._load()

    async def _load(self) -> None:
        if not self._loaded:
            found = await self._fetch(tables.STATE)
            if (found and found[0][1] != tables.FORMAT) or (not found and await self._is_begun()):
                await self._database.drop(self.account)
                found = []
            self.mark = self._stored = found[0][0] if found else 0
            while rows := await self._fetch(tables.SEGMENTS, after=self._last, most=_PAGE):
                for number, blobs, loose in rows:
                    self._take(Segment(number, _numbers("Q", blobs), _numbers("H", loose)))
            self._loaded = True

    async def _is_begun(self) -> bool:
        """Whether there are segments: without a format they are an older program's."""
        return bool(await self._fetch(tables.SEGMENTS, after=0, most=1))

    def __len__(self) -> int:
        return len(self._since)

    def covers(self, blob: int) -> bool:
        """Whether a look that begins at this moment looks at the blob."""
        return blob in self._since

    def covered(self) -> Iterable[int]:
        """The blobs of all segments."""
        return self._since.keys()

    # Looking.

    async def look(self, look: Look) -> Answer:
        """Raises SearchDamaged, StoreUnavailable."""
        async with self._turn:
            answer = Answer(self._since, self._changes, self._itself)
            settles = look.settles
            pause = Slices()
            for segment in list(self.segments.values()):
                docs = await self._in_segment(segment, look)
                await pause()
                blobs = segment.blobs
                if look.fuzzy:
                    answer.scores.update((blobs[doc], score) for doc, score in docs.items())
                (answer.sure if settles else answer.unsure).update([blobs[doc] for doc in docs])
                answer.loose.update([blobs[doc] for doc in segment.loose])
            answer.unsure |= answer.loose
            return answer

    async def _in_segment(self, segment: Segment, look: Look) -> dict[int, int]:
        if not (look.fuzzy or look.needle.pieces):
            return dict.fromkeys(range(len(segment.blobs)), 100)
        sides = []
        for side in look.sides:
            terms = await self._part(segment, 2 * side)
            assert isinstance(terms, bytes)
            size = len(terms) if look.fuzzy else len(terms) // _QUICKER
            found = await self._run(size, terms_of, terms, look)
            if not any(found):
                sides.append([dict[int, int]() for _ in found])
                continue
            blocks = await self._blocks(segment, side, found)
            postings = Blocks(*blocks)
            entries = sum(len(block.docs) for block in blocks[1].values())
            sides.append(await self._run(entries, docs_of, postings, found, look.columns))
        return together(sides)

    async def _blocks(
        self, segment: Segment, side: int, found: Terms
    ) -> "tuple[array[int], dict[int, Postings]]":
        """The directory of postings, and the blocks that have these terms."""
        directory = await self._part(segment, 2 * side + 1)
        assert isinstance(directory, bytes)
        try:
            firsts = directory_of(directory)
        except ValueError as error:
            raise SearchDamaged(str(error)) from error
        wanted = sorted({block_of(firsts, term) for piece in found for term in piece})
        kept: dict[int, Postings] = {}
        missing: list[int] = []
        for block in wanted:
            part = self._parts.get(PartKey(self.account, segment.id, block_part(side, block)))
            if isinstance(part, Postings):
                kept[block] = part
            else:
                missing.append(block)
        for start in range(0, len(missing), _BLOCKS):
            some = missing[start : start + _BLOCKS]
            raw = await self._raw(segment, [block_part(side, block) for block in some])
            try:
                made = await self._run(4 * sum(map(len, raw)), _unpacked_blocks, raw)
            except ValueError as error:
                raise SearchDamaged(str(error)) from error
            for block, postings in zip(some, made, strict=True):
                key = PartKey(self.account, segment.id, block_part(side, block))
                self._parts.put(key, postings)
                kept[block] = postings
        return firsts, kept

    async def _part(self, segment: Segment, part: int) -> bytes | Postings:
        key = PartKey(self.account, segment.id, part)
        kept = self._parts.get(key)
        if kept is None:
            data = (await self._raw(segment, (part,)))[0]
            try:
                kept = await self._run(2 * len(data), unpacked, part, data)
            except ValueError as error:
                raise SearchDamaged(str(error)) from error
            self._parts.put(key, kept)
        return kept

    async def _raw(self, segment: Segment, parts: Sequence[int]) -> list[bytes]:
        rows = await self._fetch(
            tables.PART, segment=segment.id, parts=self._database.ids(list(parts))
        )
        if len(rows) != len(parts):
            raise SearchDamaged("a segment is incomplete")
        return [row[2] for row in sorted(rows)]

    async def texts(self, blobs: Sequence[int]) -> dict[int, SearchText]:
        """The texts that are kept of some 250 blobs. Raises SearchDamaged, StoreUnavailable."""
        async with self._turn:
            rows = await self._fetch(tables.TEXTS, blobs=self._database.ids(blobs))
        try:
            size = 4 * sum(len(data) for _, data in rows)
            return await self._run(size, _unpacked_texts, rows)
        except ValueError as error:
            raise SearchDamaged(str(error)) from error

    # Changes, all made by the indexer.

    async def add(self, built: Built, mark: int | None = None) -> None:
        """A segment more, and perhaps how far the journal was followed."""

        def work(conn: Connection) -> None:
            if built.blobs:
                tables.put_segment(conn, self.account, number, built)
            # with the first segment already: the state says which format it has
            tables.put_state(conn, self.account, self._stored if mark is None else mark)

        async with self._turn:
            number = self._last + 1
            await self._database.write(self.account, work)
            if built.blobs:
                self._take(Segment(number, built.blobs, built.loose))
            if mark is not None:
                self.mark = self._stored = mark

    async def raw_segment(self, segment: Segment, dead: frozenset[int]) -> Old:
        """A segment to merge, as it is kept, without the messages of the blobs in `dead`."""
        async with self._turn:
            parts = await self._fetch(tables.PARTS, segment=segment.id)
        numbers = frozenset(n for n, blob in enumerate(segment.blobs) if blob in dead)
        return Old(
            segment.blobs, segment.loose, tuple((part, data) for part, data in parts), numbers
        )

    async def replace(self, olds: Sequence[Segment], built: Built) -> None:
        """One segment for several; texts of messages left out go."""
        left = set(built.blobs)
        gone = [blob for old in olds for blob in old.blobs if blob not in left]
        ids = [old.id for old in olds]

        def work(conn: Connection) -> None:
            tables.drop_segments(conn, self.account, ids)
            tables.drop_texts(conn, self.account, gone)
            if built.blobs:
                tables.put_segment(conn, self.account, number, built)

        async with self._turn:
            number = self._last + 1
            await self._database.write(self.account, work)
            for old in olds:
                del self.segments[old.id]
            for blob in gone:
                self._since.pop(blob, None)
            self._parts.forget(self.account, set(ids))
            self._last = number
            if built.blobs:
                self.segments[number] = Segment(number, built.blobs, built.loose)

    async def forget_texts(self, blobs: Sequence[int]) -> None:
        """The messages are gone; their terms go when their segments are merged."""
        work: Callable[[Connection], None] = partial(
            tables.drop_texts, account=self.account, blobs=blobs
        )
        async with self._turn:
            await self._database.write(self.account, work)

    async def drop(self) -> None:
        """Forgets all of it, in the database too."""
        async with self._turn:
            self._parts.forget(self.account)
            await self._database.drop(self.account)

    async def close(self) -> None:
        """Frees what is open; keeps how far the journal was followed."""
        if self.mark != self._stored:
            await self.add(NOTHING, self.mark)
        async with self._turn:
            self._parts.forget(self.account)
            await self._database.release(self.account)

    def _take(self, segment: Segment) -> None:
        self._changes += 1
        self.segments[segment.id] = segment
        self._last = max(self._last, segment.id)
        for blob in segment.blobs:
            self._since.setdefault(blob, self._changes)

    async def _fetch(self, query: Any, **params: Any) -> list[tuple[Any, ...]]:
        return await self._database.fetch(self.account, query, **params)

    async def _run(self, size: int, call: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """In the loop when it is little."""
        if size <= _INLINE:
            return call(*args, **more)
        return await self._offload.disk(call, *args, **more)


def _numbers(kind: Any, data: bytes) -> "array[int]":
    found: array[int] = array(kind)
    try:
        found.frombytes(data)
    except ValueError as error:
        raise SearchDamaged(str(error)) from error
    return found


def _unpacked_blocks(blocks: Sequence[bytes]) -> list[Postings]:
    return [unpack_postings(data) for data in blocks]


def _unpacked_texts(rows: Sequence[tuple[int, bytes]]) -> dict[int, SearchText]:
    return {blob: unpack_text(data) for blob, data in rows}
