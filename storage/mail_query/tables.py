"""Tables of accounts, read once and brought up to date by the journal before each search.

Kept are those used last, up to a number of octets in all. What a login does not see has a table of
its own without it. The loop's thread only.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select

from storage.database import Database
from storage.email_changes import Point, email_changes, last_modseq
from storage.emails import StoredEmail, emails_of
from storage.errors import TooOld
from storage.images import Images
from storage.mail_query.table import Table
from storage.schema import KEYWORD_SHIFT, message
from storage.statements import Query
from storage.threads import Threads
from storage.values import AccountId, BlobId, MailboxId

_PAGE: Final = 2_000
_PIECE: Final = 500
"""Emails that are changed between turns of others."""

_CHANGES: Final = 20_000
_LOG: Final = 50_000
_m = message.c
_LOAD = Query(
    lambda _: (
        select(
            _m.blob,
            _m.mailbox,
            _m.flags + _m.keywords * (1 << KEYWORD_SHIFT),
            _m.internaldate,
            _m.size,
            _m.thread,
        )
        .where(_m.account == bindparam("account"), _m.blob > bindparam("after"))
        .order_by(_m.blob)
        .limit(bindparam("most"))
    )
)


class Scope(NamedTuple):
    """Whose Emails, and in which mailboxes a login sees them: None for all."""

    account: AccountId
    within: frozenset[MailboxId] | None = None


@dataclass(slots=True)
class _Kept:
    table: Table = field(default_factory=Table)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    log: deque[tuple[int, Sequence[BlobId]]] = field(default_factory=deque)
    """Emails that changed up to a modseq, and since the one before it."""
    since: int = 0
    """The log is complete from here on."""


class Tables:
    """Of a store."""

    def __init__(self, database: Database, images: Images, threads: Threads, most: int) -> None:
        self._database, self._images, self._threads, self._most = database, images, threads, most
        self._kept: OrderedDict[Scope, _Kept] = OrderedDict()

    async def table(self, scope: Scope, *, threads: bool) -> Table:
        """As of now; with `threads` each Email has its own. Raises NoSuchAccount."""
        kept = self._kept.setdefault(scope, _Kept())
        self._kept.move_to_end(scope)
        async with kept.turn:
            if kept.table.modseq:
                await self._follow(scope, kept)
            fresh = not kept.table.modseq
            if fresh:
                await self._load(scope, kept)
            if threads and kept.table.lacking:
                await self._thread(scope, kept.table)
        if fresh:
            self._settle(scope)
        return kept.table

    def changed(self, scope: Scope, since: int) -> set[BlobId] | None:
        """Emails that changed after a modseq; None where that is not known any more."""
        kept = self._kept.get(scope)
        if kept is None or since < kept.since:
            return None
        return set(chain.from_iterable(blobs for upto, blobs in kept.log if upto > since))

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        for scope in [scope for scope in self._kept if scope.account == account]:
            del self._kept[scope]

    async def _load(self, scope: Scope, kept: _Kept) -> None:
        modseq = await last_modseq(self._database, scope.account)
        words = await self._images.keywords(scope.account)
        table, after = Table(), 0
        most = _PAGE
        while rows := await self._database.fetch(
            _LOAD, account=scope.account, after=after, most=most
        ):
            end = rows[-1][0]
            if len(rows) == most:  # the last one may have copies on the next page
                end -= 1
                rows = [row for row in rows if row[0] <= end]
            most = _PAGE if rows else 2 * most
            after = end if rows else after
            table.load(rows, words.flags, scope.within)
            await asyncio.sleep(0)
        table.modseq = modseq
        kept.table, kept.since = table, modseq
        kept.log.clear()

    async def _follow(self, scope: Scope, kept: _Kept) -> None:
        """Brings the table up to date; without a journal that tells how it begins anew."""
        table, point = kept.table, Point(kept.table.modseq)
        if table.hidden > _LOG and 2 * table.hidden > len(table.rows):
            kept.table = Table()
            return
        try:
            while True:
                found = await email_changes(self._database, scope.account, point, _CHANGES)
                blobs = [*found.created, *found.updated, *found.destroyed]
                if blobs:
                    for start in range(0, len(blobs), _PIECE):
                        some = blobs[start : start + _PIECE]
                        table.change(some, await self._emails(scope, some))
                    kept.log.append((found.until.modseq + (found.until.more > 0), blobs))
                table.modseq, point = found.until.modseq, found.until
                if not found.has_more:
                    break
        except TooOld:
            kept.table = Table()
            return
        while sum(len(blobs) for _, blobs in kept.log) > _LOG:
            kept.since = kept.log.popleft()[0]

    async def _thread(self, scope: Scope, table: Table) -> None:
        blobs = sorted(table.lacking)
        await self._threads.settle(scope.account)
        for start in range(0, len(blobs), _PIECE):
            some = blobs[start : start + _PIECE]
            there = await self._emails(scope, some)
            if rest := [one.blob for one in there.values() if one.thread is None]:
                await self._threads.give(scope.account, rest)
                there |= await self._emails(scope, rest)
            table.change(some, there)

    async def _emails(self, scope: Scope, blobs: Sequence[BlobId]) -> dict[BlobId, StoredEmail]:
        return await emails_of(self._database, self._images, scope.account, blobs, scope.within)

    def _settle(self, used: Scope) -> None:
        """Lets the oldest go while there is too much; who uses them has them still."""
        left = sum(kept.table.octets for kept in self._kept.values())
        for scope in list(self._kept):
            if left <= self._most or scope == used:
                return
            left -= self._kept.pop(scope).table.octets
