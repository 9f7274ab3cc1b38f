"""`message.thread`: the conversation of a message, given when somebody first asks for it.

Blobs are looked at once, in the order of their ids, which is that of arrival; a number never
changes afterwards, and copies take it along. As it comes from the oldest Message-ID that a message
names, an index that is built anew gives the same ones. Delivery knows nothing of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update

from message.conversation import Links, links
from message.meta import meta_keys, meta_version
from message.render import RENDERER_VERSION
from net.threads import Offload
from storage.database import Database, Row
from storage.errors import MessageMissing
from storage.reads import Reads
from storage.rendering import is_quick, render_bytes
from storage.row_selects import LACKING
from storage.schema import blob, conversation, message, threaded
from storage.statements import MultiRow, Query, id_list
from storage.values import AccountId, BlobId, MailboxId

T = TypeVar("T")
_PIECE: Final = 200
_NARROW: Final = 2_000
_LOCKS: Final = 1_000
_m, _b, _c = message.c, blob.c, conversation.c
_MINE: Any = bindparam("account")
_BLOBS = (_b.id, _b.meta, _b.digest)
_MARK = Query(lambda _: select(threaded.c.blob).where(threaded.c.account == _MINE))
_NEXT = Query(
    lambda _: (
        select(*_BLOBS)
        .where(_b.account == _MINE, _b.id > bindparam("after"))
        .order_by(_b.id)
        .limit(_PIECE)
    )
)
_SOME = Query(
    lambda among: select(*_BLOBS).where(_b.account == _MINE, among(_b.id, "blobs")).order_by(_b.id)
)
_OF_THREAD = Query(
    lambda _: (
        select(_m.uid)
        .where(
            _m.account == _MINE,
            _m.mailbox == bindparam("mailbox"),
            _m.thread == bindparam("thread"),
        )
        .order_by(_m.uid)
    )
)
_KNOWN = Query(
    lambda among: select(_c.reference, _c.thread).where(
        _c.account == _MINE, among(_c.reference, "numbers")
    )
)
# By the index of blobs, then by the key, as storage/emails.py has it.
_h = message.alias("here").c
_GIVEN = Query(
    lambda among: (
        select(_m.blob, _m.thread)
        .select_from(
            _h.account.table.outerjoin(
                message,
                (_m.account == _h.account) & (_m.mailbox == _h.mailbox) & (_m.uid == _h.uid),
            )
        )
        .where(_h.account == _MINE, among(_h.blob, "blobs"))
    )
)
# While a piece is written, `-blob` in the table of conversations says what the blob is to get.
_GIVE = Query(
    lambda among: (
        update(message)
        .where(
            _m.account == _MINE,
            tuple_(_m.mailbox, _m.uid).in_(
                select(_h.mailbox, _h.uid).where(_h.account == _MINE, among(_h.blob, "blobs"))
            ),
            _m.thread.is_(None),
        )
        .values(
            thread=select(_c.thread)
            .where(_c.account == _m.account, _c.reference == -_m.blob)
            .scalar_subquery()
        )
    )
)
_FORGET = Query(lambda _: delete(conversation).where(_c.account == _MINE, _c.reference < 0))
_PUT = MultiRow(conversation, [_c.thread])
_PUT_MARK = MultiRow(threaded, [threaded.c.blob])


class Submit(Protocol):
    """Store.submit."""

    def __call__(self, job: Callable[[Connection], T]) -> Awaitable[T]: ...


class Candidate(NamedTuple):
    """A blob to be looked at."""

    blob: BlobId
    links: Links


class Threads:
    """Gives conversations to the messages of accounts."""

    def __init__(self, database: Database, submit: Submit, reads: Reads, offload: Offload) -> None:
        self._database, self._submit = database, submit
        self._reads, self._offload = reads, offload
        self._locks: dict[AccountId, asyncio.Lock] = {}

    async def settle(self, account: AccountId) -> None:
        """Every message that is in the store has its conversation afterwards."""
        async with self._lock(account):
            marks = await self._database.fetch(_MARK, account=account)
            after = marks[0][0] if marks else 0
            while rows := await self._database.fetch(_NEXT, account=account, after=after):
                after = rows[-1][0]
                await self._give(account, rows, after)

    async def give(self, account: AccountId, blobs: Sequence[int]) -> None:
        """Conversations for messages of these blobs that came into the index out of order."""
        async with self._lock(account):
            for start in range(0, len(blobs), _PIECE):
                some = self._database.ids(sorted(blobs[start : start + _PIECE]))
                await self._give(
                    account, await self._database.fetch(_SOME, account=account, blobs=some), None
                )

    async def ensure(self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]) -> None:
        """These messages have their conversation afterwards."""
        await self.settle(account)
        for start in range(0, len(uids), _NARROW):
            lacking = await LACKING.every(
                self._database, account, mailbox, uids[start : start + _NARROW]
            )
            if lacking:
                await self.give(account, [row[1] for row in lacking])
            await asyncio.sleep(0)

    async def messages(self, account: AccountId, mailbox: MailboxId, thread: int) -> list[int]:
        """UIDs of a mailbox's messages of one conversation, ascending."""
        rows = await self._database.fetch(
            _OF_THREAD, account=account, mailbox=mailbox, thread=thread
        )
        return [uid for (uid,) in rows]

    def _lock(self, account: AccountId) -> asyncio.Lock:
        if len(self._locks) > _LOCKS:
            self._locks = {key: lock for key, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(account, asyncio.Lock())

    async def _give(self, account: AccountId, rows: Sequence[Row], mark: int | None) -> None:
        candidates = [await self._candidate(account, *row) for row in rows]
        if candidates:
            await self._submit(lambda conn: give(conn, account, candidates, mark))

    async def _candidate(
        self, account: AccountId, number: int, meta: bytes, digest: bytes
    ) -> Candidate:
        """Of a blob that an older program rendered after another look at its file."""
        blob_id = BlobId(number)
        if meta_version(meta) < RENDERER_VERSION:
            try:
                data = await self._reads.body(account, blob_id, MailboxId(0), 0, 0, None)
            except MessageMissing:
                return Candidate(blob_id, Links(number, ()))
            if is_quick(data):
                meta = render_bytes(data).meta
            else:
                meta = (await self._offload.process(render_bytes, data)).meta
        return Candidate(blob_id, links(meta_keys(meta), bytes(digest)))


def give(
    conn: Connection, account: AccountId, candidates: Sequence[Candidate], mark: int | None
) -> None:
    """In the committer's thread: conversations for messages of these blobs, in their order."""
    dialect = conn.dialect.name
    numbers = {number for one in candidates for number in one.links.numbers}
    known: dict[int, int] = dict(
        _KNOWN.run(conn, account=account, numbers=id_list(dialect, sorted(numbers)))
    )
    blobs = id_list(dialect, [one.blob for one in candidates])
    rows = _GIVEN.run(conn, account=account, blobs=blobs)
    given: dict[int, int] = {blob: thread for blob, thread in rows if thread is not None}
    fresh: dict[int, int] = {}
    for one in candidates:
        thread = given.get(one.blob) or _thread(one.links, known)
        for number in one.links.numbers:
            if number not in known:
                known[number] = fresh[number] = thread
        fresh[-one.blob] = thread
    _PUT.run(conn, [(account, number, thread) for number, thread in fresh.items()])
    _GIVE.run(conn, account=account, blobs=blobs)
    _FORGET.run(conn, account=account)
    if mark is not None:
        _PUT_MARK.run(conn, [(account, mark)])


def _thread(found: Links, known: dict[int, int]) -> int:
    """That of the message itself, else of the nearest one that is known; else it begins one."""
    return next((known[number] for number in found.numbers if number in known), found.first)
