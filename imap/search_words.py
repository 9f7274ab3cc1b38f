"""Keys of SEARCH that look into text: the word index first, then the messages that it leaves open.

What the index does not cover is looked at itself, so that the result is the same whether the index
is whole, half filled or missing. Strings compare as i;unicode-casemap does (RFC 5255 §4).
"""

from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from imap.grammar.search_key import HeaderKey, TextField, TextKey
from imap.search_messages import Messages
from imap.search_rows import header_test, needs_whole
from imap.selected import Selected
from imap.session import Session
from message.search_text import SearchText, octets, search_text
from storage.search.looking import Answer, Look, look_for_field, look_for_text, score_of
from storage.values import MessageRow

T = TypeVar("T")
# Among so few the rows are quicker than the index.
_FEW: Final = 20
_BLOCK: Final = 5_000
_TEXTS: Final = 50
# A message up to this size is looked at in the loop, in about a millisecond.
_INLINE: Final = 32 * 1024


class WordSearch:
    """Of one SEARCH; remembers how well messages matched FUZZY keys."""

    __slots__ = ("_blobs", "_messages", "_scores", "_selected", "_session")

    def __init__(self, session: Session, selected: Selected, messages: Messages) -> None:
        self._session, self._selected, self._messages = session, selected, messages
        self._blobs: array[int] | None = None
        self._scores: dict[int, list[int]] = {}

    def score(self, index: int) -> int:
        """The mean of a message's scores; 100 for one that no FUZZY key was asked about."""
        scores = self._scores.get(index)
        return 100 if not scores else max(1, sum(scores) // len(scores))

    async def matching(
        self, key: TextKey | HeaderKey, among: Sequence[int], fuzzy: bool
    ) -> Sequence[int]:
        """Ascending indices of those that match."""
        in_field = isinstance(key, HeaderKey) or key.field not in (TextField.BODY, TextField.TEXT)
        if not key.value and not in_field:
            return among
        if in_field and len(among) <= _FEW and not fuzzy:
            return await self._by_header(key, among)
        look = _look(key, fuzzy)
        answer = await self._session.store.search.look(self._selected.account, look)
        found, left = await self._sorted_out(answer, among)
        if look.fuzzy:
            found += await self._by_score(look, left, answer)
        elif in_field:
            found += await self._by_header(key, left)
        else:
            assert isinstance(key, TextKey)
            found += await self._by_text(key, left, answer)
        return sorted(found)

    async def _sorted_out(
        self, answer: Answer, among: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """Those that match for sure, and those to be looked at."""
        blobs = await self._blobs_of_all()
        found: list[int] = []
        left: list[int] = []
        for start in range(0, len(among), _BLOCK):
            part = among[start : start + _BLOCK]
            sure = [index for index in part if blobs[index] in answer.sure]
            for index in sure if answer.scores else ():
                self._scored(index, answer.scores[blobs[index]])
            found += sure
            open_ = answer.left_open([blobs[index] for index in part])
            if open_:
                left += [index for index in part if blobs[index] in open_]
            await self._session.connection.breathe()
        return found, left

    async def _blobs_of_all(self) -> "array[int]":
        if self._blobs is None:
            selected = self._selected
            uids = selected.uids[: selected.count]
            store = self._session.store
            self._blobs = await store.search.blobs(selected.account, selected.mailbox, uids)
        return self._blobs

    async def _by_header(self, key: TextKey | HeaderKey, among: Sequence[int]) -> list[int]:
        test, whole = header_test(key), needs_whole(key)
        found: list[int] = []
        async for index, row in self._messages.rows(among):
            if test(row, await self._messages.header(row, whole)):
                found.append(index)
            await self._session.connection.breathe()
        return found

    async def _by_text(self, key: TextKey, among: Sequence[int], answer: Answer) -> list[int]:
        needle, whole = octets(key.value), key.field is TextField.TEXT
        found: list[int] = []
        without: list[int] = []
        async for index, text in self._texts(among, answer):
            if text is None:
                without.append(index)
            elif text.contains(needle, whole):
                found.append(index)
        look = partial(_contains, needle=needle, whole=whole)
        async for index, row in self._messages.rows(without):
            if await self._of_message(row, look):
                found.append(index)
        return found

    async def _by_score(self, look: Look, among: Sequence[int], answer: Answer) -> list[int]:
        found: list[int] = []
        without: list[int] = []
        async for index, text in self._texts(among, answer):
            if text is None:
                without.append(index)
            elif score := score_of(text, look):
                self._scored(index, score)
                found.append(index)
        of_data = partial(_score, look=look)
        async for index, row in self._messages.rows(without):
            if score := await self._of_message(row, of_data):
                self._scored(index, score)
                found.append(index)
        return found

    async def _texts(
        self, among: Sequence[int], answer: Answer
    ) -> AsyncIterator[tuple[int, SearchText | None]]:
        """The texts that the index keeps, None for others; large ones one at a time."""
        blobs = await self._blobs_of_all()
        large = [index for index in among if blobs[index] in answer.loose]
        small = [index for index in among if blobs[index] not in answer.loose]
        pieces = [small[start : start + _TEXTS] for start in range(0, len(small), _TEXTS)]
        done = 0
        for piece in (*pieces, *([index] for index in large)):
            if done:
                self._session.progress(done, len(among))
            done += len(piece)
            asked = [blobs[index] for index in piece if answer.covers(blobs[index])]
            kept: dict[int, SearchText] = {}
            if asked:
                kept = await self._session.store.search.texts(self._selected.account, asked)
            for index in piece:
                yield index, kept.get(blobs[index])
            await self._session.connection.breathe()

    async def _of_message(self, row: MessageRow, call: Callable[[bytes], T]) -> T:
        data = await self._messages.message(row)
        if len(data) > _INLINE:
            return await self._session.context.offload.process(call, data)
        found = call(data)
        await self._session.connection.breathe()
        return found

    def _scored(self, index: int, score: int) -> None:
        self._scores.setdefault(index, []).append(score)


def _look(key: TextKey | HeaderKey, fuzzy: bool) -> Look:
    if isinstance(key, HeaderKey):
        return look_for_field(key.name, key.value, fuzzy)
    if key.field in (TextField.BODY, TextField.TEXT):
        return look_for_text(key.value, key.field is TextField.TEXT, fuzzy)
    return look_for_field(key.field.value, key.value, fuzzy)


def _contains(data: bytes, needle: bytes, whole: bool) -> bool:
    return search_text(data).contains(needle, whole)


def _score(data: bytes, look: Look) -> int:
    return score_of(search_text(data), look)
